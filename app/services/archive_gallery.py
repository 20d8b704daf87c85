"""The gallery in an archive: pages of HTML that need no server, no script and no other host."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fleet.models.batch import Batch

# Browsers load pictures as they come into view, and still have to lay all of them out.
_ON_A_PAGE = 200

Json = dict[str, Any]

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def gallery_pages(batch: Batch, lines: Callable[[], Iterable[Json]]) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Name and content of each page. `lines`: of the manifest, from its start."""
    template = _TEMPLATES.get_template("archive_gallery.html")
    count = max(1, -(-batch.counts.total // _ON_A_PAGE))
    items = iter(lines())
    for number in range(1, count + 1):
        on_page = [_card(line) for line in islice(items, _ON_A_PAGE)]
        page = template.render(batch=batch, cards=on_page, number=number, count=count, name=_name)
        yield _name(number), iter([page.encode()])


def _name(number: int) -> str:
    return "index.html" if number == 1 else f"gallery-{number}.html"


def _card(line: Json) -> Json:
    files = [artifact for artifact in line["artifacts"] if artifact["file"]]
    pictures = [artifact for artifact in files if artifact["media_type"].startswith("image/")]
    return {**line, "files": files, "picture": pictures[0] if pictures else None}
