"""/api/sessions"""

from http import HTTPStatus

from flask import Response, g
from flask_openapi3 import APIBlueprint, Tag

from app.cursors import parse_cursor
from app.routes.models import (
    JobAnswer,
    PageQuery,
    SessionAnswer,
    SessionPage,
    SessionPath,
    StorageStateAnswer,
    WaitQuery,
)
from app.routes.rate_headers import take_session_allowance
from app.routes.rendering import (
    Answer,
    accepted_once,
    after_waiting,
    job_answer,
    job_json,
    page_json,
    session_json,
)
from app.wiring import services
from fleet.errors import SessionEnded, SessionNotFound
from fleet.models.capture import CaptureRequest
from fleet.models.job import JobState
from fleet.models.session import Session, SessionPatch, SessionRequest

api = APIBlueprint("sessions", __name__, abp_tags=[Tag(name="sessions", description="Isolated browser contexts.")])


@api.post(
    "/api/sessions", summary="Create a session", responses={200: SessionAnswer, 201: SessionAnswer, 202: SessionAnswer}
)
def create_session(body: SessionRequest, query: WaitQuery) -> Answer:
    accepted = accepted_once(
        lambda request_id: services().sessions.create(body, request_id, admit=take_session_allowance)
    )
    job = after_waiting(accepted, query.wait)
    if accepted.session is None or not job.is_finished:
        return accepted.to_json() | {"job": job_json(job)}, HTTPStatus.ACCEPTED
    if job.state is not JobState.SUCCEEDED:
        return {"session": session_json(accepted.session), "job": job_json(job)}, HTTPStatus.OK
    try:
        session = services().sessions.get(accepted.session.id)
    except (SessionEnded, SessionNotFound):
        # A repeated request for a session that has ended since, or one with a very short life.
        session = accepted.session
    return {"session": session_json(session), "job": job_json(job)}, HTTPStatus.CREATED


@api.get("/api/sessions", summary="List sessions, newest first", responses={200: SessionPage})
def list_sessions(query: PageQuery) -> Answer:
    page = services().sessions.newest(limit=query.limit, cursor=parse_cursor(query.cursor))
    return page_json("sessions", page, session_json), HTTPStatus.OK


@api.get("/api/sessions/<session_id>", summary="One session", responses={200: Session})
def get_session(path: SessionPath) -> Answer:
    return session_json(services().sessions.get(path.session_id)), HTTPStatus.OK


@api.patch("/api/sessions/<session_id>", summary="Change ttl or metadata", responses={200: Session})
def patch_session(path: SessionPath, body: SessionPatch) -> Answer:
    """Renews the session, also when nothing is changed."""
    return session_json(services().sessions.patch(path.session_id, body)), HTTPStatus.OK


@api.get(
    "/api/sessions/<session_id>/storage_state",
    summary="Cookies and storage of a session, to seed another one",
    responses={200: StorageStateAnswer},
)
def get_storage_state(path: SessionPath) -> Response:
    state_json = services().storage_states.get(path.session_id, g.request_id)
    return Response(state_json, mimetype="application/json", headers={"Cache-Control": "no-store"})


@api.delete("/api/sessions/<session_id>", summary="End a session", responses={200: JobAnswer, 202: JobAnswer})
def delete_session(path: SessionPath, query: WaitQuery) -> Answer:
    accepted = accepted_once(lambda request_id: services().sessions.delete(path.session_id, request_id))
    return job_answer(after_waiting(accepted, query.wait))


@api.post(
    "/api/sessions/<session_id>/captures",
    summary="Capture in a session",
    responses={200: JobAnswer, 202: JobAnswer},
)
def capture_in_session(path: SessionPath, body: CaptureRequest, query: WaitQuery) -> Answer:
    accepted = accepted_once(
        lambda request_id: services().captures.capture_in_session(path.session_id, body, request_id)
    )
    return job_answer(after_waiting(accepted, query.wait))
