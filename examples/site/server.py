"""The example site: the pages of a small observatory, served on loopback.

Owns its routes, its demonstration members and the signed session cookie.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import hmac
import html
import signal
import socketserver
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template
from threading import Thread
from typing import Self
from urllib.parse import parse_qs

HERE = Path(__file__).parent
COOKIE_NAME = "session"
DEMO_KEY = b"harrow-fell-demonstration-key"
MAX_BODY_BYTES = 16 * 1024
MENU = (
    ("/", "Visit"),
    ("/article", "The refractor"),
    ("/gallery", "Plates"),
    ("/table", "Star list"),
)
# Fixed here because the system's own table differs from machine to machine.
CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".ico": "image/x-icon",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}

Row = Mapping[str, str]


# --- Content -----------------------------------------------------------------


class Markup(str):
    """HTML that is already safe to place in a page."""

    __slots__ = ()


@cache
def _rows(name: str) -> tuple[Row, ...]:
    with (HERE / "data" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


@cache
def _template(name: str) -> Template:
    return Template((HERE / "pages" / f"{name}.html").read_text(encoding="utf-8"))


def _safe(value: str) -> str:
    return value if isinstance(value, Markup) else html.escape(value)


def _render(template: str, values: Row) -> Markup:
    safe = {key: _safe(value) for key, value in values.items()}
    return Markup(_template(template).substitute(safe))


def _render_each(template: str, rows: Iterable[Row]) -> Markup:
    return Markup("".join(_render(template, row) for row in rows))


def _assets() -> dict[str, Path]:
    root = HERE / "static"
    files = (path for path in root.rglob("*") if path.suffix in CONTENT_TYPES)
    found = {f"/static/{path.relative_to(root).as_posix()}": path for path in files}
    return {**found, "/favicon.ico": root / "favicon.ico"}


# A request can only name a key of this table, so no path reaches the disk.
ASSETS = _assets()


# --- Members -----------------------------------------------------------------


def session_cookie(username: str) -> str:
    """Return the value of the `session` cookie that signs `username` in."""
    signature = hmac.new(DEMO_KEY, username.encode(), hashlib.sha256).hexdigest()
    return f"{username}-{signature}"


def _member(username: str) -> Row | None:
    return next((row for row in _rows("members") if row["username"] == username), None)


def _same(left: str, right: str) -> bool:
    return hmac.compare_digest(left.encode(), right.encode())


def _cookie(header: str, name: str) -> str:
    pairs = (part.strip().partition("=") for part in header.split(";"))
    return next((value for key, _, value in pairs if key == name), "")


def _signed_in(cookie_header: str) -> Row | None:
    value = _cookie(cookie_header, COOKIE_NAME)
    member = _member(value.partition("-")[0])
    if member and _same(value, session_cookie(member["username"])):
        return member
    return None


# --- Requests and responses --------------------------------------------------


@dataclass(frozen=True)
class Request:
    """What a view may know of the request."""

    method: str
    path: str
    cookies: str
    body: bytes

    @property
    def member(self) -> Row | None:
        """The member whose valid cookie came along."""
        return _signed_in(self.cookies)

    def form(self, name: str) -> str:
        """Return the first value of a form field, or an empty string."""
        fields = parse_qs(self.body.decode(errors="replace"))
        return fields.get(name, [""])[0]


@dataclass(frozen=True)
class Response:
    """A whole answer: it is small enough to be held in memory."""

    body: bytes = b""
    status: HTTPStatus = HTTPStatus.OK
    content_type: str = "text/html; charset=utf-8"
    headers: Row = field(default_factory=dict)


View = Callable[[Request], Response]
MemberView = Callable[[Request, Row], Response]


def _menu(request: Request) -> Markup:
    member_link = ("/account", "Account") if request.member else ("/login", "Sign in")
    links = (*MENU, member_link)
    return _render_each(
        "parts/link",
        ({"href": href, "label": label, "current": str(href == request.path).lower()} for href, label in links),
    )


def _page(
    request: Request,
    name: str,
    title: str,
    values: Row | None = None,
    status: HTTPStatus = HTTPStatus.OK,
) -> Response:
    layout = {
        "title": title,
        "page": name,
        "menu": _menu(request),
        "main": _render(name, values or {}),
    }
    body = _render("layout", layout).encode()
    return Response(body, status, headers={"Cache-Control": "no-store"})


def _redirect(location: str, cookie: str | None = None) -> Response:
    headers = {"Location": location}
    if cookie is not None:
        headers["Set-Cookie"] = cookie
    return Response(status=HTTPStatus.SEE_OTHER, headers=headers)


# --- Views -------------------------------------------------------------------


def _home(request: Request) -> Response:
    return _page(request, "home", "Visit")


def _article(request: Request) -> Response:
    return _page(request, "article", "The refractor on the hill")


def _gallery(request: Request) -> Response:
    plates = _rows("plates")
    values = {"plates": _render_each("parts/plate", plates), "count": str(len(plates))}
    return _page(request, "gallery", "Plates", values)


def _table(request: Request) -> Response:
    stars = _rows("stars")
    values = {"stars": _render_each("parts/star", stars), "count": str(len(stars))}
    return _page(request, "table", "The bright star list", values)


def _login_form(request: Request) -> Response:
    values = {"username": "", "message": ""}
    return _page(request, "login", "Sign in", values)


def _login(request: Request) -> Response:
    username = request.form("username")
    member = _member(username)
    if member and _same(request.form("password"), member["password"]):
        value = session_cookie(username)
        attributes = "Path=/; HttpOnly; SameSite=Lax"
        return _redirect("/account", f"{COOKIE_NAME}={value}; {attributes}")
    values = {"username": username, "message": _render("parts/refused", {})}
    return _page(request, "login", "Sign in", values, HTTPStatus.FORBIDDEN)


def _logout(_request: Request) -> Response:
    attributes = "Path=/; HttpOnly; SameSite=Lax; Max-Age=0"
    return _redirect("/", f"{COOKIE_NAME}=; {attributes}")


def _members_only(view: MemberView) -> View:
    def guarded(request: Request) -> Response:
        member = request.member
        return view(request, member) if member else _redirect("/login")

    return guarded


def _belonging_to(member: Row, name: str) -> list[Row]:
    return [row for row in _rows(name) if row["username"] == member["username"]]


def _account(request: Request, member: Row) -> Response:
    notes = _render_each("parts/note", _belonging_to(member, "notes"))
    return _page(request, "account", "Your account", {**member, "notes": notes})


def _orders(request: Request, member: Row) -> Response:
    orders = _render_each("parts/order", _belonging_to(member, "orders"))
    return _page(request, "orders", "Your orders", {**member, "orders": orders})


def _asset(request: Request) -> Response:
    path = ASSETS[request.path]
    headers = {"Cache-Control": "max-age=3600"}
    return Response(path.read_bytes(), content_type=CONTENT_TYPES[path.suffix], headers=headers)


def _not_found(request: Request) -> Response:
    return _page(request, "not_found", "Page not found", status=HTTPStatus.NOT_FOUND)


def _not_allowed(allowed: Iterable[str]) -> Response:
    return Response(
        b"Method not allowed\n",
        HTTPStatus.METHOD_NOT_ALLOWED,
        "text/plain; charset=utf-8",
        {"Allow": ", ".join(allowed)},
    )


PAGES: Mapping[str, Mapping[str, View]] = {
    "/": {"GET": _home},
    "/article": {"GET": _article},
    "/gallery": {"GET": _gallery},
    "/table": {"GET": _table},
    "/login": {"GET": _login_form, "POST": _login},
    "/logout": {"GET": _logout},
    "/account": {"GET": _members_only(_account)},
    "/account/orders": {"GET": _members_only(_orders)},
}


def _views(path: str) -> Mapping[str, View]:
    if path in ASSETS:
        return {"GET": _asset}
    return PAGES.get(path, {"GET": _not_found})


def respond(request: Request) -> Response:
    """Answer one request."""
    views = _views(request.path)
    method = "GET" if request.method == "HEAD" else request.method
    view = views.get(method)
    return view(request) if view else _not_allowed(["HEAD", *views])


# --- The server --------------------------------------------------------------


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "HarrowFell"
    sys_version = ""
    timeout = 30
    # One write per answer: two would wait on delayed acknowledgements.
    wbufsize = -1

    def __getattr__(self, name: str) -> Callable[[], None]:
        # The base class looks up do_<METHOD>; every method gets a routed answer.
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def _answer(self) -> None:
        body = self._read_body()
        cookies = self.headers.get("Cookie", "")
        path = self.path.partition("?")[0]
        self._send(respond(Request(self.command, path, cookies, body)))

    def _read_body(self) -> bytes:
        length = self.headers.get("Content-Length", "0")
        plain = length.isdecimal() and "Transfer-Encoding" not in self.headers
        if plain and int(length) <= MAX_BODY_BYTES:
            return self.rfile.read(int(length))
        # A body left unread would be taken for the connection's next request.
        self.close_connection = True
        return b""

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(len(response.body)))
        for name, value in response.headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)

    def log_message(self, *_args: object) -> None:
        """Stay quiet: standard output carries only the site's address."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def server_bind(self) -> None:
        # The base class would resolve the host's name, which can stall offline.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.port

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    def handle_error(self, request: object, client_address: object) -> None:
        # Browsers drop connections at will.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class ExampleSite:
    """The site, listening from construction and serving from `start`."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen on `host`; port 0 takes any free one."""
        self._server = _Server((host, port), _Handler)
        self._thread: Thread | None = None
        reachable = "127.0.0.1" if host in ("", "0.0.0.0") else host  # noqa: S104
        self.url = f"http://{reachable}:{self._server.port}"

    def start(self) -> None:
        """Serve from a background thread."""
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop accepting connections and free the port."""
        if self._thread:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.server_close()

    def __enter__(self) -> Self:
        """Start serving."""
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """Stop serving."""
        self.stop()


# --- The command -------------------------------------------------------------


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise argparse.ArgumentTypeError(f"expected HOST:PORT, got {text!r}")
    return host, int(port)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m examples.site", description="Serve the example site.")
    parser.add_argument(
        "--bind",
        type=_address,
        default=("127.0.0.1", 9000),
        metavar="HOST:PORT",
        help="where to listen (default 127.0.0.1:9000; port 0 takes any free one)",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT."""
    parser = _parser()
    host, port = parser.parse_args(arguments).bind
    # Blocked here, before any thread starts, so that only sigwait receives them.
    stop_signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stop_signals)
    try:
        site = ExampleSite(host, port)
    except (OSError, OverflowError) as error:
        parser.exit(1, f"cannot listen on {host}:{port}: {error}\n")
    with site:
        print(site.url, flush=True)
        signal.sigwait(stop_signals)
    return 0
