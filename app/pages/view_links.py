"""/view/{token}"""

from urllib.parse import quote

from flask import Blueprint, Response, make_response, render_template

from app.wiring import services

pages = Blueprint("view_links", __name__)


@pages.get("/view/<token>")
def show_view(token: str) -> Response:
    session_id = services().view_links.session_of(token)
    services().sessions.get(session_id)
    page = make_response(render_template("view.html", stream=f"/api/sessions/{session_id}/stream?view={quote(token)}"))
    page.headers["Cache-Control"] = "no-store"
    return page
