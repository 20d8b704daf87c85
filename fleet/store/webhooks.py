"""Webhooks: those that are expected, the queue of those that are to be delivered, and their records.

What is expected is kept before its subject is accepted, and becomes a record in one step once the subject has ended. So
nothing is lost, whoever dies in between. The queue has a line for each receiver, and whoever takes from it goes around
the receivers, so that one that does not answer holds up nobody else.
"""

from datetime import datetime, timedelta
from typing import Final, cast

from fleet import keys
from fleet.clock import utc_now
from fleet.ids import new_id
from fleet.models.webhook import ExpectedWebhook, Webhook, WebhookEvent, WebhookState
from fleet.store.connection import RedisClient, script
from fleet.store.index import Cursor, Page, read_page

# Newest webhooks that the index can list.
_INDEX_LENGTH = 10_000
# Ends of jobs and sessions are told at once, unless time ended them or whoever did has died.
_LOOK_AGAIN: Final = {
    WebhookEvent.JOB_ENDED: timedelta(seconds=30),
    WebhookEvent.SESSION_ENDED: timedelta(seconds=30),
    # Nobody tells of theirs; there are a hundred at most.
    WebhookEvent.BATCH_ENDED: timedelta(seconds=2),
}
# An attempt is shorter; whoever has not settled it by then has died.
_LEASE = timedelta(seconds=60)
# Of one receiver, at once.
_IN_HAND_MAX = 2
# Whose lines one look at the queue goes through.
_RECEIVERS_LOOKED_AT = 50


