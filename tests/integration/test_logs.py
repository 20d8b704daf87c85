"""Every line of a program has one format, whoever wrote it: seen from outside, in a process of its own."""

import json
import subprocess
import sys
from typing import Any

import pytest

_HEAD = """
import logging, sys, threading, warnings
import structlog
from fleet.errors import StoreUnavailable
from fleet.logs import configure_logs
configure_logs({level!r}, {form!r}, part="test")
log = structlog.get_logger("ours")
"""


def written(program: str, *, level: str = "INFO", form: str = "json") -> list[str]:
    code = _HEAD.format(level=level, form=form) + program
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert ran.stdout == ""
    return ran.stderr.splitlines()


def lines(program: str, **how: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written(program, **how)]


def test_a_line_says_what_when_how_bad_and_where() -> None:
    (line,) = lines('log.info("job ended", job="job_1")')
    assert (line["event"], line["level"], line["job"], line["part"]) == ("job ended", "info", "job_1", "test")
    assert line["timestamp"].endswith("Z")


def test_the_facts_of_the_process_are_in_lines_of_all_its_threads() -> None:
    (line,) = lines('t = threading.Thread(target=lambda: log.info("x")); t.start(); t.join()')
    assert line["part"] == "test"


@pytest.mark.parametrize(
    "program",
    [
        'logging.getLogger("celery.worker").warning("lost %s", "it")',
        'warnings.warn("lost it")',
        'raise ValueError("lost it")',
        't = threading.Thread(target=lambda: 1 / 0, name="lost it"); t.start(); t.join()',
        'log.error("lost it\\nin two lines")',
    ],
)
def test_what_libraries_and_defects_say_is_one_line_each(program: str) -> None:
    (line,) = lines(program)
    assert "lost it" in json.dumps(line)
    assert line["part"] == "test"


def test_a_defect_has_its_traceback_as_a_field() -> None:
    (line,) = lines('raise ValueError("password=hunter2-is-secret")')
    assert line["event"] == "ended by a defect"
    assert "Traceback" in line["exception"]
    assert "hunter2" not in json.dumps(line)


@pytest.mark.parametrize("error", ['StoreUnavailable("away")', 'ConnectionResetError("away")'])
def test_what_is_to_be_expected_has_a_cause_and_no_traceback(error: str) -> None:
    (line,) = lines(f'try:\n    raise {error}\nexcept Exception:\n    logging.getLogger("x").exception("lost")')
    assert "exception" not in line
    assert "away" in line["cause"]


def test_a_program_may_expect_more() -> None:
    program = """
configure_logs("INFO", "json", expected=(ZeroDivisionError,))
try:
    1 / 0
except ArithmeticError as error:
    logging.getLogger("x").error("wrapped", exc_info=(type(error), RuntimeError("in a wrap"), None))
"""
    (line,) = lines(program)
    assert (line["cause"], "exception" in line) == ("ZeroDivisionError: in a wrap", False)


def test_secrets_are_redacted_in_ours_and_in_lines_of_libraries() -> None:
    program = """
log.info("said", headers={"Cookie": "sid=hunter2"}, url="https://u:hunter2@a.example/?token=hunter2")
logging.getLogger("kombu").error("connecting to %s", "redis://:hunter2@10.0.0.1/0")
structlog.contextvars.bind_contextvars(api_key="hunter2")
log.info("said")
"""
    told = written(program)
    assert len(told) == 3
    assert "hunter2" not in "".join(told)


def test_the_level_holds_for_ours_and_for_libraries() -> None:
    program = 'log.info("a"); logging.getLogger("x").info("b"); log.warning("c"); logging.getLogger("x").warning("d")'
    assert [line["event"] for line in lines(program, level="WARNING")] == ["c", "d"]
    assert [line["event"] for line in lines(program)] == ["a", "b", "c", "d"]


def test_a_line_for_people_is_no_json_and_has_no_secrets_either() -> None:
    (line,) = written('log.info("job ended", job="job_1", password="hunter2")', form="console")
    assert "job ended" in line
    assert "job_1" in line
    assert "hunter2" not in line


def test_an_object_of_any_kind_can_be_logged() -> None:
    (line,) = lines('log.info("x", thing=object(), data=b"\\xff", text="\\udcff", keys={1: {2, 3}})')
    assert line["keys"] == {"1": [2, 3]}


def test_what_another_program_writes_becomes_lines() -> None:
    program = """
import io
from fleet.logs import log_lines_of
log_lines_of(io.StringIO("(node:1) Warning: x\\n\\n" + "y" * 5000), program="playwright")
"""
    told = lines(program)
    assert [line["logger"] for line in told] == ["playwright"] * 3
    assert told[0]["event"] == "(node:1) Warning: x"
