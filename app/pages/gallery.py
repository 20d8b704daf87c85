"""/gallery"""

from flask import Blueprint, render_template, request

from app.cursors import parse_cursor, parse_index
from app.wiring import services

pages = Blueprint("gallery", __name__)

_ON_A_PAGE = 24


@pages.get("/gallery")
def show_gallery() -> str:
    """`?batch=bat_…`: of that batch alone."""
    if batch_id := request.args.get("batch"):
        return _show_batch(batch_id)
    cursor = request.args.get("cursor")
    page = services().gallery.newest(limit=_ON_A_PAGE, cursor=parse_cursor(cursor))
    return render_template("gallery.html", page=page, is_first=cursor is None)


def _show_batch(batch_id: str) -> str:
    first = parse_index(request.args.get("cursor"))
    page = services().gallery.of_batch(batch_id, first=first, limit=_ON_A_PAGE)
    batch = services().batches.get(batch_id)
    return render_template("batch_gallery.html", batch=batch, page=page, first=first)
