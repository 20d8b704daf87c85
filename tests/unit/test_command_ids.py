"""What a command of the browser host logs names the job and the session that it works for."""

import asyncio
from typing import Any

import structlog

from workers.browser_host.commands import with_ids


async def seen(_params: dict[str, Any]) -> dict[str, Any]:
    return structlog.contextvars.get_contextvars()


def test_lines_of_a_command_have_its_ids_while_it_runs() -> None:
    async def run() -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        command = with_ids(seen)
        both, alone = await asyncio.gather(
            command({"job_id": "job_1", "session_id": "ses_1"}), command({"job_id": "job_2"})
        )
        return both, alone, structlog.contextvars.get_contextvars()

    assert asyncio.run(run()) == ({"job": "job_1", "session": "ses_1"}, {"job": "job_2"}, {})
