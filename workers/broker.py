"""A worker goes on when Redis closes its connections, whatever it was reading at that moment."""

from functools import wraps
from typing import Any

from kombu.transport.redis import Channel


def mend_closing() -> None:
    """Lets a channel be closed whose connection broke while it waited for a message.

    kombu (5.7) reads once more before it closes, fails, and leaves the channel half open. Where another channel fails
    to close as well, Celery's second try finds no connection at all, which ends the worker.
    """
    close: Any = Channel.close
    if hasattr(close, "__wrapped__"):
        return

    @wraps(close)
    def close_anyway(channel: Any) -> None:
        try:
            close(channel)
        except channel.connection_errors:
            if channel.closed:
                raise
            # What it waited for is given up by now, so that this time nothing is read.
            close(channel)

    Channel.close = close_anyway  # type: ignore[method-assign]  # there is no other seam that all transports share
