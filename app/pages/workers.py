"""/workers"""

from flask import Blueprint, render_template

from app.wiring import services

pages = Blueprint("workers", __name__)


@pages.get("/workers")
def list_workers() -> str:
    return render_template("workers.html", workers=services().workers.all())
