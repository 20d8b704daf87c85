"""/view/{token}"""

from urllib.parse import quote

from flask import Blueprint, Response, make_response, render_template

pages = Blueprint("view_links", __name__)


@pages.get("/view/<token>")
def show_view(token: str) -> Response:
    return make_response(render_template("view.html", stream=f"/api/view?view={quote(token)}"))
