"""One worker at a time looks after all batches: what a killed child left undone, who is late, what is to be begun."""

from typing import Any

import structlog
from kombu.exceptions import OperationalError

from fleet.errors import StoreUnavailable
from fleet.models.batch import BatchEndReason, BatchState
from fleet.settings import settings
from workers.batch_feeder import BatchFeeder, Shares
from workers.hooks import counts
from workers.regular_look import RegularLook

_log = structlog.get_logger(__name__)


class BatchLook(RegularLook):
    seconds = 0.5

    def look(self, consumer: Any) -> None:
        def send(task: str, argument: str, queue: str) -> None:
            consumer.app.send_task(task, args=[argument], queue=queue)

        feeder = BatchFeeder(self.store, Shares.of(settings()), send, on_end=counts().batch_item_ended)
        try:
            if self.store.batches.may_look():
                self._look_after(feeder)
        except (StoreUnavailable, OperationalError) as error:
            _log.warning("batches not looked after", cause=str(error))

    def _look_after(self, feeder: BatchFeeder) -> None:
        for batch in self.store.batches.active():
            feeder.stop_if_late(batch)
            if batch.state is BatchState.STOPPING and batch.end_reason is BatchEndReason.CANCELLED:
                feeder.cancel_in_hand(batch)
            feeder.settle_lost_ends(batch)
            self.store.batches.renew(batch)
        feeder.feed()
