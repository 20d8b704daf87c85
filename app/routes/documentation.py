"""/api/openapi.json and /docs"""

from typing import Any

from flask import Response, current_app, jsonify, render_template_string
from flask_openapi3 import APIBlueprint
from pydantic import BaseModel

api = APIBlueprint("documentation", __name__, doc_ui=False)

_SCHEME = "api_key"
SECURITY_SCHEMES: dict[str, Any] = {
    _SCHEME: {
        "type": "http",
        "scheme": "bearer",
        "description": "One of FLEET_API_KEYS. Its own pages send a login instead, and streams may have a view link.",
    }
}
SECURITY: list[dict[str, list[str]]] = [{_SCHEME: []}]


class ErrorBody(BaseModel):
    code: str
    message: str
    details: dict[str, Any]
    request_id: str | None


class ErrorAnswer(BaseModel):
    """The one shape of every error; the codes are a closed list."""

    error: ErrorBody


@api.get("/api/openapi.json")
def openapi() -> Response:
    return jsonify(current_app.api_doc)  # type: ignore[attr-defined]  # flask-openapi3's application has it


_PAGE = """<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Capture Fleet API</title>
  </head>
  <body>
    <noscript>The same as a document: <a href="/api/openapi.json">/api/openapi.json</a></noscript>
    <script id="api-reference" data-url="/api/openapi.json"
      data-configuration='{"withDefaultFonts": false, "hideClientButton": true, "showDeveloperTools": "never",
        "agent": {"disabled": true}}'>
    </script>
    <script src="{{ url_for('scalar.static', filename='js/scalar.standalone.js') }}"></script>
  </body>
</html>"""


@api.get("/docs")
def docs() -> str:
    return render_template_string(_PAGE)
