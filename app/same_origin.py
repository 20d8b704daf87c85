"""Refuses what a page of another site makes a person's browser send: it would act with that person's access.

The API takes some requests that a page can send without asking first (a POST without a body, a WebSocket). Browsers say
where a request comes from; clients that are no browsers don't, and are let through.
"""

from urllib.parse import urlsplit

from flask import Flask, Request, request

from fleet.errors import CrossOriginRefused

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITES = frozenset({"same-origin", "none"})


def register_same_origin(app: Flask) -> None:
    app.before_request(_refuse_cross_origin)


def _refuse_cross_origin() -> None:
    if _may_act(request) and _is_cross_origin(request):
        message = "A page of another site sent this request. Only the fleet's own pages may, from a browser."
        raise CrossOriginRefused(message)


def _may_act(request: Request) -> bool:
    return request.method not in _SAFE_METHODS or request.headers.get("Upgrade", "").lower() == "websocket"


def _is_cross_origin(request: Request) -> bool:
    # Browsers tell the site over https and on loopback only; the origin tells it elsewhere.
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in _OWN_SITES
    origin = request.headers.get("Origin")
    return origin is not None and urlsplit(origin).netloc != request.host
