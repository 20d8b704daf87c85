"""JavaScript that runs before each page's own, for the life of a session."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from fleet.models.base import Input, Record

# How much of it there may be is a setting, FLEET_SCRIPT_BYTES.
ScriptSource = Annotated[str, Field(min_length=1)]


class ScriptRequest(Input):
    """Body of a script's addition."""

    source: ScriptSource


class Script(Record):
    """`bytes`: of the source in UTF-8."""

    id: str
    source: str
    bytes: int
    created_at: datetime
