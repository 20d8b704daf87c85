"""/sessions, /sessions/{id}"""

from flask import Blueprint, render_template, request

from app.cursors import parse_cursor
from app.wiring import services
from fleet.models.devices import DEVICES

pages = Blueprint("sessions", __name__)

_ON_A_PAGE = 25


@pages.get("/sessions")
def list_sessions() -> str:
    cursor = request.args.get("cursor")
    page = services().sessions.newest(limit=_ON_A_PAGE, cursor=parse_cursor(cursor))
    return render_template("sessions.html", page=page, is_first=cursor is None, devices=DEVICES)


@pages.get("/sessions/<session_id>")
def show_session(session_id: str) -> str:
    return render_template("session.html", session=services().sessions.get(session_id))
