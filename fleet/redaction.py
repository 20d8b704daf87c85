"""Takes secrets out of what is about to be logged, whoever says it: by the names of fields, headers and parameters.

Too much goes rather than too little: a log is read by more people than an answer.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import pairwise
from re import Match
from typing import Any, Final

MASK: Final = "[redacted]"

# Deeper, longer or more than this is not worth a line of a log.
_DEPTH_MAX = 6
_ITEMS_MAX = 100
_TEXT_MAX = 16_384

# Whole words of a name, which `-`, `_` or a capital letter divides: `X-Api-Key`, `access_token`, `httpCredentials`.
_SECRET_WORDS = frozenset(
    {
        *("auth", "authorization", "bearer", "cookie", "cookies", "credential", "credentials", "jwt", "passphrase"),
        *("passwd", "password", "pwd", "secret", "secrets", "sig", "signature", "token", "tokens"),
    }
)
_SECRET_PAIRS = frozenset(
    {("api", "key"), ("api", "keys"), ("access", "key"), ("private", "key"), ("secret", "key"), ("storage", "state")}
)
# As parameters of a URL they are secrets; as fields they are words like any other.
_SECRET_PARAMETERS = frozenset({"apikey", "code", "key", "sid", "view"})

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_USERINFO = re.compile(r"(?<=://)[^\s/?#\"'<>]{1,2048}@")
_PARAMETER = re.compile(r"(?<=[?&;#])([\w.\-%\[\]]{1,64})=([^&#;\s\"'<>]+)")
_SCHEME = re.compile(r"\b(bearer|basic|digest|negotiate)\s+(?!realm)[!-~]{8,}", re.IGNORECASE)
_VIEW_PATH = re.compile(r"(?<=/view/)[^\s/?#\"'<>]+")
# Of a header or of a structure that was written out; what follows may be a list or an object, so all of the line goes.
_WRITTEN_WHOLE = re.compile(
    r"(?i)([\"']?\b(?:set-cookie|cookies?|storage_?state|(?:proxy-)?authorization|(?:fleet_)?(?:api_?keys|webhook_?secrets))[\"']?\s*[:=]\s*)[^\n]+"
)
# `name: value` and `name=value`, each with or without quotes.
_WRITTEN_NAME = re.compile(r"\b([A-Za-z][\w-]{1,63})[\"']?\s{0,3}[:=]\s{0,3}")
_WRITTEN_VALUE = re.compile(r"\"[^\"\n]*\"?|'[^'\n]*'?|[^\s,;&\"'}\])]+")


class NoSecret(str):
    """Text that may be shown, whatever its field is called: the name of a key, not the key."""

    __slots__ = ()


def redact(value: Any, *, depth: int = 0) -> Any:
    """A copy of plain JSON values without secrets; what is not one is written out first."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return redact_text(value)
    if depth >= _DEPTH_MAX:
        return "…"
    if isinstance(value, Mapping):
        return _redact_mapping(value, depth)
    if isinstance(value, Sequence | AbstractSet) and not isinstance(value, bytes | bytearray):
        return [redact(one, depth=depth + 1) for one in list(value)[:_ITEMS_MAX]]
    return redact_text(_written(value))


def _redact_mapping(mapping: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    entries = list(mapping.items())[:_ITEMS_MAX]
    # A header or a cookie as Playwright and HAR have it.
    named = mapping.get("name")
    is_secret_entry = isinstance(named, str) and is_secret_name(named)
    return {
        str(name): MASK
        if one
        and not isinstance(one, NoSecret)
        and (is_secret_name(str(name)) or (is_secret_entry and name == "value"))
        else redact(one, depth=depth + 1)
        for name, one in entries
    }


def _written(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001  # any object may come here, and a log line must not fail
        return type(value).__name__


def is_secret_name(name: str) -> bool:
    words = [word.lower() for word in _WORDS.findall(name)]
    return not _SECRET_WORDS.isdisjoint(words) or not _SECRET_PAIRS.isdisjoint(pairwise(words))


def redact_text(text: str) -> str:
    text = text if len(text) <= _TEXT_MAX else f"{text[:_TEXT_MAX]}…"
    for pattern, replacement in _REPLACEMENTS:
        text = pattern.sub(replacement, text)
    return _redact_written(text)


def _parameter(found: Match[str]) -> str:
    name = found[1]
    secret = is_secret_name(name) or name.lower() in _SECRET_PARAMETERS
    return f"{name}={MASK}" if secret else found[0]


def _redact_written(text: str) -> str:
    parts, end = [], 0
    for name in _WRITTEN_NAME.finditer(text):
        value = _WRITTEN_VALUE.match(text, name.end()) if is_secret_name(name[1]) else None
        if value is not None and value.start() >= end:
            parts += [text[end : value.start()], MASK]
            end = value.end()
    return "".join([*parts, text[end:]])


_REPLACEMENTS: tuple[tuple[re.Pattern[str], str | Callable[[Match[str]], str]], ...] = (
    (_WRITTEN_WHOLE, rf"\1{MASK}"),
    (_USERINFO, f"{MASK}@"),
    (_PARAMETER, _parameter),
    (_VIEW_PATH, MASK),
    (_SCHEME, rf"\1 {MASK}"),
)
