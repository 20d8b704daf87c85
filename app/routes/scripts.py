"""/api/sessions/{id}/scripts"""

from http import HTTPStatus

from flask_openapi3 import APIBlueprint, Tag

from app.routes.models import ScriptList, ScriptPath, SessionPath
from app.routes.rendering import Answer
from app.wiring import services
from fleet.models.script import Script, ScriptRequest

api = APIBlueprint(
    "scripts", __name__, abp_tags=[Tag(name="scripts", description="JavaScript that runs before each page's own.")]
)


@api.get("/api/sessions/<session_id>/scripts", summary="The scripts of a session", responses={200: ScriptList})
def list_scripts(path: SessionPath) -> Answer:
    scripts = services().scripts.all(path.session_id)
    return {"scripts": [script.model_dump(mode="json") for script in scripts]}, HTTPStatus.OK


@api.post("/api/sessions/<session_id>/scripts", summary="Add a script to a session", responses={201: Script})
def add_script(path: SessionPath, body: ScriptRequest) -> Answer:
    return services().scripts.add(path.session_id, body.source).model_dump(mode="json"), HTTPStatus.CREATED


@api.delete(
    "/api/sessions/<session_id>/scripts/<script_id>", summary="Remove a script from a session", responses={200: Script}
)
def remove_script(path: ScriptPath) -> Answer:
    return services().scripts.remove(path.session_id, path.script_id).model_dump(mode="json"), HTTPStatus.OK
