"""Bodies: a JSON object, or nothing at all. Anything else has its own error."""

import json
import re
from itertools import accumulate
from typing import Any

from flask import Request

from fleet.errors import InvalidJson, UnsupportedMediaType

# Deeper than any option goes, storage states of big sites included.
_DEPTH_MAX = 64
_OTHER_BYTES = bytes(set(range(256)) - set(b"{}[]"))
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"')


class JsonRequest(Request):
    def get_json(self, *_: Any, **__: Any) -> dict[str, Any]:
        """Raises InvalidJson, UnsupportedMediaType or werkzeug's RequestEntityTooLarge."""
        body = self.get_data(cache=True)
        if not body.strip():
            return {}
        if not self.is_json:
            raise UnsupportedMediaType("Send the body as JSON, with Content-Type: application/json.")
        return parse_object(body)


def parse_object(text: bytes, *, name: str = "The body") -> dict[str, Any]:
    """A JSON object. Raises InvalidJson; `name`: what `text` is to the client."""
    try:
        parsed = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidJson(f"{name} is not valid JSON: {_reason(error)}.") from error
    if not isinstance(parsed, dict):
        raise InvalidJson(f"{name} must be a JSON object.")
    if _depth(text) > _DEPTH_MAX:
        raise InvalidJson(f"{name} is nested more than {_DEPTH_MAX} levels deep.")
    if b"\\ud" in text.lower():
        _refuse_lone_surrogates(parsed, name)
    return parsed


def _reason(error: Exception) -> str:
    """Without Python's own advice to Python programmers."""
    match error:
        case json.JSONDecodeError() | UnwantedNumber():
            return str(error)
        case UnicodeDecodeError():
            return "it is not UTF-8 text"
        case RecursionError():
            return "it is nested too deeply"
        case _:
            return "a number has too many digits"


def _depth(body: bytes) -> int:
    """Of objects and lists in a body that is valid JSON."""
    brackets = _STRINGS.sub(b"", body).translate(None, delete=_OTHER_BYTES)
    return max(accumulate(1 if bracket in b"{[" else -1 for bracket in brackets), default=0)


class UnwantedNumber(ValueError):
    """NaN or an infinity."""


def _refuse_constant(name: str) -> None:
    """Python reads NaN and Infinity; JSON has neither."""
    raise UnwantedNumber(f"{name} is not a JSON number")


def _refuse_lone_surrogates(parsed: Any, name: str) -> None:
    """JSON can escape half a character; no text that is kept, logged or answered can hold one."""
    try:
        json.dumps(parsed, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise InvalidJson(f"{name} has a lone surrogate (half of an escaped character).") from error
