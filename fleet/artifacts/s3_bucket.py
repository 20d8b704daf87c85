"""Artifacts in a bucket of S3 or of what speaks like it, under one prefix for each hour in which they expire.

Endpoint, region and credentials come from the AWS_* environment, as the library reads it. One object holds the bytes
of all artifacts that are equal and expire in the same hour.
"""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, BinaryIO, Final

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from fleet.artifacts import hours
from fleet.artifacts.failure import storage_failed

if TYPE_CHECKING:
    # There at run time in no module.
    from obstore.store import BackoffConfig, ClientConfig, RetryConfig

# Of one request with its answer; a part of a big object at 0.6 MB/s is still in time.
_CLIENT: Final["ClientConfig"] = {
    "connect_timeout": timedelta(seconds=5),
    "timeout": timedelta(seconds=30),
    # An endpoint of http: is the operator's own choice.
    "allow_http": True,
}
_BACKOFF: Final["BackoffConfig"] = {
    "init_backoff": timedelta(milliseconds=200),
    "max_backoff": timedelta(seconds=2),
    "base": 2,
}
# With jitter. A request that is not harmless to repeat is repeated only if it did not get through.
_RETRIES: Final["RetryConfig"] = {"max_retries": 3, "retry_timeout": timedelta(seconds=20), "backoff": _BACKOFF}
# Whether it works is known soon, also of a store that takes connections and says nothing.
_CHECK_CLIENT: Final["ClientConfig"] = {**_CLIENT, "timeout": timedelta(seconds=5)}
_CHECK_RETRIES: Final["RetryConfig"] = {**_RETRIES, "max_retries": 1, "retry_timeout": timedelta(seconds=5)}
_PART_BYTES = 16 * 2**20
_PARTS_AT_ONCE = 2
# What one reader holds in memory. Each is one request.
_READ_BYTES = 2**20
# As many as one request deletes.
_SWEPT_AT_ONCE = 1000
_PROBE = "probe"

_STATUS = re.compile(r"status code: (\d{3}[ \w]*)")
# Whom the library asks last: the machine that it runs on, if it is one of AWS.
_INSTANCE_CREDENTIALS = "/latest/api/token"
_CODE = re.compile(r"<Code>(\w{1,64})</Code>")


class S3Bucket:
    def __init__(self, bucket: str, prefix: str) -> None:
        within = prefix or None
        self._store = S3Store(bucket, prefix=within, client_options=_CLIENT, retry_config=_RETRIES)
        self._checked = S3Store(bucket, prefix=within, client_options=_CHECK_CLIENT, retry_config=_CHECK_RETRIES)

    def put(self, content: bytes, *, sha256: str, media_type: str, expires_at: datetime) -> str:
        location = hours.location(sha256, expires_at)
        with _translated_errors():
            if self._size(location) != len(content):
                self._write(location, content, media_type)
        return location

    def _size(self, location: str) -> int | None:
        try:
            return obstore.head(self._store, location)["size"]
        except FileNotFoundError:
            return None

    def _write(self, location: str, content: bytes, media_type: str) -> None:
        """In parts if it is big; it is there when all of them are."""
        attributes = {"Content-Type": media_type}
        if media_type == "text/html":
            # As the API gives it: somebody else's page is saved, not opened.
            attributes["Content-Disposition"] = "attachment"
        obstore.put(
            self._store,
            location,
            content,
            attributes=attributes,
            chunk_size=_PART_BYTES,
            max_concurrency=_PARTS_AT_ONCE,
        )

    def open(self, location: str) -> BinaryIO | None:
        with _translated_errors():
            size = self._size(location)
        return None if size is None else io.BufferedReader(_ObjectReader(self._store, location, size), _READ_BYTES)

    def link(self, location: str, *, valid_for: timedelta) -> str | None:
        with _translated_errors():
            return obstore.sign(self._store, "GET", location, valid_for)

    def sweep(self, now: datetime) -> int:
        with _translated_errors():
            for prefix in obstore.list_with_delimiter(self._store)["common_prefixes"]:
                if hours.has_passed(prefix, now):
                    return self._remove_some(prefix)
        return 0

    def _remove_some(self, prefix: str) -> int:
        some = next(iter(obstore.list(self._store, prefix, chunk_size=_SWEPT_AT_ONCE)), [])
        obstore.delete(self._store, [found["path"] for found in some])
        return len(some)

    def check(self) -> None:
        with _translated_errors():
            obstore.put(self._checked, _PROBE, b"The fleet writes this now and then to see that it can.\n")


class _ObjectReader(io.RawIOBase):
    """One request for each read. The bytes cannot change between two: their hash is in the object's name."""

    def __init__(self, store: S3Store, location: str, size: int) -> None:
        self._store = store
        self._location = location
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, origin + offset)
        return self._position

    def readall(self) -> bytes:
        # io's own asks for a few KiB at a time.
        return b"".join(iter(lambda: self.read(_READ_BYTES), b""))

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # io's callers give it nothing else
        end = min(self._position + len(buffer), self._size)
        if self._position >= end:
            return 0
        with _translated_errors():
            content = obstore.get_range(self._store, self._location, start=self._position, end=end)
        buffer[: len(content)] = memoryview(content)
        self._position += len(content)
        return len(content)


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except (BaseError, OSError) as error:
        raise storage_failed(_reason(error)) from error


def _reason(error: Exception) -> str:
    """The store's own status and code; the rest of what the library says has addresses and names of keys in it."""
    text = str(error)
    if _INSTANCE_CREDENTIALS in text:
        return "there are no AWS_ variables with credentials, nor others"
    if (status := _STATUS.search(text)) is None:
        return "it does not answer"
    code = _CODE.search(text)
    return f"{status[1].strip()}, {code[1]}" if code else status[1].strip()
