"""A person beside the pipeline: single captures, one after another."""

import statistics
import threading
import time
from typing import Self

from fleet_client import FleetApiError, FleetClient, Job

_PAUSE_SECONDS = 1.0
_STOP_SECONDS = 120.0


class Singles:
    """While it is entered. `seconds`: of those that succeeded, as the client saw them; `failures`: what others met."""

    def __init__(self, client: FleetClient, url: str) -> None:
        self._client = client
        self._url = url
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)
        self.seconds: list[float] = []
        self.failures: list[str] = []
        self.jobs: list[Job] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(_STOP_SECONDS)

    def take(self, count: int) -> None:
        """So many, at once one after another."""
        for _ in range(count):
            self._one()

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def _go_on(self) -> None:
        while not self._over.wait(_PAUSE_SECONDS):
            self._one()

    def _one(self) -> None:
        began = time.monotonic()
        try:
            self.jobs.append(self._client.capture(self._url))
        except FleetApiError as error:
            self.failures.append(str(error))
        else:
            self.seconds.append(time.monotonic() - began)
