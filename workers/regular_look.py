"""Steps of Celery's consumer that look at something again and again, by the consumer's own timer: a process that forks
should have no threads.
"""

from typing import Any, ClassVar

from celery import bootsteps

from fleet.store import Store
from workers.hooks import node_store


class RegularLook(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery publishes no types
    """Celery makes one of each subclass, and starts it again after each loss of the broker."""

    requires = ("celery.worker.consumer.tasks:Tasks",)
    # Between two looks.
    seconds: ClassVar[float]

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        # Without retries, for a look must not keep the consumer waiting: what cannot be read now is read by the next.
        self.store: Store = node_store()
        self._timer: Any = None

    def look(self, consumer: Any) -> None:
        raise NotImplementedError

    def start(self, consumer: Any) -> None:
        self._timer = consumer.timer.call_repeatedly(self.seconds, self.look, (consumer,))

    def stop(self, consumer: Any) -> None:  # noqa: ARG002  # Celery hands it over
        if self._timer is not None:
            self._timer.cancel()
