"""/api/captures"""

from flask import Response, request
from flask_openapi3 import APIBlueprint, Tag

from app.routes.artifact_answer import artifact_answer
from app.routes.models import JobAnswer, WaitQuery
from app.routes.negotiation import wanted_media_type, with_wanted_output
from app.routes.rendering import Answer, accepted_once, after_waiting, job_answer
from app.wiring import services
from fleet.models.capture import OneShotCaptureRequest

api = APIBlueprint("captures", __name__, abp_tags=[Tag(name="captures", description="Page visits.")])


@api.post("/api/captures", summary="Capture in a fresh context", responses={200: JobAnswer, 202: JobAnswer})
def capture(body: OneShotCaptureRequest, query: WaitQuery) -> Answer | Response:
    """With `Accept: image/png` (or another output's type) and `?wait=`, the answer is the artifact itself."""
    body = with_wanted_output(body, request.accept_mimetypes)
    media_type = wanted_media_type(body, request.accept_mimetypes)
    accepted = accepted_once(lambda request_id: services().captures.capture(body, request_id))
    job = after_waiting(accepted, query.wait)
    if media_type is None or not job.is_finished:
        return job_answer(job)
    return artifact_answer(job, media_type)
