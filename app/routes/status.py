"""/api/status"""

from http import HTTPStatus

from flask_openapi3 import APIBlueprint, Tag

from app.routes.rendering import Answer
from app.wiring import services
from fleet.models.status import Status

api = APIBlueprint("status", __name__, abp_tags=[Tag(name="status", description="The fleet against its limits.")])


@api.get("/api/status", summary="The fleet against its limits, and its alerts", responses={200: Status})
def get_status() -> Answer:
    return services().status.read().model_dump(mode="json"), HTTPStatus.OK