class WebhookStore:
    def __init__(self, client: RedisClient) -> None:
        self._client = client
        self._make = script(client, "make_webhook")
        self._claim = script(client, "claim_webhook")
        self._settle = script(client, "settle_webhook")

    # Expecting.

    def expect(self, event: WebhookEvent, subject_id: str, url: str, *, earlier_end: datetime | None = None) -> None:
        """To be called before the subject is accepted, or begins anew."""
        now = utc_now()
        expected = ExpectedWebhook(
            id=new_id("whk"), event=event, subject_id=subject_id, url=url, since=now, earlier_end=earlier_end
        )
        with self._client.pipeline() as batch:
            batch.set(keys.webhook_expected(subject_id), expected.model_dump_json(), ex=keys.INDEX_SECONDS)
            batch.zadd(keys.WEBHOOKS_EXPECTED, {subject_id: _milliseconds(now + _LOOK_AGAIN[event])})
            batch.expire(keys.WEBHOOKS_EXPECTED, keys.INDEX_SECONDS)
            batch.execute()

    def may_look(self) -> bool:
        """Whether the caller is the one who looks for ends this time."""
        return bool(self._client.set(keys.WEBHOOKS_LOOK, "1", nx=True, ex=keys.WEBHOOKS_LOOK_SECONDS))

    def to_look_at(self, *, limit: int) -> list[ExpectedWebhook]:
        """Those whose subjects may have ended. They are looked at again later, unless they are made or forgotten."""
        now = utc_now()
        index = keys.WEBHOOKS_EXPECTED
        ids = cast("list[str]", self._client.zrangebyscore(index, "-inf", _milliseconds(now), start=0, num=limit))
        if not ids:
            return []
        kept = cast("list[str | None]", self._client.mget([keys.webhook_expected(subject) for subject in ids]))
        found = [ExpectedWebhook.model_validate_json(one) for one in kept if one]
        with self._client.pipeline(transaction=False) as batch:
            # Before anybody asks whether they have ended: an end that is told from now on is not overlooked.
            for expected in found:
                batch.zadd(index, {expected.subject_id: _milliseconds(now + _LOOK_AGAIN[expected.event])}, xx=True)
            gone = [subject for subject, one in zip(ids, kept, strict=True) if not one]
            if gone:
                batch.zrem(index, *gone)
            batch.execute()
        return found

    def forget(self, expected: ExpectedWebhook) -> None:
        """Its subject never was."""
        with self._client.pipeline() as batch:
            batch.delete(keys.webhook_expected(expected.subject_id))
            batch.zrem(keys.WEBHOOKS_EXPECTED, expected.subject_id)
            batch.execute()

    def make(self, expected: ExpectedWebhook, body: str) -> bool:
        """Its subject has ended: it is to be delivered, as of now. False: that was done before."""
        now = utc_now()
        webhook = Webhook(
            **expected.model_dump(include={"id", "event", "subject_id", "url"}),
            created_at=now,
            next_attempt_at=now,
        )
        made = self._make(
            keys=[
                keys.webhook_expected(expected.subject_id),
                keys.WEBHOOKS_EXPECTED,
                keys.webhook(expected.id),
                keys.WEBHOOK_INDEX,
                keys.webhooks_of(expected.subject_id),
                keys.WEBHOOKS_DUE,
            ],
            args=[
                expected.model_dump_json(), expected.subject_id, expected.id, webhook.receiver, _milliseconds(now),
                now.timestamp(), webhook.model_dump_json(), body, keys.WEBHOOK_SECONDS, keys.INDEX_SECONDS,
                _INDEX_LENGTH,
            ],
        )  # fmt: skip
        return bool(made)

    # Delivering.

    def claim(self) -> tuple[Webhook, bytes] | None:
        """The next one whose time has come, with its body, to be settled within a minute. None: there is none."""
        while found := self._next_due():
            webhook_id, receiver = found
            record, body = cast("list[str | None]", self._client.hmget(keys.webhook(webhook_id), "record", "body"))
            if record is not None and body is not None:
                return Webhook.model_validate_json(record), body.encode()
            # It has expired, or was settled by somebody whose lease had run out.
            self._end(webhook_id, receiver)
        return None

    def _next_due(self) -> list[str] | None:
        """Its id and its receiver."""
        now = utc_now()
        args: list[str | int] = [
            _milliseconds(now), _milliseconds(now + _LEASE), _IN_HAND_MAX, keys.INDEX_SECONDS, _RECEIVERS_LOOKED_AT,
        ]  # fmt: skip
        return cast("list[str] | None", self._claim(keys=[keys.WEBHOOKS_DUE], args=args))

    def settle(self, webhook: Webhook) -> None:
        """After an attempt: it is done with, or waits for the next one."""
        self._end(webhook.id, webhook.receiver, webhook)

    def _end(self, webhook_id: str, receiver: str, webhook: Webhook | None = None) -> None:
        next_at = webhook.next_attempt_at if webhook else None
        self._settle(
            keys=[keys.webhook(webhook_id), keys.WEBHOOKS_DUE],
            args=[
                webhook_id, receiver, _milliseconds(utc_now()), webhook.state.value if webhook else "",
                webhook.model_dump_json() if webhook else "", _milliseconds(next_at) if next_at else "",
                keys.WEBHOOK_SECONDS, keys.INDEX_SECONDS, WebhookState.PENDING.value,
            ],
        )  # fmt: skip

    # Reading.

    def get(self, webhook_id: str) -> Webhook | None:
        return self._get_many([webhook_id])[0]

    def newest(self, *, subject_id: str | None, limit: int, cursor: Cursor | None) -> Page[Webhook]:
        """All of them, or those of one subject."""
        index = keys.webhooks_of(subject_id) if subject_id else keys.WEBHOOK_INDEX
        return read_page(self._client, index, self._get_many, limit=limit, cursor=cursor)

    def _get_many(self, webhook_ids: list[str]) -> list[Webhook | None]:
        with self._client.pipeline(transaction=False) as batch:
            for webhook_id in webhook_ids:
                batch.hget(keys.webhook(webhook_id), "record")
            return [Webhook.model_validate_json(record) if record else None for record in batch.execute()]


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
