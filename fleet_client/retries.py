"""Which requests are sent again, how often, and after how long."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from fleet_client.errors import ConnectionFailed, FleetApiError, FleetClientError, NotTheApi, Unavailable
from fleet_client.exchange import Call, Reply, Request, Send, Sink

_FIRST_PAUSE_SECONDS = 0.5
_PAUSE_MAX_SECONDS = 20
# Of proxies that do not reach the API behind them.
_GATEWAY_STATUSES = (502, 503, 504)


class Deadline:
    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def seconds_left(self) -> float:
        return max(0.0, self._end - time.monotonic())


OnPause = Callable[[float, FleetClientError], None]


@dataclass(frozen=True)
class Retries:
    """At most `times` more tries, with pauses of at most `seconds` in all. None at all: `Retries(times=0)`.

    `on_pause` is told the seconds and the reason before each pause.
    """

    times: int = 8
    seconds: float = 120
    on_pause: OnPause | None = None

    def pause_before(self, retry: int, error: FleetClientError, paused_seconds: float) -> float | None:
        """Before retry 1, 2, …; None: it is not worth one. Never shorter than the answer asked for."""
        if retry > self.times or not _may_pass(error):
            return None
        spread = min(_PAUSE_MAX_SECONDS, _FIRST_PAUSE_SECONDS * 2 ** (retry - 1))
        pause = random.uniform(spread / 2, spread)
        if isinstance(error, FleetApiError) and error.retry_after is not None:
            # So that those who were sent away together do not come back together.
            pause = error.retry_after + random.uniform(0, min(1, spread))
        return pause if paused_seconds + pause <= self.seconds else None


def _may_pass(error: FleetClientError) -> bool:
    if isinstance(error, FleetApiError):
        return isinstance(error, Unavailable) or error.code == "idempotency_in_progress"
    return isinstance(error, ConnectionFailed)


def answered(
    request: Request, retries: Retries, *, deadline: Deadline | None = None, sink: Sink | None = None
) -> Call[Reply]:
    """The good answer to a request. Raises FleetApiError, ConnectionFailed, or NotTheApi.

    `deadline`: no pause reaches beyond it.
    """
    pause = paused = 0.0
    retry = 0
    while True:
        try:
            reply = yield Send(request, pause, sink)
            error: FleetClientError | None = _error_of(reply)
        except ConnectionFailed as failure:
            error = failure
        if error is None:
            return reply
        retry += 1
        next_pause = retries.pause_before(retry, error, paused) if request.repeatable else None
        if next_pause is None or (deadline is not None and next_pause > deadline.seconds_left):
            raise error
        pause = next_pause
        paused += pause
        if retries.on_pause is not None:
            retries.on_pause(pause, error)


def _error_of(reply: Reply) -> FleetClientError | None:
    """Raises NotTheApi."""
    try:
        return reply.error()
    except NotTheApi:
        if reply.status in _GATEWAY_STATUSES:
            return ConnectionFailed(f"A proxy answered {reply.status}: it does not reach the API.")
        raise
