"""When a checkpoint is taken, beside its being taken at all: tests/integration/browser_host/test_restoration.py."""

from fleet.errors import StoreUnavailable
from fleet.models.checkpoint import Checkpoint
from fleet.store.checkpoints import CheckpointStore
from tests.integration.browser_host.browser import WORKER, Browser, comes_true
from workers.browser_host.checkpoints import Checkpoints


class AwayAtFirst(CheckpointStore):
    """Does not answer the first time."""

    answers = False

    def keep(self, session_id: str, worker: str, checkpoint: Checkpoint) -> bool:
        if not self.answers:
            self.answers = True
            raise StoreUnavailable("The store does not answer.")
        return super().keep(session_id, worker, checkpoint)


async def test_a_checkpoint_that_the_store_did_not_take_is_taken_again_without_another_job(browser: Browser) -> None:
    session_id = await browser.open_session()
    (held,) = browser.sessions.all
    Checkpoints(AwayAtFirst(browser.store.client), WORKER).after_use(held)
    await comes_true(lambda: browser.store.checkpoints.get(session_id) is not None, seconds=60)
