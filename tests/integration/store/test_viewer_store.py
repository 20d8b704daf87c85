"""Viewers: counted from leases, over all replicas, and gone with whoever kept them."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from fleet import keys
from fleet.errors import ViewerLimitReached
from fleet.models.viewer import FrameWishes
from fleet.settings import Settings
from fleet.store import Store, open_store
from fleet.store.viewers import ViewerStore
from tests.factories import a_viewer
from tests.polling import eventually


@pytest.fixture
def two_places(settings: Settings) -> Iterator[ViewerStore]:
    """For two viewers at once."""
    store = open_store(settings.model_copy(update={"viewer_limit": 2}), retries=0)
    yield store.viewers
    store.client.close()


def test_viewers_are_counted_for_the_fleet_and_for_each_session(store: Store) -> None:
    watching = a_viewer(session_id="ses_one")
    for viewer in (watching, a_viewer(session_id="ses_one"), a_viewer(session_id="ses_two")):
        store.viewers.join(viewer)
    store.viewers.leave(watching)

    assert store.viewers.count() == 2
    assert [store.viewers.count_of(f"ses_{name}") for name in ("one", "two", "three")] == [1, 1, 0]


def test_no_more_may_watch_than_the_limit(two_places: ViewerStore) -> None:
    two_places.join(a_viewer())
    two_places.join(leaving := a_viewer())
    with pytest.raises(ViewerLimitReached):
        two_places.join(a_viewer())

    two_places.leave(leaving)
    two_places.join(a_viewer())
    assert two_places.count() == 2


def test_who_was_refused_is_not_counted_anywhere(two_places: ViewerStore) -> None:
    for _ in range(2):
        two_places.join(a_viewer())
    with pytest.raises(ViewerLimitReached):
        two_places.join(a_viewer(session_id="ses_refused"))
    assert two_places.count_of("ses_refused") == 0


def test_what_each_viewer_wishes_is_known(store: Store) -> None:
    sharp = a_viewer(session_id="ses_one", frames=FrameWishes(quality=90, max_fps=25, max_width=1920))
    store.viewers.join(sharp)

    assert store.viewers.of_sessions(["ses_one", "ses_two"]) == {"ses_one": [sharp], "ses_two": []}


def test_a_lease_that_is_not_renewed_ends(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fleet.store.viewers._LEASE", timedelta(seconds=3))
    viewer = a_viewer()
    store.viewers.join(viewer)
    assert store.viewers.count() == 1
    eventually(lambda: (store.viewers.count(), store.viewers.count_of(viewer.session_id)) == (0, 0), seconds=30)
    assert store.viewers.of_sessions([viewer.session_id]) == {viewer.session_id: []}


def test_a_renewed_lease_goes_on(store: Store) -> None:
    viewer = a_viewer()
    store.viewers.join(viewer)
    store.client.expire(keys.VIEWERS, 5)
    store.viewers.renew([viewer])

    assert store.client.ttl(keys.VIEWERS) > 5
    assert store.viewers.count() == store.viewers.count_of(viewer.session_id) == 1


def test_a_lease_that_ran_out_is_taken_up_again_by_its_renewal(store: Store) -> None:
    viewer = a_viewer()
    store.viewers.join(viewer)
    store.client.delete(keys.VIEWERS, keys.session_viewers(viewer.session_id))
    store.viewers.renew([viewer])
    assert store.viewers.count() == store.viewers.count_of(viewer.session_id) == 1


def test_whoever_holds_a_session_hears_that_its_viewers_have_changed(store: Store) -> None:
    heard: list[str] = []
    viewer = a_viewer()
    channel = keys.session_news(viewer.session_id)
    with store.client.pubsub(ignore_subscribe_messages=True) as listener:  # type: ignore[no-untyped-call]
        listener.subscribe(channel)
        eventually(lambda: store.client.pubsub_numsub(channel)[0][1] == 1)
        store.viewers.join(viewer)
        store.viewers.leave(viewer)

        def both_have_come() -> bool:
            message = listener.get_message(timeout=0.1)
            heard.extend([message["data"]] if message else [])
            return len(heard) == 2

        eventually(both_have_come)
    assert heard == [keys.NEWS_VIEWERS] * 2
