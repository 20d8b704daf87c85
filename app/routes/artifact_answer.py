"""The bytes of an artifact as an HTTP answer: ETag, ranges, Content-Disposition."""

from flask import Response, request, send_file
from werkzeug.exceptions import RequestedRangeNotSatisfiable

from app.errors import answer
from app.wiring import services
from fleet.errors import InternalError, error_from
from fleet.models.artifact import Artifact
from fleet.models.job import Job


def artifact_response(artifact_id: str) -> Response:
    artifact, stream = services().artifacts.open(artifact_id)
    response = send_file(
        stream,
        mimetype=artifact.media_type,
        download_name=_file_name(artifact),
        # Captured HTML is somebody else's page: it must not run under this API's origin.
        as_attachment=artifact.media_type == "text/html",
        etag=artifact.sha256,
        conditional=False,
    )
    response.content_length = artifact.bytes
    response.headers["X-Content-Type-Options"] = "nosniff"
    try:
        response.make_conditional(request, accept_ranges=True, complete_length=artifact.bytes)
    except RequestedRangeNotSatisfiable:
        response.close()
        raise
    return response


def artifact_answer(job: Job, media_type: str) -> Response:
    """A finished capture's first artifact of that type, or the error that the job ended with."""
    if job.error is not None:
        return answer(error_from(job.error.code, job.error.message, job.error.details | {"job_id": job.id}))
    artifacts = job.result.artifacts if job.result else []
    for artifact in artifacts:
        if artifact.media_type == media_type:
            response = artifact_response(artifact.id)
            response.headers["X-Job-Id"] = job.id
            return response
    raise InternalError("The job succeeded without the output that was asked for.", job_id=job.id)


def _file_name(artifact: Artifact) -> str:
    return f"{artifact.kind}-{artifact.id[4:12]}.{artifact.extension}"
