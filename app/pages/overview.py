"""/"""

from flask import Blueprint, render_template

from app.wiring import services

pages = Blueprint("overview", __name__)

_SESSIONS_SHOWN = 5
_PICTURES_SHOWN = 8


@pages.get("/")
def show_overview() -> str:
    return render_template(
        "overview.html",
        status=services().status.read(),
        sessions=services().sessions.newest(limit=_SESSIONS_SHOWN, cursor=None).entries,
        pictures=services().gallery.newest(limit=_PICTURES_SHOWN, cursor=None).entries[:_PICTURES_SHOWN],
    )
