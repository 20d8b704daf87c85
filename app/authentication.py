"""Who calls: told by an API key, or in the dashboard by a login. Everything asks for one but what is listed here."""

import re
from dataclasses import dataclass
from typing import cast

import structlog
from flask import Flask, Response, g, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.wiring import services
from fleet.api_keys import ApiKey
from fleet.errors import AdminKeyRequired, Unauthorized
from fleet.redaction import NoSecret

LOGIN_COOKIE = "fleet_login_token"

# Health checks, the API's description, and what people need in order to log in or to follow a view link.
OPEN_ENDPOINTS = frozenset(
    {
        *("health.healthz", "health.readyz"),
        *("documentation.openapi", "documentation.docs", "scalar.static"),
        *("dashboard.static", "dashboard.login.show_login", "dashboard.login.log_in", "dashboard.view_links.show_view"),
    }
)
# Open to whoever brings a view link, which their service checks.
_STREAMS = frozenset({"streams.stream", "streams.stream_without_upgrade"})

# A path of this host: browsers take `//host` and `/\host` for another one.
_OWN_PATH = re.compile(r"/(?![/\\])[!-~]*")


@dataclass(frozen=True)
class Caller:
    """`name`: of the key."""

    name: str
    is_admin: bool


# Of a fleet that asks for no key.
_EVERYBODY = Caller("anonymous", is_admin=True)


def register_authentication(app: Flask) -> None:
    app.before_request(_authenticate)
    app.teardown_request(lambda _error: structlog.contextvars.unbind_contextvars("api_key"))


def caller() -> Caller:
    """Whose request it is; not to be asked where everybody may call."""
    return cast("Caller", g.caller)


def require_admin() -> None:
    """Raises AdminKeyRequired."""
    if not caller().is_admin:
        message = "Only an API key that is marked as an operator's (NAME:KEY:admin in FLEET_API_KEYS) may do this."
        raise AdminKeyRequired(message)


def login_of_request() -> ApiKey | None:
    return services().logins.key_of(request.cookies.get(LOGIN_COOKIE, ""))


def own_path(wanted: str | None) -> str:
    """Where to go on after a login: never to another site."""
    return wanted if wanted and _OWN_PATH.fullmatch(wanted) else "/"


def _authenticate() -> AnyResponse | None:
    g.caller = None
    if not services().api_keys.are_required:
        g.caller = _EVERYBODY
        return None
    if _is_open():
        return None
    key = _key_of_request()
    if key is not None:
        g.caller = Caller(key.name, key.is_admin)
        structlog.contextvars.bind_contextvars(api_key=NoSecret(key.name))
        return None
    if "dashboard" in request.blueprints:
        return _lead_to_login()
    raise Unauthorized("This fleet asks for an API key: send it as `Authorization: Bearer KEY`, or log in at /login.")


def _is_open() -> bool:
    if request.endpoint is None:
        # There is nothing: what is beneath /api is nobody's business.
        return not request.path.startswith("/api/")
    return request.endpoint in OPEN_ENDPOINTS or (request.endpoint in _STREAMS and "view" in request.args)


def _key_of_request() -> ApiKey | None:
    """Raises Unauthorized or RateLimited if the header has a wrong one."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return services().api_keys.check(given.strip(), client=request.remote_addr or "")
    return login_of_request()


def _lead_to_login() -> AnyResponse:
    wanted = own_path(request.full_path.rstrip("?")) if request.method == "GET" else None
    address = url_for("dashboard.login.show_login", next=wanted)
    if "HX-Request" in request.headers:
        # A part of a page would be looked for in what a redirect leads to.
        response = Response(status=401, headers={"WWW-Authenticate": "Bearer", "HX-Redirect": address})
    elif request.headers.get("Sec-Fetch-Site") == "cross-site":
        # A link on another site brought the person here, so the browser kept the cookie back. It sends it where this
        # page leads, and would not where a redirect does.
        response = Response(status=200, headers={"Refresh": f"0; url={address}"})
    else:
        return redirect(address, code=303)
    response.headers["Cache-Control"] = "no-store"
    return response
