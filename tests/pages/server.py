"""Pages that behave as pages in the wild do: late, broken, hostile. On loopback, one thread per request."""

import gzip
import json
import socketserver
import ssl
import sys
import threading
from base64 import b64decode
from collections.abc import Callable
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from tests.pages.form_pages import FORM_PAGES
from tests.pages.hostile_pages import HOSTILE_PAGES
from tests.pages.live_pages import LIVE_PAGES
from tests.pages.state_pages import STATE_PAGES

HTML = "text/html; charset=utf-8"
# A picture that every browser takes: one red pixel.
_PIXEL_GIF = bytes.fromhex("47494638396101000100800000ff0000ffffff2c00000000010001000002024401003b")


class PagesServer:
    """Serves from `__enter__` to `__exit__`; then answers that never end are broken off."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._server = _Server(tls)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.port}"

    def requests(self, path: str) -> int:
        """How often `path` was asked for since the server started."""
        return self._server.paths.count(path)

    def open_gate(self, name: str) -> None:
        """Lets the requests for `/gate/{name}` through, those that wait and those to come."""
        self._server.gate(name).set()

    def forget_gates(self) -> None:
        """Who still waits is let through; a name that comes again is a closed gate."""
        self._server.forget_gates()

    def next_request(self, path: str) -> Callable[[], bool]:
        """Tells, when called, whether `path` has been asked for since now."""
        before = self.requests(path)
        return lambda: self.requests(path) > before

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop_waiting()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.stopping = threading.Event()
        self.paths: list[str] = []
        self._gates: dict[str, threading.Event] = {}
        if tls is not None:
            # Shaking hands here would keep the accepting thread busy.
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def gate(self, name: str) -> threading.Event:
        return self._gates.setdefault(name, threading.Event())

    def forget_gates(self) -> None:
        gates, self._gates = self._gates, {}
        for gate in gates.values():
            gate.set()

    def stop_waiting(self) -> None:
        self.stopping.set()
        self.forget_gates()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def server_bind(self) -> None:
        # The base class would resolve the host's name, which can stall offline.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.port

    def handle_error(self, request: object, client_address: object) -> None:
        # Browsers drop connections at will.
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    # One request per connection, so that no idle connection holds a thread.
    protocol_version = "HTTP/1.0"
    server: _Server
    body = ""

    def do_POST(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.server.paths.append(path)
        name, _, argument = path.removeprefix("/").partition("/")
        PAGES.get(name, _not_found)(self, argument)

    def send(self, body: str | bytes, *, status: int = 200, content_type: str = HTML, **headers: str) -> None:
        content = body.encode() if isinstance(body, str) else body
        self.send_head(status, {"Content-Type": content_type, "Content-Length": str(len(content)), **headers})
        self.wfile.write(content)

    def send_head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def wait(self, seconds: float | None = None) -> None:
        """Until then, or until the server stops."""
        self.server.stopping.wait(seconds)

    def log_message(self, *_: object) -> None:
        """Quiet: what was asked for is in `requests`."""


Page = Callable[[_Handler, str], None]


def _document(body: str, *, title: str = "A page") -> str:
    return f"<!doctype html><html lang=en><head><title>{title}</title></head><body>{body}</body></html>"


def _page(body: str, *, title: str = "A page") -> Page:
    return lambda handler, _argument: handler.send(_document(body, title=title))


def _script(code: str) -> str:
    return f"<script>{code}</script>"


# --- Answers that are not quite a page ----------------------------------------


def _not_found(handler: _Handler, _argument: str) -> None:
    handler.send(_document("<h1>Not found</h1>", title="Not found"), status=404)


def _status(handler: _Handler, code: str) -> None:
    handler.send(_document(f"<h1>{code}</h1>", title=f"Status {code}"), status=int(code))


def _slow(handler: _Handler, _argument: str) -> None:
    """Headers and the beginning at once; the rest never."""
    handler.send_head(200, {"Content-Type": HTML, "Content-Length": "1000000"})
    handler.wfile.write(b"<!doctype html><title>Slow</title><p>It begins")
    handler.wait()


def _never(handler: _Handler, _argument: str) -> None:
    handler.wait()


def _gate(handler: _Handler, name: str) -> None:
    """A page that comes when the test opens its gate."""
    handler.server.gate(name).wait()
    handler.send(_document(f"<h1>Behind {name}</h1>", title=f"Behind {name}"))


def _close(handler: _Handler, _argument: str) -> None:
    handler.close_connection = True


def _redirect(handler: _Handler, hops: str) -> None:
    left = int(hops)
    location = f"/redirect/{left - 1}" if left > 1 else "/plain"
    handler.send("", status=302, Location=location)


def _redirect_loop(handler: _Handler, _argument: str) -> None:
    handler.send("", status=302, Location="/redirect-loop")


def _download(handler: _Handler, _argument: str) -> None:
    disposition = 'attachment; filename="data.bin"'
    handler.send(b"\0" * 64, content_type="application/octet-stream", Content_Disposition=disposition)


def _no_content(handler: _Handler, _argument: str) -> None:
    handler.send_head(204, {})


def _slow_image(handler: _Handler, milliseconds: str) -> None:
    handler.wait(int(milliseconds) / 1000)
    handler.send(_PIXEL_GIF, content_type="image/gif")


def _bytes(handler: _Handler, count: str) -> None:
    handler.send(b"b" * int(count), content_type="application/octet-stream")


def _cached(handler: _Handler, _argument: str) -> None:
    """Once fetched, a browser need not ask again."""
    handler.send("kept", content_type="text/plain", Cache_Control="max-age=600")


def _gzip(handler: _Handler, count: str) -> None:
    """Small on the wire, that many bytes once decoded."""
    content = gzip.compress(bytes(int(count)))
    handler.send(content, content_type="application/octet-stream", Content_Encoding="gzip")


def _service_worker(handler: _Handler, _argument: str) -> None:
    code = (
        "onfetch = (event) => event.request.url.includes('/asked') && event.respondWith(new Response('by the worker'))"
    )
    handler.send(f"{code}; onactivate = () => clients.claim()", content_type="text/javascript")


# --- Pages that tell what reached them -----------------------------------------


def _headers(handler: _Handler, _argument: str) -> None:
    """The request's headers as JSON, names in lower case."""
    headers = {name.lower(): value for name, value in handler.headers.items()}
    handler.send(_document(f"<pre>{json.dumps(headers)}</pre>", title="Headers"))


