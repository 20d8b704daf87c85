"""What one page may take: in memory, in time on its renderer, in messages."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PageLimits:
    """`heap_bytes`: of JavaScript objects and array buffers, `dom_bytes`: of nodes; each of all frames and popups of
    a context together. A large document is no leak, so that nodes may take more.

    `hung_seconds`: how long a page may not answer. Long tasks of healthy pages take a second or two, and several
    times that where many captures share few cores.
    `busy_share`: of one core, in a page that no capture looks at; from `idle_seconds` to `idle_seconds`, twice.
    What is `per_second` is counted while a capture runs. Chrome keeps each message until it is read, without a bound.
    Frames are those of WebSockets.
    `process_bytes`: of a renderer process, whatever it keeps there.
    """

    heap_bytes: int
    dom_bytes: int
    process_bytes: int
    measure_seconds: float = 0.5
    hung_seconds: float = 10
    leave_seconds: float = 2
    idle_seconds: float = 5
    busy_share: float = 0.1
    console_messages_per_second: int = 250
    frames_per_second: int = 2_000
    frame_bytes_per_second: int = 16 * 1024**2
    popups_per_second: int = 20
    loads_per_second: int = 5


_DOM_FACTOR = 3
# Beside its heap a process keeps code, styles, pictures and canvases, some of them twice.
_PROCESS_FACTOR = 5


def page_limits(heap_limit_mb: int) -> PageLimits:
    heap_bytes = heap_limit_mb * 1024**2
    return PageLimits(
        heap_bytes=heap_bytes, dom_bytes=_DOM_FACTOR * heap_bytes, process_bytes=_PROCESS_FACTOR * heap_bytes
    )
