"""/api/workers"""

from http import HTTPStatus

from flask_openapi3 import APIBlueprint, Tag

from app.authentication import require_admin
from app.routes.models import WorkerAnswer, WorkerList, WorkerPath
from app.routes.rendering import Answer
from app.wiring import services

api = APIBlueprint("workers", __name__, abp_tags=[Tag(name="workers", description="The fleet.")])


@api.get("/api/workers", summary="Workers that are alive", responses={200: WorkerList})
def list_workers() -> Answer:
    return WorkerList(workers=services().workers.all()).model_dump(mode="json"), HTTPStatus.OK


@api.post("/api/workers/<name>/drain", summary="Empty a worker", responses={202: WorkerAnswer})
def drain_worker(path: WorkerPath) -> Answer:
    """It takes no more work, ends the jobs in hand, and gives its sessions to other workers. It goes on running.

    Where there are API keys, only one that is marked `:admin` may.
    """
    require_admin()
    return WorkerAnswer(worker=services().workers.drain(path.name)).model_dump(mode="json"), HTTPStatus.ACCEPTED
