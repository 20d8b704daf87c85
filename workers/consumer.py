"""Celery's consumer, without what every worker would tell every other one."""

from typing import Any

import celery.worker.consumer


class Consumer(celery.worker.consumer.Consumer):  # type: ignore[misc]  # Celery publishes no types
    """Among n workers, gossip sends n² messages every two seconds, and mingle n² at the start of a fleet. Both serve
    revoked tasks and logical clocks, of which the fleet makes no use.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "without_gossip": True, "without_mingle": True})
