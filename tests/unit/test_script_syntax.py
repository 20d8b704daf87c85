import threading

import pytest

from app.services.script_syntax import check_syntax
from fleet.errors import ScriptSyntaxError

_MODERN = [
    "a?.b?.[0]?.(1) ?? c",
    "class A { #x = 1; static #y; static { } get x() { return #x in this } }",
    "a ||= 1; b &&= 2; c ??= 3; 1_000n ** 2n",
    "async function* f() { for await (const x of y) yield x }",
    "import('./other.js').then((m) => m)",
    "/(?<year>\\d{4})/u.test(`${1}`) || /[\\p{L}--[a-z]]/v",
    "'日本 😀 \u2028'",
]
_SLOPPY = [
    "with (a) { }",
    "var let = 1, yield = 2, await = 3",
    "010 + '\\08'",
    "1\n<!-- a comment\n--> too",
    "if (1) function f() { }",
]
_LAST_WORDS = ["a // a comment", "a /* a comment */", "a\n//# sourceURL=own.js"]
_NO_CLASSIC_SCRIPT = [
    "await fetch('/')",
    "import a from 'b'",
    "export const a = 1",
    "import.meta.url",
    "return 1",
    "new.target",
    "break",
]
_EARLY = [
    "let a; let a",
    "function f() { let a; let a }",
    "1 = 2",
    "class A { m() { this.#x } }",
    "/(/",
    "'use strict'; with (a) { }",
    "// first a comment\n'use strict'; 010",
]
_BREAKING_OUT = ["} {", "}); attack(); (() => {", "*/", "}", "`", "/*", "\0", "'\0'"]
_NESTED = [
    "[" * 10_000,
    "(" * 10_000,
    "{" * 10_000,
    "a=>" * 5_000,
    "`${" * 5_000,
    "!" * 20_000,
    "/" + "(" * 10_000 + "/",
]


def refusal(source: str) -> ScriptSyntaxError:
    with pytest.raises(ScriptSyntaxError) as raised:
        check_syntax(source, "source")
    return raised.value


def place(source: str) -> tuple[int | None, int | None]:
    """Line and column."""
    details = refusal(source).details
    return details["line"], details["column"]


@pytest.mark.parametrize("source", [*_MODERN, *_SLOPPY, *_LAST_WORDS])
def test_what_chrome_takes_passes(source: str) -> None:
    check_syntax(source, "source")


@pytest.mark.parametrize("source", [*_NO_CLASSIC_SCRIPT, *_EARLY, *_BREAKING_OUT])
def test_what_is_no_classic_script_is_refused(source: str) -> None:
    assert refusal(source).code == "script_syntax_error"


@pytest.mark.parametrize("source", _NESTED, ids=lambda source: source[:4])
def test_what_is_nested_too_deeply_is_refused_also_in_a_thread(source: str) -> None:
    refused: list[ScriptSyntaxError] = []
    thread = threading.Thread(target=lambda: refused.append(refusal(source)))
    thread.start()
    thread.join()

    assert len(refused) == 1


@pytest.mark.parametrize("source", ["for (;;) { }", "throw new Error('it ran')", "(() => { for (;;) { } })()"])
def test_a_script_that_is_checked_is_not_run(source: str) -> None:
    check_syntax(source, "source")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("let a = ;", (1, 9)),
        ("let a = 1;\nlet b = 2;\n  let c = ;", (3, 11)),
        ("let a = 1;\r\nlet b = ;", (2, 9)),
        ("let a = '日本', b = ;", (1, 19)),
        ("/* 😀 */ let a = ;", (1, 17)),
    ],
)
def test_a_refusal_says_at_which_character_of_which_line(source: str, expected: tuple[int, int]) -> None:
    assert place(source) == expected


@pytest.mark.parametrize("source", ["function f() {", "[1,\n2", "'use strict';\nwith (a) { }"])
def test_a_position_lies_within_the_source_or_just_behind_it(source: str) -> None:
    line, column = place(source)
    lines = source.split("\n")

    assert line is not None
    assert column is not None
    assert 1 <= line <= len(lines)
    assert 1 <= column <= len(lines[line - 1]) + 1


def test_a_position_that_is_not_known_is_null() -> None:
    assert place("/(/") == (None, None)


def test_a_refusal_names_the_field_and_the_place_in_its_message() -> None:
    assert refusal("let a = ;").message.startswith(
        "source: the script is not valid JavaScript in line 1, column 9: unexpected token"
    )
