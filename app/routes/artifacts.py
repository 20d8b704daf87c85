"""/api/artifacts"""

from http import HTTPStatus

from flask import Response
from flask_openapi3 import APIBlueprint, Tag

from app.routes.artifact_answer import artifact_response
from app.routes.models import ArtifactLinkAnswer, ArtifactPath
from app.routes.rendering import Answer
from app.wiring import services

api = APIBlueprint("artifacts", __name__, abp_tags=[Tag(name="artifacts", description="Stored files.")])


@api.get("/api/artifacts/<artifact_id>", summary="The bytes of an artifact")
def get_artifact(path: ArtifactPath) -> Response:
    """`ETag` is the SHA-256 of the bytes; ranges and conditional requests are answered."""
    return artifact_response(path.artifact_id)


@api.get(
    "/api/artifacts/<artifact_id>/link",
    summary="A link to the bytes, past this API where the storage has such links",
    responses={200: ArtifactLinkAnswer},
)
def get_artifact_link(path: ArtifactPath) -> Answer:
    """Of an object store it is pre-signed: whoever has it can fetch the bytes until `expires_at`, without a key."""
    link = services().artifacts.link(path.artifact_id)
    return ArtifactLinkAnswer(url=link.url, expires_at=link.expires_at).model_dump(mode="json"), HTTPStatus.OK
