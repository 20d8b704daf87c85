"""Names of files that people recognise: from the page's address."""

import re
from urllib.parse import unquote, urlsplit

_LENGTH_MAX = 100
_EXTENSIONS = {
    "application/json": "json",
    "application/pdf": "pdf",
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "multipart/related": "mhtml",
    "text/html": "html",
    "text/markdown": "md",
    "text/plain": "txt",
}


def stem(url: str) -> str:
    """Such as `example.org-news-today`: no character that a file system or a shell minds."""
    try:
        parts = urlsplit(url)
        text = f"{parts.netloc.rpartition('@')[2]}-{unquote(parts.path)}-{unquote(parts.query)}"
    except ValueError:
        text = url
    return plain(text) or "page"


def plain(text: str) -> str:
    return re.sub(r"-{2,}", "-", re.sub(r"[^\w.]+", "-", text)).strip("-.")[:_LENGTH_MAX].rstrip("-.")


def extension(media_type: str) -> str:
    return _EXTENSIONS.get(media_type.partition(";")[0], "bin")


class Names:
    """Gives none twice."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def new(self, stem_: str, extension_: str) -> str:
        number, name = 1, f"{stem_}.{extension_}"
        # Not all file systems tell upper case from lower.
        while name.lower() in self._given:
            number += 1
            name = f"{stem_}-{number}.{extension_}"
        self._given.add(name.lower())
        return name
