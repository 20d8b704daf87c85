"""The keys of callers, as `FLEET_API_KEYS` names them."""

import re
from dataclasses import dataclass, field

# Each request is compared with all of them.
_KEYS_MAX = 1000
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
# Visible ASCII but for what divides keys and their parts.
_KEY = re.compile(r"[!-+\--9;-~]{16,256}")
_ADMIN = "admin"


@dataclass(frozen=True)
class ApiKey:
    """`is_admin`: whoever has it may also do what only an operator may."""

    name: str
    key: str = field(repr=False)
    is_admin: bool = False


def parse_api_keys(text: str) -> tuple[ApiKey, ...]:
    """Reads `name:key` and `name:key:admin`, separated by commas.

    Raises ValueError that says which entry is wrong by its place: any part of a bad entry may be a secret.
    """
    keys = tuple(_parse(entry, place) for place, part in enumerate(text.split(","), start=1) if (entry := part.strip()))
    if len(keys) > _KEYS_MAX:
        message = f"must not name more than {_KEYS_MAX} keys"
        raise ValueError(message)
    if len({key.name for key in keys}) < len(keys):
        message = "two entries have the same name; give each key a name of its own"
        raise ValueError(message)
    if len({key.key for key in keys}) < len(keys):
        message = "two entries have the same key; give each name a key of its own"
        raise ValueError(message)
    return keys


def _parse(entry: str, place: int) -> ApiKey:
    name, *rest = entry.split(":")
    if not 1 <= len(rest) <= 2 or rest[1:] not in ([], [_ADMIN]):
        problem = "must be name:key or name:key:admin"
    elif not _NAME.fullmatch(name):
        problem = "its name must have 1 to 64 characters of A-Z a-z 0-9 . _ -"
    elif not _KEY.fullmatch(rest[0]):
        problem = "its key must have 16 to 256 visible ASCII characters, without comma and colon"
    else:
        return ApiKey(name, rest[0], is_admin=rest[1:] == [_ADMIN])
    message = f"entry {place}: {problem}"
    raise ValueError(message)
