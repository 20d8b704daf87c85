"""/api/jobs"""

from http import HTTPStatus

from flask_openapi3 import APIBlueprint, Tag

from app.cursors import parse_cursor
from app.routes.models import JobAnswer, JobPage, JobPath, PageQuery, WaitQuery
from app.routes.rendering import Answer, job_answer, job_json, page_json
from app.wiring import services
from fleet.models.job import Job

api = APIBlueprint("jobs", __name__, abp_tags=[Tag(name="jobs", description="Units of queued work.")])


@api.get("/api/jobs", summary="List jobs, newest first", responses={200: JobPage})
def list_jobs(query: PageQuery) -> Answer:
    page = services().jobs.newest(limit=query.limit, cursor=parse_cursor(query.cursor))
    return page_json("jobs", page, job_json), HTTPStatus.OK


@api.get("/api/jobs/<job_id>", summary="One job; waits for its end if asked to", responses={200: Job})
def get_job(path: JobPath, query: WaitQuery) -> Answer:
    if query.wait:
        services().jobs.wait(path.job_id, query.wait)
    return job_json(services().jobs.get(path.job_id)), HTTPStatus.OK


@api.delete("/api/jobs/<job_id>", summary="Cancel a job", responses={200: JobAnswer, 202: JobAnswer})
def cancel_job(path: JobPath) -> Answer:
    """202 while a running job is being stopped; 200 once it is cancelled, or had finished before."""
    return job_answer(services().jobs.cancel(path.job_id))
