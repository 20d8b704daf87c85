"""Whether a script would parse in Chrome, asked of an embedded engine that reads it and never runs it."""

import re

import quickjs

from fleet.errors import ScriptSyntaxError

# All that comes before the script throws this, so that nothing of the script itself is ever run.
_SENTINEL = "0"
_ON_ITS_OWN = "throw 0;\n{}"
# What Playwright makes of it; only here is a "use strict" at its head one.
_AS_FUNCTION = "throw 0;(() => {{\n{}\n}})"
_LINES_BEFORE = 1
_MEMORY_BYTES = 64 * 1024 * 1024
_POSITION = re.compile(r"at <input>:(\d+):(\d+)")
_LINE_END = re.compile("\r\n|[\n\r\u2028\u2029]")


def check_syntax(source: str, field: str) -> None:
    """Raises ScriptSyntaxError; `details`: field, line and column, both counted from 1, null if not known."""
    if "\0" in source:
        raise _error("it contains a NUL character", field, None)
    # On its own first: what passes there cannot end the function around it.
    for program in (_ON_ITS_OWN, _AS_FUNCTION):
        problem, position = _read(program.format(source))
        if problem != _SENTINEL:
            raise _error(problem.removeprefix("SyntaxError: "), field, _place(source, position))


def _read(program: str) -> tuple[str, tuple[int, int] | None]:
    """What the engine throws: its message, and the line and byte at which it stopped."""
    context = quickjs.Context()
    context.set_memory_limit(_MEMORY_BYTES)
    try:
        context.eval(program)
    except quickjs.JSException as error:
        message, _, stack = str(error).partition("\n")
        found = _POSITION.search(stack)
        return message, (int(found[1]), int(found[2])) if found else None
    return "it cannot be checked", None


def _place(source: str, position: tuple[int, int] | None) -> tuple[int, int] | None:
    """In characters of the source."""
    if position is None:
        return None
    lines = _LINE_END.split(source)
    line = min(position[0] - _LINES_BEFORE, len(lines))
    before = lines[line - 1].encode()[: position[1] - 1]
    return line, len(before.decode(errors="ignore")) + 1


def _error(problem: str, field: str, place: tuple[int, int] | None) -> ScriptSyntaxError:
    line, column = place or (None, None)
    where = f" in line {line}, column {column}" if place else ""
    message = f"{field}: the script is not valid JavaScript{where}: {problem}."
    return ScriptSyntaxError(message, field=field, line=line, column=column)
