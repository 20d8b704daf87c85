"""/api/batches"""

from http import HTTPStatus
from typing import Any

from flask import Response, current_app, g, request
from flask_openapi3 import APIBlueprint, RawModel, Tag

from app.authentication import caller
from app.batch_body import MEDIA_TYPES, BatchQuery, batch_body
from app.cursors import parse_cursor, parse_index
from app.routes.models import ArchiveQuery, BatchAnswer, BatchPage, BatchPath, ItemList, ItemQuery, PageQuery
from app.routes.rendering import Answer, page_json
from app.services.batches import AcceptedBatch
from app.wiring import services
from fleet.models.batch import Batch, BatchState

api = APIBlueprint("batches", __name__, abp_tags=[Tag(name="batches", description="Many captures, one progress.")])


class BatchRaw(RawModel):
    mimetypes = list(MEDIA_TYPES)  # noqa: RUF012  # the framework's own


@api.post("/api/batches", summary="Capture many pages", responses={202: BatchAnswer})
def create_batch(raw: BatchRaw, query: BatchQuery) -> Answer:  # noqa: ARG001  # for the OpenAPI document
    """A JSON object with `urls`, `items` or `sitemap_url`, and options.

    Or a bare list of items as NDJSON, CSV or lines of URLs; then the options stand in the query.
    """
    with batch_body(request, json_bytes_max=current_app.config["MAX_CONTENT_LENGTH"]) as body:
        draft = body.draft(query)
        items = services().sitemaps.items(draft.sitemap_url) if draft.sitemap_url else draft.items
        same = f"{request.method}\n{request.full_path}\n{body.sha256}".encode()
        accepted = services().idempotency.once(
            request.headers.get("Idempotency-Key"),
            same,
            lambda: services().batches.accept(draft.options, draft.capture, items, g.request_id),
            AcceptedBatch.from_json,
            caller=caller().name,
        )
    return {"batch": batch_json(accepted.batch)}, HTTPStatus.ACCEPTED


@api.get("/api/batches", summary="List batches, newest first", responses={200: BatchPage})
def list_batches(query: PageQuery) -> Answer:
    page = services().batches.newest(limit=query.limit, cursor=parse_cursor(query.cursor))
    return page_json("batches", page, batch_json), HTTPStatus.OK


@api.get("/api/batches/<batch_id>", summary="One batch and its progress", responses={200: Batch})
def get_batch(path: BatchPath) -> Answer:
    return batch_json(services().batches.get(path.batch_id)), HTTPStatus.OK


@api.get("/api/batches/<batch_id>/items", summary="The items of a batch, in their order", responses={200: ItemList})
def list_items(path: BatchPath, query: ItemQuery) -> Answer:
    """Where those of a `state` are rare, a page may have fewer than `limit`, or none, and still a `next_cursor`."""
    page = services().batches.items(
        path.batch_id, state=query.state, first=parse_index(query.cursor), limit=query.limit
    )
    cursor = None if page.next_index is None else str(page.next_index)
    return {"items": [item.model_dump(mode="json") for item in page.items], "next_cursor": cursor}, HTTPStatus.OK


@api.get("/api/batches/<batch_id>/archive", summary="All that a batch yielded, as a ZIP or a WARC")
def get_archive(path: BatchPath, query: ArchiveQuery) -> Response:
    """Streamed; of a batch that has not ended, as far as it is.

    `zip`: files with readable names, `manifest.jsonl` with a line for each item, and a gallery, `index.html`.
    `warc`: the pages' HTML for replay, pictures and PDFs beside it.
    """
    if query.format == "warc":
        pieces, media_type, extension = services().batch_warcs.open(path.batch_id), "application/warc", "warc.gz"
    else:
        pieces, media_type, extension = services().batch_archives.open(path.batch_id), "application/zip", "zip"
    response = Response(pieces, mimetype=media_type)
    response.headers["Content-Disposition"] = f"attachment; filename={path.batch_id}.{extension}"
    return response


@api.post("/api/batches/<batch_id>/pause", summary="Begin no more items", responses={200: BatchAnswer})
def pause_batch(path: BatchPath) -> Answer:
    return {"batch": batch_json(services().batches.pause(path.batch_id))}, HTTPStatus.OK


@api.post("/api/batches/<batch_id>/resume", summary="Go on with a paused batch", responses={200: BatchAnswer})
def resume_batch(path: BatchPath) -> Answer:
    return {"batch": batch_json(services().batches.resume(path.batch_id))}, HTTPStatus.OK


@api.post(
    "/api/batches/<batch_id>/retry", summary="Begin items anew that did not succeed", responses={202: BatchAnswer}
)
def retry_batch(path: BatchPath) -> Answer:
    return {"batch": batch_json(services().batches.retry(path.batch_id))}, HTTPStatus.ACCEPTED


@api.delete("/api/batches/<batch_id>", summary="Cancel a batch", responses={200: BatchAnswer, 202: BatchAnswer})
def cancel_batch(path: BatchPath) -> Answer:
    """202 while items in hand are being stopped; 200 if it has ended. What has ended stays."""
    batch = services().batches.cancel(path.batch_id)
    status = HTTPStatus.OK if batch.state is BatchState.ENDED else HTTPStatus.ACCEPTED
    return {"batch": batch_json(batch)}, status


def batch_json(batch: Batch) -> dict[str, Any]:
    return batch.model_dump(mode="json", exclude={"request_id"})
