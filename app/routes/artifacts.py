"""/api/artifacts"""

from flask import Response
from flask_openapi3 import APIBlueprint, Tag

from app.routes.artifact_answer import artifact_response
from app.routes.models import ArtifactPath

api = APIBlueprint("artifacts", __name__, abp_tags=[Tag(name="artifacts", description="Stored files.")])


@api.get("/api/artifacts/<artifact_id>", summary="The bytes of an artifact")
def get_artifact(path: ArtifactPath) -> Response:
    """`ETag` is the SHA-256 of the bytes; ranges and conditional requests are answered."""
    return artifact_response(path.artifact_id)
