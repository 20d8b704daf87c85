"""Bodies: a JSON object, or nothing at all. Anything else has its own error."""

import json
from typing import Any

from flask import Request

from fleet.errors import InvalidJson, UnsupportedMediaType


class JsonRequest(Request):
    def get_json(self, *_: Any, **__: Any) -> dict[str, Any]:
        """Raises InvalidJson, UnsupportedMediaType or werkzeug's RequestEntityTooLarge."""
        body = self.get_data(cache=True)
        if not body.strip():
            return {}
        if not self.is_json:
            raise UnsupportedMediaType("Send the body as JSON, with Content-Type: application/json.")
        try:
            parsed = json.loads(body, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            plain = isinstance(error, (UnicodeDecodeError, RecursionError))
            reason = "not UTF-8 text, or nested too deeply" if plain else str(error)
            raise InvalidJson(f"The body is not valid JSON: {reason}.") from error
        if b"\\ud" in body.lower():
            _refuse_lone_surrogates(parsed)
        if not isinstance(parsed, dict):
            raise InvalidJson("The body must be a JSON object.")
        return parsed


def _refuse_constant(name: str) -> None:
    """Python reads NaN and Infinity; JSON has neither."""
    message = f"{name} is not a JSON number"
    raise ValueError(message)


def _refuse_lone_surrogates(parsed: Any) -> None:
    """JSON can escape half a character; no text that is kept, logged or answered can hold one."""
    try:
        json.dumps(parsed, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise InvalidJson("The body has a lone surrogate (half of an escaped character).") from error
