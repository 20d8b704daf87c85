"""/batches, /batches/{id}"""

from flask import Blueprint, render_template, request

from app.cursors import parse_cursor, parse_index
from app.wiring import services
from fleet.models.job import JobState

pages = Blueprint("batches", __name__)

_BATCHES_ON_A_PAGE = 25
_ITEMS_ON_A_PAGE = 50


@pages.get("/batches")
def list_batches() -> str:
    cursor = request.args.get("cursor")
    page = services().batches.newest(limit=_BATCHES_ON_A_PAGE, cursor=parse_cursor(cursor))
    return render_template("batches.html", page=page, is_first=cursor is None)


@pages.get("/batches/<batch_id>")
def show_batch(batch_id: str) -> str:
    """`?state=failed`: items of that state alone; of a word that is no state, all."""
    state = next((state for state in JobState if state == request.args.get("state")), None)
    first = parse_index(request.args.get("cursor"))
    page = services().batches.items(batch_id, state=state, first=first, limit=_ITEMS_ON_A_PAGE)
    batch = services().batches.get(batch_id)
    return render_template("batch.html", batch=batch, page=page, wanted=state, first=first)
