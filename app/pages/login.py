"""/login, /logout"""

from flask import Blueprint, Response, g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.authentication import LOGIN_COOKIE, login_of_request, own_path
from app.errors import headers_of, status_of
from app.services.logins import LOGIN_SECONDS
from app.wiring import services
from fleet.errors import FleetError, RateLimited, Unauthorized

pages = Blueprint("login", __name__)


@pages.get("/login")
def show_login() -> AnyResponse:
    wanted = own_path(request.args.get("next"))
    if not services().api_keys.are_required or login_of_request() is not None:
        return redirect(wanted, code=303)
    return _form(wanted)


@pages.post("/login")
def log_in() -> AnyResponse:
    wanted = own_path(request.form.get("next"))
    try:
        key = services().api_keys.check(request.form.get("key", "").strip(), client=request.remote_addr or "")
    except (Unauthorized, RateLimited) as error:
        return _form(wanted, error)
    response = redirect(wanted, code=303)
    response.set_cookie(
        LOGIN_COOKIE,
        services().logins.create(key),
        max_age=LOGIN_SECONDS,
        secure=request.is_secure,
        httponly=True,
        samesite="Strict",
    )
    return response


@pages.post("/logout")
def log_out() -> AnyResponse:
    response = redirect(url_for("dashboard.login.show_login"), code=303)
    response.delete_cookie(LOGIN_COOKIE, secure=request.is_secure, httponly=True, samesite="Strict")
    return response


def _form(wanted: str, error: FleetError | None = None) -> Response:
    response = make_response(render_template("login.html", next=wanted, error=error))
    if error is not None:
        # So that tries are counted, wherever they are made.
        g.error_code = error.code
        response.status_code = status_of(error)
        response.headers.update(headers_of(error))
    response.headers["Cache-Control"] = "no-store"
    return response
