"""All pages under one roof: their headers, their error page, and what templates may use."""

from typing import Any

from flask import Blueprint, Flask, Response, g, make_response, render_template, request
from werkzeug.exceptions import NotFound

from app.errors import answer, defect, of_http, status_of
from app.pages import batches, captures, gallery, jobs, login, overview, sessions, view_links, workers
from app.pages.words import FILTERS
from app.wiring import services
from fleet.errors import FleetError

# Scripts and styles are files of ours; `data:` is how the style sheet brings its icons.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

_TYPES = ("application/json", "text/html")

dashboard = Blueprint(
    "dashboard", __name__, template_folder="templates", static_folder="static", static_url_path="/static"
)
for _module in (login, overview, sessions, view_links, captures, batches, gallery, jobs, workers):
    dashboard.register_blueprint(_module.pages)


def register_dashboard(app: Flask, *, flower_url: str | None) -> None:
    """`flower_url`: where people reach Flower, if they do."""
    app.jinja_env.globals["flower_url"] = flower_url
    app.jinja_env.filters.update(FILTERS)
    app.context_processor(_who)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.register_blueprint(dashboard)
    app.register_error_handler(NotFound, _on_unknown_path)


def _who() -> dict[str, Any]:
    """For templates. `who`: the caller; `has_keys`: whether one has to log in."""
    return {"who": g.get("caller"), "has_keys": services().api_keys.are_required}


@dashboard.after_request
def _guard(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    # Addresses of view links are secrets.
    response.headers["Referrer-Policy"] = "no-referrer"
    if response.mimetype == "text/html":
        response.headers.setdefault("Cache-Control", "private, no-cache")
        # A page that looks as it did is not sent again.
        response.add_etag()
        response.make_conditional(request)
    return response


@dashboard.errorhandler(FleetError)
def _on_failure(error: FleetError) -> Response:
    page = render_template("error.html", error=error, request_id=g.get("request_id"))
    response = make_response(page, status_of(error))
    response.headers["Cache-Control"] = "no-store"
    return response


@dashboard.errorhandler(Exception)
def _on_defect(error: Exception) -> Response:
    return _on_failure(defect(error))


def _on_unknown_path(error: NotFound) -> Response:
    """A person gets a page, a program the error of the API."""
    found = of_http(error)
    if request.path.startswith("/api/") or request.accept_mimetypes.best_match(_TYPES, _TYPES[0]) == _TYPES[0]:
        return answer(found)
    return _guard(_on_failure(found))
