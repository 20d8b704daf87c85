import json

from fleet import keys
from fleet.store import Store
from tests.polling import eventually


def test_an_event_is_heard_by_who_listens_to_its_session(store: Store) -> None:
    heard: list[dict[str, object]] = []
    with store.client.pubsub(ignore_subscribe_messages=True) as listener:  # type: ignore[no-untyped-call]
        listener.subscribe(keys.session_events("ses_one"))
        eventually(lambda: store.client.pubsub_numsub(keys.session_events("ses_one"))[0][1] == 1)
        store.events.publish("ses_two", "session", "expiring", expires_in=1)
        store.events.publish("ses_one", "session", "expiring", expires_in=60)

        def has_come() -> bool:
            message = listener.get_message(timeout=0.1)
            heard.extend([json.loads(message["data"])] if message else [])
            return bool(heard)

        eventually(has_come)
    (event,) = heard
    assert {**event, "at": "now"} == {
        "type": "session",
        "name": "expiring",
        "session_id": "ses_one",
        "at": "now",
        "expires_in": 60,
    }
