"""The body of a batch, in any of its formats, as options and a stream of items.

It is read once into a file, so that neither a long list nor a slow client takes memory, and then item by item.
"""

import csv
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from tempfile import SpooledTemporaryFile
from typing import IO, Any, TypeVar

from flask import Request
from pydantic import ConfigDict, ValidationError
from werkzeug.exceptions import RequestEntityTooLarge

from app.errors import raise_invalid
from app.json_request import parse_object
from fleet.errors import BatchTooLarge, InvalidRequest, RequestError, UnsupportedMediaType
from fleet.models.batch import BatchCapture, BatchItem, BatchOptions, BatchRequest
from fleet.store.batches import Item
from fleet.urls import check_url

JSON = "application/json"
NDJSON = "application/x-ndjson"
CSV = "text/csv"
PLAIN = "text/plain"
MEDIA_TYPES = (JSON, NDJSON, CSV, PLAIN)

BODY_BYTES_MAX = 256 * 1024 * 1024
_LINE_BYTES_MAX = 64 * 1024
_PIECE_BYTES = 64 * 1024
_IN_MEMORY_BYTES = 1024 * 1024

T = TypeVar("T")


class BatchQuery(BatchOptions):
    """Options of a batch whose body is a bare list of items. `capture`: as JSON."""

    model_config = ConfigDict(strict=False)

    capture: str | None = None


@dataclass(frozen=True)
class BatchDraft:
    """`items` are read, and raise what is wrong with them, while they are iterated.

    `sitemap_url`: they come from there instead.
    """

    options: BatchOptions
    capture: BatchCapture
    items: Iterator[Item]
    sitemap_url: str | None = None


@contextmanager
def batch_body(request: Request, *, json_bytes_max: int) -> Iterator["BatchBody"]:
    """The whole body. Raises BatchTooLarge, UnsupportedMediaType or werkzeug's RequestEntityTooLarge."""
    if request.mimetype not in MEDIA_TYPES:
        raise UnsupportedMediaType(f"Send a batch as one of {', '.join(MEDIA_TYPES)}, with its Content-Type.")
    with SpooledTemporaryFile(_IN_MEMORY_BYTES) as file:
        sha256 = _copy(request, file, json_bytes_max=json_bytes_max)
        file.seek(0)
        yield BatchBody(request.mimetype, file, sha256)


def _copy(request: Request, file: IO[bytes], *, json_bytes_max: int) -> str:
    """The SHA-256 of what was copied."""
    is_json = request.mimetype == JSON
    request.max_content_length = json_bytes_max if is_json else BODY_BYTES_MAX
    digest = hashlib.sha256()
    try:
        while piece := request.stream.read(_PIECE_BYTES):
            digest.update(piece)
            file.write(piece)
    except RequestEntityTooLarge as error:
        if is_json:
            raise
        raise BatchTooLarge(f"The body has more than {BODY_BYTES_MAX} bytes; split the batch.") from error
    return digest.hexdigest()


