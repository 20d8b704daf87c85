"""Scripts as clients send them become records, or are refused before anything is kept."""

from dataclasses import dataclass

from app.services.script_syntax import check_syntax
from fleet.clock import utc_now
from fleet.errors import ScriptLimitReached, ScriptTooLarge
from fleet.ids import new_id
from fleet.models.script import Script


@dataclass(frozen=True)
class ScriptLimits:
    """`count`: of one session; `bytes`: of one script in UTF-8."""

    count: int
    bytes: int


def new_script(source: str, limits: ScriptLimits, field: str = "source") -> Script:
    """Raises ScriptTooLarge or ScriptSyntaxError; `field` is where the client wrote it."""
    size = len(source.encode())
    if size > limits.bytes:
        message = f"{field}: the script has {size} bytes; at most {limits.bytes} are allowed."
        raise ScriptTooLarge(message, field=field, bytes=size, limit=limits.bytes)
    check_syntax(source, field)
    return Script(id=new_id("scr"), source=source, bytes=size, created_at=utc_now())


def new_scripts(sources: list[str], limits: ScriptLimits) -> list[Script]:
    """Those of a new session. Raises ScriptLimitReached too."""
    if len(sources) > limits.count:
        message = f"scripts: {len(sources)} are given; a session may have {limits.count}."
        raise ScriptLimitReached(message, field="scripts", limit=limits.count)
    return [new_script(source, limits, f"scripts[{number}]") for number, source in enumerate(sources)]
