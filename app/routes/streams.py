"""/api/sessions/{id}/stream and …/view_links"""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from flask import Response, g, request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field, ValidationError

from app.errors import raise_invalid
from app.routes.models import SessionPath
from app.routes.rendering import Answer
from app.viewers.handshake import TakenSocket, answer
from app.wiring import services
from fleet.errors import UpgradeRequired
from fleet.models.base import Input, NamedFields
from fleet.models.viewer import FrameWishes, MaxFps, MaxWidth, Quality

api = APIBlueprint("streams", __name__, abp_tags=[Tag(name="live stream", description="Watching a session.")])

_PATH = "/api/sessions/<session_id>/stream"
_LINK_SECONDS = 3600
_LINK_SECONDS_MAX = 7 * 86_400


class StreamQuery(NamedFields):
    frames: Annotated[bool, Field(description="Pictures too, not just events.")] = False
    quality: Annotated[Quality, Field(description="Of the JPEG.")] = FrameWishes().quality
    max_fps: Annotated[MaxFps, Field(description="Frames per second.")] = FrameWishes().max_fps
    max_width: Annotated[MaxWidth, Field(description="Pixels.")] = FrameWishes().max_width
    read_only: Annotated[bool, Field(description="No input.")] = False
    view: Annotated[str, Field(max_length=512, description="The token of a view link: read-only.")] | None = None


class ViewLinkRequest(Input):
    ttl: Annotated[int, Field(ge=1, le=_LINK_SECONDS_MAX, description="Seconds.")] = _LINK_SECONDS


class ViewLinkAnswer(BaseModel):
    url: str
    expires_at: datetime


@api.get(_PATH, summary="Watch a session live (a WebSocket)", responses={101: None})
def stream_without_upgrade(path: SessionPath, query: StreamQuery) -> Answer:
    """Messages, close codes and input: see docs/api.md. Without an upgrade: whether and why it would be refused."""
    # A browser does not tell its page why an upgrade was refused; so the page asks like this.
    services().streams.check(path.session_id, token=query.view)
    raise UpgradeRequired("This is a WebSocket; open it with a WebSocket client.")


def stream(session_id: str) -> Response:
    """Refused with an HTTP answer, or the socket leaves the server's hands."""
    query = _query()
    handshake = answer(request.full_path, request.headers.items())
    handshake.headers["X-Request-Id"] = g.request_id
    frames = FrameWishes(quality=query.quality, max_fps=query.max_fps, max_width=query.max_width)
    admitted = services().streams.admit(
        session_id, frames=frames if query.frames else None, read_only=query.read_only, token=query.view
    )
    try:
        taken = TakenSocket(request.environ)
    except BaseException:
        services().streams.leave(admitted)
        raise
    services().viewers.add(admitted.viewer, taken, handshake, read_only=admitted.read_only)
    # Nobody reads it; it is what the server takes the request for.
    answered = Response(status=HTTPStatus.SWITCHING_PROTOCOLS, headers={"Connection": "close"})
    answered.call_on_close(taken.release)
    return answered


api.add_url_rule(_PATH, view_func=stream, websocket=True)


def _query() -> StreamQuery:
    try:
        return StreamQuery.model_validate(request.args.to_dict())
    except ValidationError as error:
        raise_invalid(error)
        raise


@api.post(
    "/api/sessions/<session_id>/view_links",
    summary="Make a link that lets somebody watch, and nothing else",
    responses={201: ViewLinkAnswer},
)
def create_view_link(path: SessionPath, body: ViewLinkRequest) -> tuple[dict[str, Any], HTTPStatus]:
    link = services().view_links.create(path.session_id, ttl=body.ttl)
    url = f"{request.host_url}view/{link.token}"
    return {"url": url, "expires_at": link.expires_at.isoformat()}, HTTPStatus.CREATED