class BatchBody:
    """`sha256` tells it from others."""

    def __init__(self, media_type: str, file: IO[bytes], sha256: str) -> None:
        self._media_type = media_type
        self._file = file
        self.sha256 = sha256

    def draft(self, query: BatchQuery) -> BatchDraft:
        """Raises InvalidRequest, InvalidJson or InvalidUrl, here and while items are read."""
        if self._media_type == JSON:
            return self._json(query)
        fields = query.model_dump(exclude={"capture"})
        options = _validated(lambda: BatchOptions.model_validate(fields))
        capture_json = parse_object(query.capture.encode(), name="capture") if query.capture else {}
        capture = _named("capture", lambda: _validated(lambda: BatchCapture.model_validate(capture_json)))
        readers = {NDJSON: self._ndjson, CSV: self._csv, PLAIN: self._plain}
        return BatchDraft(options, capture, readers[self._media_type]())

    def _json(self, query: BatchQuery) -> BatchDraft:
        if query.model_fields_set:
            named = ", ".join(sorted(query.model_fields_set))
            raise InvalidRequest(f"Give {named} in the JSON body, not in the query.", field=named)
        body = _validated(lambda: BatchRequest.model_validate(parse_object(self._file.read())))
        options = BatchOptions.model_validate(body.model_dump(include=set(BatchOptions.model_fields)))
        return BatchDraft(options, body.capture, _json_items(body), body.sitemap_url)

    def _ndjson(self) -> Iterator[Item]:
        for number, line in self._lines():
            yield _item(f"line {number}", parse_object(line, name=f"Line {number}"))

    def _plain(self) -> Iterator[Item]:
        """One URL a line; what begins with `#` is a remark."""
        for number, line in self._lines():
            if not line.startswith(b"#"):
                yield _item(f"line {number}", _decoded(line, number))

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """Those that are not empty, with their numbers from 1."""
        number = 0
        while line := self._file.readline(_LINE_BYTES_MAX + 1):
            number += 1
            if len(line) > _LINE_BYTES_MAX:
                raise BatchTooLarge(f"Line {number} has more than {_LINE_BYTES_MAX} bytes.", line=number)
            if stripped := line.removeprefix(b"\xef\xbb\xbf").strip():
                yield number, stripped

    def _csv(self) -> Iterator[Item]:
        """The first row names options, such as `url`, `id`, `goto.wait_until`."""
        text = TextIOWrapper(self._file, encoding="utf-8-sig", newline="")
        rows = csv.reader(text, strict=True)
        try:
            names = [name.strip() for name in next(rows, [])]
            if "url" not in names:
                raise InvalidRequest("The first row of the CSV must name its columns; one of them is url.", line=1)
            for row in rows:
                if any(row):
                    yield _item(f"line {rows.line_num}", _csv_fields(names, row, rows.line_num))
        except csv.Error as error:
            raise InvalidRequest(f"line {rows.line_num}: {error}", line=rows.line_num) from error
        except UnicodeDecodeError as error:
            raise InvalidRequest(f"The CSV is not UTF-8 text, after line {rows.line_num}.") from error
        finally:
            text.detach()


def _json_items(body: BatchRequest) -> Iterator[Item]:
    for place, url in enumerate(body.urls or []):
        yield _item(f"urls[{place}]", url)
    for place, fields in enumerate(body.items or []):
        yield _item(f"items[{place}]", fields)


def _item(where: str, given: str | dict[str, Any]) -> Item:
    """Raises what is wrong with it, with `where` it stands."""
    if isinstance(given, str):
        return _named(where, lambda: Item(check_url(given)))
    checked = _named(where, lambda: _validated(lambda: BatchItem.model_validate(given)))
    options = checked.model_dump(mode="json", exclude_unset=True, exclude={"url", "id"})
    options_json = json.dumps(options, ensure_ascii=False, separators=(",", ":")) if options else ""
    if len(options_json) > _LINE_BYTES_MAX:
        raise BatchTooLarge(f"{where}: the item's own options have more than {_LINE_BYTES_MAX} characters.")
    return Item(checked.url, checked.id, options_json)


def _validated(validate: Callable[[], T]) -> T:
    """Raises InvalidRequest or InvalidUrl instead of pydantic's own error."""
    try:
        return validate()
    except ValidationError as error:
        raise_invalid(error)


def _named(where: str, make: Callable[[], T]) -> T:
    """What `make` gives; its error says `where` it happened."""
    try:
        return make()
    except RequestError as error:
        raise type(error)(f"{where}: {error.message}", **{**error.details, "where": where}) from error


def _decoded(line: bytes, number: int) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"line {number}: not UTF-8 text", where=f"line {number}") from error


def _csv_fields(names: list[str], row: list[str], number: int) -> dict[str, Any]:
    """A cell that is JSON, other than a string, is taken for what it says; an empty one is not there."""
    if len(row) > len(names):
        where = f"line {number}"
        raise InvalidRequest(f"{where}: has {len(row)} cells, but there are {len(names)} columns", where=where)
    fields: dict[str, Any] = {}
    for name, cell in zip(names, row, strict=False):
        if not cell:
            continue
        *path, last = name.split(".")
        inner = fields
        for part in path:
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                raise InvalidRequest(f"The columns {name} and {part} contradict each other.", line=1)
        inner[last] = cell if name in ("url", "id") else _csv_value(cell)
    return fields


def _csv_value(cell: str) -> Any:
    """What holds half a character, or is nested beyond reading, is text, which no option but a text takes."""
    try:
        value = json.loads(cell)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return cell
    return value
