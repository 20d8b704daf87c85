"""Pages that leave something behind in their context, and tell what they find of it."""

from collections.abc import Callable
from typing import Protocol
from urllib.parse import quote, unquote

DONE = "#done"


class Handler(Protocol):
    path: str

    def send(self, body: str | bytes, *, status: int = 200, content_type: str = ..., **headers: str) -> None: ...


def address(base: str, code: str) -> str:
    """Of a page that runs `code`, the body of an async function, and tells what it returned as JSON in its <pre>.

    It has an element that matches DONE as soon as it is through.
    """
    return f"{base}/run?{quote(code, safe='')}"


# `elsewhere` runs code in a page of its own that stays open, and returns when that is through.
_RUN = """<!doctype html><title>Runs</title><pre></pre>
<script>
const elsewhere = async (code) => {
    const opened = open('/run?' + encodeURIComponent(code), 'held');
    while (!opened.document?.querySelector('#done')) await new Promise((next) => setTimeout(next, 10));
};
const run = async () => {%s};
run().catch((error) => ({error: String(error)})).then((told) => {
    document.querySelector('pre').textContent = JSON.stringify(told ?? null);
    document.body.append(Object.assign(document.createElement('i'), {id: 'done'}));
});
</script>
"""

_JAVASCRIPT = "text/javascript; charset=utf-8"
_SHARED_WORKER = """
let kept = null;
onconnect = ({ports: [port]}) => {
    port.onmessage = ({data}) => { kept = data ?? kept; port.postMessage(kept); };
};
"""


def _run(handler: Handler, _argument: str) -> None:
    handler.send(_RUN % unquote(handler.path.partition("?")[2]))


def _idle_service_worker(handler: Handler, _argument: str) -> None:
    handler.send("onfetch = () => {};", content_type=_JAVASCRIPT)


def _shared_worker(handler: Handler, _argument: str) -> None:
    handler.send(_SHARED_WORKER, content_type=_JAVASCRIPT)


def _cacheable(handler: Handler, _argument: str) -> None:
    handler.send("for an hour", content_type="text/plain", Cache_Control="max-age=3600, immutable")


STATE_PAGES: dict[str, Callable[[Handler, str], None]] = {
    "run": _run,
    "idle-service-worker.js": _idle_service_worker,
    "shared-worker.js": _shared_worker,
    "cacheable": _cacheable,
}
