"""What a browser holds in place of a key: who logged in, and when, signed."""

import hashlib
from collections.abc import Sequence
from typing import Final

from itsdangerous import BadSignature, TimestampSigner

from fleet.api_keys import ApiKey

# A long day's work.
LOGIN_SECONDS: Final = 12 * 3600


class LoginService:
    def __init__(self, keys: Sequence[ApiKey], *, secret_key: str) -> None:
        self._keys = {one.name: one for one in keys}
        self._secret_key = secret_key

    def create(self, key: ApiKey) -> str:
        """It has the name of the key, and ends with it."""
        return self._signer(key).sign(key.name).decode()

    def key_of(self, login: str) -> ApiKey | None:
        """None: it is forged or over, or its key is gone or another one now."""
        name = login.rsplit(".", 2)[0]
        key = self._keys.get(name)
        if key is None:
            return None
        try:
            self._signer(key).unsign(login, max_age=LOGIN_SECONDS)
        except BadSignature:
            return None
        return key

    def _signer(self, key: ApiKey) -> TimestampSigner:
        # One for each key, so that a key that was changed invalidates what was signed for it.
        return TimestampSigner(self._secret_key, salt=f"login/{hashlib.sha256(key.key.encode()).hexdigest()}")
