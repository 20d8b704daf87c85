"""/jobs, /jobs/{id}"""

from flask import Blueprint, render_template, request

from app.cursors import parse_cursor
from app.wiring import services

pages = Blueprint("jobs", __name__)

_ON_A_PAGE = 25


@pages.get("/jobs")
def list_jobs() -> str:
    cursor = request.args.get("cursor")
    page = services().jobs.newest(limit=_ON_A_PAGE, cursor=parse_cursor(cursor))
    return render_template("jobs.html", page=page, is_first=cursor is None)


@pages.get("/jobs/<job_id>")
def show_job(job_id: str) -> str:
    return render_template("job.html", job=services().jobs.get(job_id))
