"""Whose key is it that a caller gives?"""

import hashlib
import hmac
from collections.abc import Sequence

from fleet.api_keys import ApiKey
from fleet.errors import RateLimited, Unauthorized
from fleet.store.rate import RateStore


class ApiKeyService:
    def __init__(self, keys: Sequence[ApiKey], tries: RateStore) -> None:
        self._keys = [(_digest(one.key), one) for one in keys]
        self._tries = tries

    @property
    def are_required(self) -> bool:
        """Without any, everybody may do everything."""
        return bool(self._keys)

    def check(self, given: str, *, client: str) -> ApiKey:
        """The key that was given. `client`: the address that it came from.

        Raises Unauthorized if there is no such key, and RateLimited if that came too often from there. A good key
        always passes: else one caller with an old key would lock out all those who share its address, behind a proxy
        say.
        """
        found = self._find(given)
        if found is not None:
            return found
        allowance = self._tries.take(f"keys/{client}")
        if not allowance.is_granted:
            message = "Too many API keys that are none of this fleet's came from this address. Try again later."
            raise RateLimited(message, retry_after=allowance.reset_after)
        raise Unauthorized("This is none of the fleet's API keys. Ask the operator for one.")

    def _find(self, given: str) -> ApiKey | None:
        """Takes the same time whichever of them it is, and however much of one is right."""
        digest = _digest(given)
        matching = [one for its_digest, one in self._keys if hmac.compare_digest(its_digest, digest)]
        return matching[0] if matching else None


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