def _challenge(handler: _Handler, _argument: str) -> None:
    """Asks for Basic credentials and tells which came, as JSON."""
    scheme, _, encoded = handler.headers.get("Authorization", "").partition(" ")
    if scheme != "Basic":
        handler.send("", status=401, WWW_Authenticate='Basic realm="pages"')
        return
    user, _, password = b64decode(encoded).decode().partition(":")
    told = json.dumps({"user": user, "password": password})
    handler.send(_document(f"<pre>{told}</pre>", title="Who came"))


def _cookie(handler: _Handler, _argument: str) -> None:
    """The visits that cookie and localStorage remember from before, as JSON; both are then one higher."""
    visits = SimpleCookie(handler.headers.get("Cookie", "")).get("visits")
    before = int(visits.value) if visits else 0
    code = f"""
        const stored = Number(localStorage.getItem('visits'));
        localStorage.setItem('visits', stored + 1);
        document.querySelector('pre').textContent = JSON.stringify({{cookie: {before}, storage: stored}});
    """
    handler.send(_document(f"<pre></pre>{_script(code)}", title="Visits"), Set_Cookie=f"visits={before + 1}; Path=/")


_ENVIRONMENT = """
    const matches = (query) => matchMedia(query).matches;
    document.querySelector('pre').textContent = JSON.stringify({
        user_agent: navigator.userAgent, language: navigator.language, width: innerWidth, height: innerHeight,
        ratio: devicePixelRatio, dark: matches('(prefers-color-scheme: dark)'),
        timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    });
"""

# --- The table -------------------------------------------------------------------

