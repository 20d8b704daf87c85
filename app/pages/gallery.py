"""/gallery"""

from flask import Blueprint, render_template, request

from app.cursors import parse_cursor
from app.wiring import services

pages = Blueprint("gallery", __name__)

_ON_A_PAGE = 24


@pages.get("/gallery")
def show_gallery() -> str:
    cursor = request.args.get("cursor")
    page = services().gallery.newest(limit=_ON_A_PAGE, cursor=parse_cursor(cursor))
    return render_template("gallery.html", page=page, is_first=cursor is None)
