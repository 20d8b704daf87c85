"""Ids: unguessable (160 bits), with a prefix that tells a reader what they name."""

import base64
import re
import secrets
from typing import Literal

Prefix = Literal["ses", "job", "art", "req", "rsp", "scr", "vwr", "wak", "bat", "whk"]

_RANDOM_BYTES = 20
_SHAPE = re.compile(r"[a-z]{3}_[a-z2-7]{32}")


def new_id(prefix: Prefix) -> str:
    return f"{prefix}_{base64.b32encode(secrets.token_bytes(_RANDOM_BYTES)).decode().lower()}"


def is_id(text: str, prefix: Prefix) -> bool:
    """Whether `text` could be such an id, so that nothing else ever reaches a Redis key."""
    return _SHAPE.fullmatch(text) is not None and text.startswith(f"{prefix}_")
