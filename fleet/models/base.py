"""The kinds of model: `Input` (what a client may send) and `Record` (what the fleet keeps and shows)."""

import difflib
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from fleet.errors import InvalidUrl
from fleet.urls import check_url


class NamedFields(BaseModel):
    """Refuses unknown fields with a suggestion; takes camelCase beside snake_case."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # Before pydantic's own checks, because its aliases cannot name a discriminator.
    @model_validator(mode="before")
    @classmethod
    def _name_fields(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        spellings = {to_camel(name): name for name in cls.model_fields}
        named: dict[str, Any] = {}
        for given, value in data.items():
            name = given if given in cls.model_fields else spellings.get(given)
            if name is None:
                raise _unknown_field(str(given), list(cls.model_fields))
            if name in named:
                raise PydanticCustomError("given_twice", "given twice, in two spellings", {"field": name})
            named[name] = value
        return named


class Input(NamedFields):
    """A body, or a part of one: types are taken at their word."""

    # Infinity and NaN cannot be kept as JSON.
    # What is sent may be a password, and a refusal may end up in a log.
    model_config = ConfigDict(strict=True, allow_inf_nan=False, hide_input_in_errors=True)


def _unknown_field(field: str, known: list[str]) -> PydanticCustomError:
    close = difflib.get_close_matches(field, known, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"known fields: {', '.join(known)}"
    return PydanticCustomError("unknown_field", "unknown field; {hint}", {"field": field, "hint": hint})


class Record(BaseModel):
    """Frozen; a change makes a new one."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def _check_url(url: str) -> str:
    try:
        return check_url(url)
    except InvalidUrl as error:
        raise PydanticCustomError("invalid_url", "{reason}", {"reason": error.message}) from error


HttpUrl = Annotated[str, AfterValidator(_check_url)]
# Sent as it is, and kept with each webhook.
WebhookUrl = Annotated[str, Field(max_length=2048, pattern=r"^[\x21-\x7e]+$"), AfterValidator(_check_url)]
