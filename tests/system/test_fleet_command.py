"""What people do with `fleet` in a shell."""

from pathlib import Path

import pytest

from tests.polling import eventually
from tests.system.command import FleetCommand

_NOBODY = "http://127.0.0.1:9"


def test_what_is_installed_is_the_client_alone(installed: Path) -> None:
    assert {path.name.split("-")[0] for path in installed.iterdir()} == {"bin", "fleet_client", "capture_fleet"}
    assert (installed / "fleet_client" / "py.typed").exists()


def test_a_shot_is_a_png(command: FleetCommand, site: str) -> None:
    ended = command.run("shot", site, "-o", "page.png")

    assert (ended.code, ended.err) == (0, "")
    assert (command.folder / "page.png").read_bytes().startswith(b"\x89PNG")
    assert "1280x720" in ended.lines[0]


def test_a_files_name_says_its_type(command: FleetCommand, site: str) -> None:
    command.run("shot", site, "-o", "page.jpg", "--quality", "60", "--width", "400", "--height", "300")

    assert (command.folder / "page.jpg").read_bytes().startswith(b"\xff\xd8")


def test_a_pdf_goes_to_standard_output_and_nothing_else_does(command: FleetCommand, site: str) -> None:
    ended = command.run("pdf", f"{site}/table", "--format", "A4", "-o", "-")

    assert ended.out.startswith(b"%PDF-")
    assert ended.out.rstrip().endswith(b"%%EOF")


def test_urls_from_standard_input_give_a_file_and_a_line_each(command: FleetCommand, site: str) -> None:
    ended = command.run("shot", "-", "-o", "out", "--json", stdin=f"{site}/\n# a remark\n\n{site}/table\n")

    assert ended.code == 0
    assert {record["url"] for record in ended.records} == {f"{site}/", f"{site}/table"}
    for record in ended.records:
        assert record["job"]["state"] == "succeeded"
        assert (command.folder / record["file"]).exists()


def test_a_page_that_fails_is_told_with_its_ids_and_the_others_are_captured(command: FleetCommand, site: str) -> None:
    ended = command.run("shot", "http://nowhere.invalid/", site, "-o", "out", "--json")

    assert ended.code == 1
    assert "name_not_resolved" in ended.err
    assert "job_" in ended.err
    assert "request req_" in ended.err
    failed, succeeded = sorted(ended.records, key=lambda record: record["error"] is None)
    assert failed["error"]["code"] == "name_not_resolved"
    assert (command.folder / succeeded["file"]).exists()


def test_a_file_that_cannot_be_written_is_told(command: FleetCommand, site: str) -> None:
    ended = command.run("shot", site, "-o", "/proc/page.png", "--json")

    assert ended.code == 1
    assert "/proc" in ended.err
    assert [record["file"] for record in ended.records] == [None]


def test_who_reads_no_further_is_no_reason_for_a_traceback(command: FleetCommand, site: str) -> None:
    pages = " ".join(f"{site}/?page={number}" for number in range(6))
    ended = command.run_in_shell(f"fleet shot {pages} -o out --json --concurrency 1 | head -n 1")

    assert len(ended.records) == 1
    assert "Traceback" not in ended.err


def test_a_fleet_that_is_down_is_told_in_a_sentence(command: FleetCommand) -> None:
    ended = command.run("shot", "https://example.org/", FLEET_URL=_NOBODY)

    assert ended.code == 1
    assert f"Nothing answers at {_NOBODY}" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("shot",),
        ("shot", "https://example.org/", "-o", "page.pdf"),
        ("shot", "https://example.org/", "--width", "0"),
        ("shot", "https://example.org/", "--server", "ftp://example.org"),
        ("shot", "https://example.org/", "-o", "-", "--json"),
        ("batch", "urls.txt"),
        ("batch", "--resume", "nowhere"),
        ("batch", "--resume", "nowhere", "--retry-failed", "nowhere"),
        ("archive", "bat_a", "-o", "all.tar"),
        ("session", "script", "add", "ses_a", "nowhere.js"),
        ("sho",),
    ],
)
def test_a_command_line_with_a_mistake_ends_with_2(command: FleetCommand, arguments: tuple[str, ...]) -> None:
    ended = command.run(*arguments)

    assert (ended.code, ended.out) == (2, b"")
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("name", ["shot", "pdf", "batch", "archive", "doctor", "session", "worker", "webhook"])
def test_every_command_explains_itself(command: FleetCommand, name: str) -> None:
    ended = command.run(name, "--help")

    assert ended.code == 0
    assert f"fleet {name}" in ended.out.decode()


