"""/capture"""

from flask import Blueprint, render_template, request

from fleet.models.devices import DEVICES

pages = Blueprint("captures", __name__)


@pages.get("/capture")
def show_capture_form() -> str:
    return render_template("capture.html", devices=DEVICES, url=request.args.get("url", ""))
