"""Answers that several routes give: jobs, pages of a list, the first answer to a repeated request."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar

from flask import g, request

from app.authentication import caller
from app.services.accepted import Accepted
from app.wiring import services
from fleet.errors import JobNotFound
from fleet.models.job import Job
from fleet.models.session import Session
from fleet.store.index import Page

T = TypeVar("T")
Answer = tuple[dict[str, Any], HTTPStatus]


def job_json(job: Job) -> dict[str, Any]:
    return job.model_dump(mode="json", exclude={"request_id"})


def session_json(session: Session) -> dict[str, Any]:
    return session.model_dump(mode="json")


def accepted_once(accept: Callable[[str], Accepted]) -> Accepted:
    """What `accept` gives for this request's id, or the first answer to the same Idempotency-Key."""
    wanted = request.headers.get("Accept", "")  # it may choose the output
    same = f"{request.method}\n{request.path}\n{wanted}\n".encode() + request.get_data(cache=True)
    key = request.headers.get("Idempotency-Key")
    return services().idempotency.once(
        key, same, lambda: accept(g.request_id), Accepted.from_json, caller=caller().name
    )


def after_waiting(accepted: Accepted, seconds: float) -> Job:
    """The accepted job, as it stands after at most `seconds`."""
    if not seconds:
        return accepted.job
    try:
        return services().jobs.wait(accepted.job.id, seconds)
    except JobNotFound:
        # A repeated request, whose job's record has expired since the first answer.
        return accepted.job


def job_answer(job: Job) -> Answer:
    """200 with a finished job, 202 with one that is not."""
    return {"job": job_json(job)}, HTTPStatus.OK if job.is_finished else HTTPStatus.ACCEPTED


def page_json(name: str, page: Page[T], render: Callable[[T], dict[str, Any]]) -> dict[str, Any]:
    cursor = str(page.next_cursor) if page.next_cursor else None
    return {name: [render(entry) for entry in page.entries], "next_cursor": cursor}
