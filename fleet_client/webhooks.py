"""Whether a webhook is the fleet's: for whoever receives it."""

import hashlib
import hmac
import time
from collections.abc import Sequence


def verify_webhook(
    body: bytes, signature: str, secrets: str | Sequence[str], *, tolerance: float = 300, now: float | None = None
) -> bool:
    """Whether `Fleet-Signature` is that of `body`, exactly as it was received, by one of the secrets.

    `tolerance`: seconds that the signature may be old, or ahead of this machine's clock. `now`: Unix time, by default
    this machine's. A webhook may come twice: tell it by its `Fleet-Delivery`.
    """
    parts = [part.strip().partition("=") for part in signature.split(",")]
    moments = [value for name, _, value in parts if name == "t"]
    given = [value for name, _, value in parts if name == "v1"]
    if len(moments) != 1 or not (moments[0].isascii() and moments[0].isdigit()) or len(moments[0]) > 15:
        return False
    if abs((time.time() if now is None else now) - int(moments[0])) > tolerance:
        return False
    signed = moments[0].encode() + b"." + body
    known = [secrets] if isinstance(secrets, str) else secrets
    right = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in known]
    return any(hmac.compare_digest(one.encode(), other.encode()) for one in given for other in right)