def test_a_session_from_its_opening_to_its_end(command: FleetCommand, site: str) -> None:
    (session,) = command.run("session", "open", f"{site}/article", "--dark", "--metadata", "who=me").lines

    listed = command.run("session", "list", "--json").records
    assert [one["metadata"] for one in listed if one["id"] == session] == [{"who": "me"}]
    assert session in command.run("session", "list").out.decode()

    assert command.run("session", "capture", session, "-o", "page.html").code == 0
    assert "refractor" in (command.folder / "page.html").read_text()
    assert command.run("session", "capture", session, f"{site}/table", "-o", "page.pdf").code == 0
    assert (command.folder / "page.pdf").read_bytes().startswith(b"%PDF-")

    assert command.run("session", "close", session).code == 0
    ended = command.run("session", "capture", session, "-o", "late.png")
    assert ended.code == 1
    assert "session_ended" in ended.err


def test_what_a_session_received_is_listed_and_its_body_read(command: FleetCommand, site: str) -> None:
    (session,) = command.run("session", "open", f"{site}/article", "--record-responses").lines
    listing = ("session", "responses", session, "--type", "document", "--url", f"{site}/*")
    (page,) = eventually(lambda: command.run(*listing, "--json").records, 60)

    assert page["request"]["url"] == f"{site}/article"
    assert page["id"] in command.run(*listing).out.decode()
    assert b"refractor" in command.run("session", "body", session, page["id"]).out
    assert command.run("session", "body", session, page["id"], "-o", "page.html").out == b""
    assert "refractor" in (command.folder / "page.html").read_text()
    assert command.run("session", "body", session, page["id"], "-o", "/proc/page.html").code == 1


def test_the_scripts_of_a_session_are_added_listed_and_removed(command: FleetCommand, site: str) -> None:
    for name in ("first", "second"):
        (command.folder / f"{name}.js").write_text(f"window.{name} = 1\n")
    (session,) = command.run("session", "open", "--script", "first.js").lines
    (added,) = command.run("session", "script", "add", session, "second.js").lines

    scripts = command.run("session", "script", "list", session, "--json").records
    assert [script["source"] for script in scripts] == ["window.first = 1\n", "window.second = 1\n"]
    assert "window.second" in command.run("session", "script", "list", session).lines[-1]
    assert command.run("session", "script", "remove", session, added).code == 0
    assert len(command.run("session", "script", "list", session, "--json").records) == 1


def test_the_workers_are_listed(command: FleetCommand) -> None:
    (worker,) = command.run("worker", "list", "--json").records

    assert any(line.startswith(worker["name"]) for line in command.run("worker", "list").lines)


def test_a_worker_that_is_not_there_cannot_be_drained(command: FleetCommand) -> None:
    ended = command.run("worker", "drain", "nobody@nowhere")

    assert ended.code == 1
    assert "worker_not_found" in ended.err


def test_webhooks_that_are_not_there_are_told(command: FleetCommand) -> None:
    ended = command.run("webhook", "list", f"job_{'a' * 32}")

    assert (ended.code, ended.out) == (0, b"")
    assert "no webhook" in ended.err
    assert "webhook_not_found" in command.run("webhook", "show", f"whk_{'a' * 32}").err


def test_the_doctor_finds_a_fleet_that_works(command: FleetCommand) -> None:
    # A worker that has just started may still be warned of.
    found = eventually(lambda: _verdicts(command), 60)

    assert {"api", "redis", "workers", "chrome", "clock", "canary"} <= {
        name for name, verdict in found if verdict == "ok"
    }
    assert ("this machine", "unknown") in found


def _verdicts(command: FleetCommand) -> set[tuple[str, str]]:
    """Empty: something failed."""
    ended = command.run("doctor", "--json")
    return {(record["check"], record["verdict"]) for record in ended.records} if ended.code == 0 else set()


def test_the_doctor_says_what_to_do_about_a_fleet_that_is_down(command: FleetCommand) -> None:
    ended = command.run("doctor", FLEET_URL=_NOBODY)

    assert ended.code == 1
    assert "make up" in ended.out.decode()


def test_the_doctor_looks_at_a_machine_of_the_fleets_too(command: FleetCommand) -> None:
    found = {record["check"]: record for record in command.run_in_checkout("doctor", "--json").records}

    assert found["settings"]["verdict"] == found["chrome here"]["verdict"] == "ok"
    assert {"redis here", "sandbox", "fonts here", "shared memory", "temporary folder", "canary"} <= found.keys()
    assert all(record["remedy"] for record in found.values() if record["verdict"] in ("warning", "failed"))


@pytest.mark.parametrize(
    ("check", "environment"),
    [
        ("settings", {"FLEET_REDIS_URL": "nonsense"}),
        ("chrome here", {"FLEET_CHROME_PATH": "/nowhere"}),
        ("chrome here", {"FLEET_CHROME_PATH": "/bin/false"}),
    ],
)
def test_the_doctor_fails_what_is_broken(command: FleetCommand, check: str, environment: dict[str, str]) -> None:
    ended = command.run_in_checkout("doctor", "--json", **environment)

    assert ended.code == 1
    assert check in {record["check"] for record in ended.records if record["verdict"] == "failed"}


def test_a_shell_completes_commands(command: FleetCommand) -> None:
    ended = command.run(_FLEET_COMPLETE="complete_bash", COMP_WORDS="fleet se", COMP_CWORD="1")

    assert "session" in ended.lines
