"""/api/sessions/{id}/responses"""

import re
from http import HTTPStatus
from typing import Annotated

from flask import Response
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field

from app.cursors import parse_cursor
from app.routes.models import PageQuery, SessionPath
from app.routes.rendering import Answer, page_json
from app.services.responses import ResponseFilter
from app.wiring import services
from fleet.models.response import CapturedResponse, Glob, ResourceType

api = APIBlueprint("responses", __name__, abp_tags=[Tag(name="responses", description="Captured network responses.")])

_MEDIA_TYPE = re.compile(r"[\w!#$&^.+-]{1,127}/[\w!#$&^.+-]{1,127}", re.ASCII)


class ResponsePath(SessionPath):
    response_id: str


class ResponsesQuery(PageQuery):
    url: Annotated[Glob, Field(description="`*` stands for any run of characters.")] | None = None
    status: (
        Annotated[str, Field(pattern=r"^([1-5]xx|[1-5]\d\d|0)$", description="Such as 404, 4xx; 0: none.")] | None
    ) = None
    resource_type: ResourceType | None = None
    mime_type: Annotated[Glob, Field(description="Such as `image/*`.")] | None = None


class ResponsePage(BaseModel):
    responses: list[CapturedResponse]
    next_cursor: str | None


class DeletedAnswer(BaseModel):
    deleted: int


@api.get(
    "/api/sessions/<session_id>/responses",
    summary="List a session's captured responses, newest first",
    responses={200: ResponsePage},
)
def list_responses(path: SessionPath, query: ResponsesQuery) -> Answer:
    wanted = ResponseFilter(query.url, query.status, query.resource_type, query.mime_type)
    page = services().responses.newest(path.session_id, wanted, limit=query.limit, cursor=parse_cursor(query.cursor))
    return page_json("responses", page, lambda response: response.model_dump(mode="json")), HTTPStatus.OK


@api.delete(
    "/api/sessions/<session_id>/responses",
    summary="Delete a session's captured responses",
    responses={200: DeletedAnswer},
)
def delete_responses(path: SessionPath) -> Answer:
    return {"deleted": services().responses.clear(path.session_id)}, HTTPStatus.OK


@api.get(
    "/api/sessions/<session_id>/responses/<response_id>",
    summary="One captured response",
    responses={200: CapturedResponse},
)
def get_response(path: ResponsePath) -> Answer:
    return services().responses.get(path.session_id, path.response_id).model_dump(mode="json"), HTTPStatus.OK


@api.get("/api/sessions/<session_id>/responses/<response_id>/body", summary="The body of a captured response")
def get_response_body(path: ResponsePath) -> Response:
    """The bytes that were kept, under the type that the site gave them, to be saved and not shown."""
    captured, body = services().responses.body(path.session_id, path.response_id)
    known = _MEDIA_TYPE.fullmatch(captured.mime_type)
    response = Response(body, mimetype=captured.mime_type if known else "application/octet-stream")
    # Somebody else's content: it must not run under this API's origin.
    response.headers["Content-Disposition"] = f"attachment; filename=response-{captured.id[4:12]}"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
