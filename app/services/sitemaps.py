"""The pages that a sitemap lists: one that is named by URL, with those that it refers to in turn."""

import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from xml.parsers import expat

from fleet.checked_http import CheckedHttp
from fleet.errors import FleetError, SitemapUnusable
from fleet.store.batches import Item
from fleet.urls import check_url

# A client waits for all of it; less than an Idempotency-Key is held for a request that is still being accepted.
_SECONDS = 20.0
_SITEMAPS_MAX = 500
# The limit of the sitemap protocol for one file, unpacked.
_BYTES_MAX = 50 * 1024 * 1024
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 31
_UNPACKED_PIECE_BYTES = 256 * 1024


class SitemapService:
    def __init__(self, http: CheckedHttp) -> None:
        self._http = http

    def items(self, url: str) -> Iterator[Item]:
        """In the order in which they are listed. Raises SitemapUnusable."""
        deadline = time.monotonic() + _SECONDS
        pending, read = [url], 0
        found = False
        while pending:
            if read == _SITEMAPS_MAX:
                raise SitemapUnusable(f"{url} refers to more than {_SITEMAPS_MAX} sitemaps.")
            read += 1
            for kind, location in self._locations(pending.pop(0), deadline):
                if kind == "sitemap":
                    pending.append(location)
                else:
                    found = True
                    yield Item(location)
        if not found:
            raise SitemapUnusable(f"{url} lists no page.")

    def _locations(self, url: str, deadline: float) -> Iterator[tuple[str, str]]:
        with _named(url), self._http.get(url, deadline=deadline) as body:
            yield from _Sitemap().locations(_unpacked(body))


@contextmanager
def _named(url: str) -> Iterator[None]:
    """Raises SitemapUnusable instead of what went wrong with that one."""
    try:
        yield
    except SitemapUnusable:
        raise
    except FleetError as error:
        raise SitemapUnusable(f"The sitemap {url}: {error.message}", cause=error.code) from error
    except expat.ExpatError as error:
        raise SitemapUnusable(f"The sitemap {url} is not valid XML ({error}).") from error
    except zlib.error as error:
        raise SitemapUnusable(f"The sitemap {url} cannot be unpacked ({error}).") from error


def _unpacked(body: Iterable[bytes]) -> Iterator[bytes]:
    """Of a file that may be packed by gzip. Raises SitemapUnusable if it is too large."""
    size = 0
    for piece in _inflated(body):
        size += len(piece)
        if size > _BYTES_MAX:
            raise SitemapUnusable(f"A sitemap has more than {_BYTES_MAX} bytes.")
        yield piece


def _inflated(body: Iterable[bytes]) -> Iterator[bytes]:
    inflater = None
    is_first = True
    for piece in body:
        if is_first and piece.startswith(_GZIP_MAGIC):
            inflater = zlib.decompressobj(_GZIP_WINDOW)
        is_first = False
        if inflater is None:
            yield piece
            continue
        yield inflater.decompress(piece, _UNPACKED_PIECE_BYTES)
        while inflater.unconsumed_tail:
            yield inflater.decompress(inflater.unconsumed_tail, _UNPACKED_PIECE_BYTES)


class _Sitemap:
    """A `urlset` or a `sitemapindex`, read as it comes."""

    def __init__(self) -> None:
        self._namespace = ""
        self._path: list[str] = []
        self._text: list[str] = []
        self._found: list[tuple[str, str]] = []
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text.append
        # Where entities are declared, which can make a page of text from a line of it.
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype

    def locations(self, body: Iterable[bytes]) -> Iterator[tuple[str, str]]:
        """Each with what it is of, `url` or `sitemap`. Raises SitemapUnusable, InvalidUrl or ExpatError."""
        for piece in body:
            self._parser.Parse(piece, False)  # noqa: FBT003  # expat's own: not the last one
            found, self._found = self._found, []
            yield from found
        self._parser.Parse(b"", True)  # noqa: FBT003

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        namespace, _, local = name.rpartition(" ")
        if not self._path and local not in {"urlset", "sitemapindex"}:
            raise SitemapUnusable(f"It is no sitemap: it begins with <{local}>.")
        # What other namespaces say of pictures and videos is no page.
        self._path.append(local if not self._path or namespace == self._namespace else "")
        if len(self._path) == 1:
            self._namespace = namespace
        self._text.clear()

    def _end(self, _name: str) -> None:
        if self._path[1:] in (["url", "loc"], ["sitemap", "loc"]):
            self._found.append((self._path[1], check_url("".join(self._text).strip())))
        self._path.pop()

    def _refuse_doctype(self, *_: object) -> None:
        raise SitemapUnusable("It has a document type, which a sitemap has not.")
