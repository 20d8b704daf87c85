"""/metrics"""

from flask import Response, request
from flask_openapi3 import APIBlueprint, Tag

from app.wiring import services

api = APIBlueprint("metrics", __name__, abp_tags=[Tag(name="metrics", description="For Prometheus.")])


@api.get("/metrics", summary="Numbers of the API and of the fleet, as Prometheus reads them")
def metrics() -> Response:
    """Each worker has a page of its own."""
    page, media_type = services().metrics.scrape(request.headers.get("Accept", ""))
    return Response(page, content_type=media_type)