_BOX = "<div id=box style='position:absolute;left:40px;top:30px;width:120px;height:80px;background:#c00'></div>"
_LATE = "setTimeout(() => document.body.insertAdjacentHTML('beforeend', '<p id=late>Here I am</p>'), 300)"
_ALLOCATE = "const kept = []; for (;;) kept.push({a: new Array(1000).fill({}), b: String(kept.length)});"
_ARRIVED = "document.body.append(`image of ${width} pixel is there`)"
_FETCHING = """
    onload = async () => {
        const bytes = await (await fetch('/slow-image/300')).arrayBuffer();
        document.body.append(`fetched ${bytes.byteLength} bytes`);
    };
"""
_LOOP_LATER = """
    onload = () => setTimeout(() => {
        const request = new XMLHttpRequest();
        request.open('GET', '/counted', false);
        request.send();
        for (;;) {}
    }, 300);
"""
_VISITED = "window.visited = [...(window.visited ?? []), 'page']"
_VISITORS = "document.querySelector('pre').textContent = JSON.stringify({visited: window.visited})"
_RESIZES = """
    let times = 0;
    onresize = () => { times += 1; document.querySelector('p').textContent = `resized ${times} times`; };
"""
_ENDLESS = """
    const limit = Number(location.search.slice(1));
    const tell = () => {
        const told = {blocks: document.querySelectorAll('div').length, top: scrollY};
        document.querySelector('pre').textContent = JSON.stringify(told);
    };
    const grow = () => {
        const count = document.querySelectorAll('div').length;
        const near = scrollY + innerHeight > document.documentElement.scrollHeight - 500;
        if (near && count < limit) document.body.insertAdjacentHTML('beforeend', '<div style="height:500px"></div>');
        tell();
    };
    document.body.insertAdjacentHTML('beforeend', '<div style="height:500px"></div>'.repeat(4));
    addEventListener('scroll', () => { tell(); setTimeout(grow, 10); });
    tell();
"""
_CONSOLE = "console.error('told on the console'); console.log('not an error'); setTimeout(() => missing.function(), 0)"

PAGES: dict[str, Page] = {
    "plain": _page(f"<h1>Plain</h1>{_BOX}", title="Plain"),
    "tall": _page("<div style='height:30000px;background:linear-gradient(#fff,#00c)'></div>"),
    "scripted": _page(f"<noscript>No script</noscript>{_script('document.body.append(`made by ${1 + 1} scripts`)')}"),
    "late": _page(_script(_LATE)),
    "loop": _page("<p>Before</p>" + _script("for (;;) {}")),
    "allocate": _page("<p>Before</p>" + _script(_ALLOCATE)),
    "allocate-later": _page("<p>Before</p>" + _script(f"setTimeout(() => {{ {_ALLOCATE} }}, 300)")),
    "console": _page(_script(_CONSOLE) + "<img src=/close alt=''>"),
    "images": _page(f"<img src=/slow-image/600 alt='' onload='{_ARRIVED}'>"),
    "fetching": _page(_script(_FETCHING)),
    "endless": _page(f"<pre></pre>{_script(_ENDLESS)}"),
    "counted": _page("<h1>Counted</h1>"),
    "loop-later": _page("<p>Before</p>" + _script(_LOOP_LATER)),
    "visited": _page(f"<pre></pre>{_script(_VISITED)}{_script(_VISITORS)}"),
    "framed": _page("<iframe src=/visited></iframe>"),
    "resizes": _page(f"<p>resized 0 times</p>{_BOX}{_script(_RESIZES)}"),
    "settled": _page(_script("onload = () => setTimeout(() => fetch('/plain'), 200)")),
    "challenge": _challenge,
    "environment": _page(f"<pre></pre>{_script(_ENVIRONMENT)}"),
    "status": _status,
    "slow": _slow,
    "never": _never,
    "gate": _gate,
    "close": _close,
    "redirect": _redirect,
    "redirect-loop": _redirect_loop,
    "download": _download,
    "no-content": _no_content,
    "slow-image": _slow_image,
    "bytes": _bytes,
    "cached": _cached,
    "gzip": _gzip,
    "service-worker.js": _service_worker,
    "headers": _headers,
    "cookie": _cookie,
    **STATE_PAGES,
    **FORM_PAGES,
    **LIVE_PAGES,
    **HOSTILE_PAGES,
}  # fmt: skip
