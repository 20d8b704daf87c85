import ast
import re
from pathlib import Path

import pytest

from fleet import keys

_ROOT = Path(__file__).parents[2]

# The placeholder of each key in the catalogue, given to the function that spells the key.
_SPELLED = {
    "session": keys.session("id"),
    "session_options": keys.session_options("id"),
    "session_checkpoint": keys.session_checkpoint("id"),
    "session_jobs": keys.session_jobs("id"),
    "session_scripts": keys.session_scripts("id"),
    "session_lock": keys.session_lock("id"),
    "session_grave": keys.session_grave("id"),
    "session_responses": keys.session_responses("id"),
    "session_response": keys.session_response("id", "ID"),
    "session_response_body": keys.session_response_body("id", "ID"),
    "session_viewers": keys.session_viewers("id"),
    "session_frame": keys.session_frame("id"),
    "sessions": keys.SESSION_INDEX,
    "job": keys.job("id"),
    "job_request": keys.job_request("id"),
    "job_storage_state": keys.job_storage_state("id"),
    "jobs": keys.JOB_INDEX,
    "waiting": keys.waiting("QUEUE"),
    "artifact": keys.artifact("ID"),
    "artifact_sweeper": keys.ARTIFACT_SWEEPER,
    "idempotency": keys.idempotency("HASH"),
    "slots": keys.slots("NAME"),
    "waiting_high": keys.waiting_high("QUEUE"),
    "waiting_look": keys.waiting_look("QUEUE"),
    "throughput": keys.throughput("NAME", "BUCKET"),
    "rate": f"{keys.RATE_PREFIX}:CLIENT",
    "worker": keys.worker("NAME"),
    "worker_messages": keys.worker_messages("NAME"),
    "worker_estate": keys.worker_estate("NAME"),
    "worker_drain": keys.worker_drain("NAME"),
    "workers": keys.WORKER_INDEX,
    "workers_able": keys.WORKERS_ABLE,
    "workers_lost": keys.WORKERS_LOST,
    "viewers": keys.VIEWERS,
    "counts_of_sessions": keys.SESSION_COUNTS,
    "batch": keys.batch("id"),
    "batch_capture": keys.batch_capture("id"),
    "batch_items": keys.batch_items("id"),
    "batch_claimed": keys.batch_claimed("id"),
    "batch_running": keys.batch_running("id"),
    "batch_retries": keys.batch_retries("id"),
    "batch_hosts": keys.batch_hosts("id"),
    "batch_positions": keys.batch_positions("id"),
    "batch_outcomes": keys.batch_outcomes("id"),
    "batches": keys.BATCH_INDEX,
    "batches_active": keys.BATCHES_ACTIVE,
    "batches_look": keys.BATCHES_LOOK,
    "webhook": keys.webhook("id"),
    "webhooks": keys.WEBHOOK_INDEX,
    "webhooks_of": keys.webhooks_of("SUBJECT"),
    "webhook_expected": keys.webhook_expected("SUBJECT"),
    "webhooks_expected": keys.WEBHOOKS_EXPECTED,
    "webhooks_look": keys.WEBHOOKS_LOOK,
    "webhooks_due": keys.WEBHOOKS_DUE,
    "webhooks_due_of": keys.webhooks_due_of("RECEIVER"),
    "webhooks_in_hand": keys.webhooks_in_hand("RECEIVER"),
}
_CHANNELS = {
    "session_expiry",
    "session_news",
    "session_events",
    "session_frames",
    "session_asks",
    "worker_cancels",
    "wake_up",
}
_PATTERNS = [entry.pattern for entry in keys.CATALOGUE]


def test_every_function_that_spells_a_key_is_looked_at_here() -> None:
    tree = ast.parse((_ROOT / "fleet/keys.py").read_text())
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}

    assert functions - _CHANNELS <= set(_SPELLED)


@pytest.mark.parametrize("name", _SPELLED)
def test_every_key_is_in_the_catalogue(name: str) -> None:
    assert _SPELLED[name] in _PATTERNS


@pytest.mark.parametrize("pattern", _PATTERNS)
def test_everything_in_the_catalogue_is_a_key(pattern: str) -> None:
    assert pattern in _SPELLED.values()


def test_the_catalogue_names_each_key_once() -> None:
    assert len(_PATTERNS) == len(set(_PATTERNS))


@pytest.mark.parametrize("pattern", _PATTERNS)
def test_every_key_ends(pattern: str) -> None:
    (entry,) = [entry for entry in keys.CATALOGUE if entry.pattern == pattern]

    assert entry.ttl


@pytest.mark.parametrize("family", ["session", "job", "batch"])
def test_the_keys_of_one_session_job_or_batch_share_a_hash_tag(family: str) -> None:
    of_one = [key for name, key in _SPELLED.items() if re.fullmatch(rf"{family}(_.*)?", name)]

    assert len(of_one) > 1
    assert {re.findall(r"\{(.*?)\}", key)[0] for key in of_one} == {"id"}


def test_no_other_file_spells_a_key() -> None:
    spelled = [
        f"{path.relative_to(_ROOT)}:{node.lineno}"
        for folder in ("app", "fleet", "workers")
        for path in (_ROOT / folder).rglob("*.py")
        if path != _ROOT / "fleet/keys.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("fleet:")
    ]

    assert spelled == []


def test_no_script_spells_a_key() -> None:
    scripts = list((_ROOT / "fleet/store/lua").glob("*.lua"))

    assert scripts
    assert [script.name for script in scripts if "fleet:" in script.read_text()] == []
