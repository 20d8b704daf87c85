import asyncio
import json

from app.viewers.mailbox import EVENTS_MAX, Mailbox, Message, Picture


def a_picture(number: int, width: int = 1280) -> Picture:
    return Picture(number, width, 720, b"jpeg %d" % number)


def taken(mailbox: Mailbox, count: int) -> list[Message]:
    async def take() -> list[Message]:
        return [await mailbox.next() for _ in range(count)]

    return asyncio.run(take())


def test_the_viewport_comes_before_the_first_picture_and_when_it_changes() -> None:
    async def take() -> list[Message]:
        mailbox = Mailbox(max_fps=1000)
        mailbox.put_picture(a_picture(1))
        first = [await mailbox.next(), await mailbox.next()]
        mailbox.put_picture(a_picture(2))
        second = [await mailbox.next()]
        mailbox.put_picture(a_picture(3, width=800))
        return [*first, *second, await mailbox.next(), await mailbox.next()]

    viewport, one, two, narrower, three = asyncio.run(take())
    assert json.loads(str(viewport)) == {"type": "viewport", "width": 1280, "height": 720}
    assert json.loads(str(narrower))["width"] == 800
    assert [one, two, three] == [a_picture(1), a_picture(2), a_picture(3, width=800)]


def test_a_slow_viewer_gets_the_newest_picture_alone() -> None:
    mailbox = Mailbox(max_fps=1000)
    for number in range(1, 100):
        mailbox.put_picture(a_picture(number))
    assert taken(mailbox, 2)[1] == a_picture(99)


def test_a_picture_that_comes_late_does_not_replace_a_newer_one() -> None:
    mailbox = Mailbox(max_fps=1000)
    mailbox.put_picture(a_picture(2))
    mailbox.put_picture(a_picture(1))
    assert taken(mailbox, 2)[1] == a_picture(2)


def test_events_come_first_and_in_their_order() -> None:
    mailbox = Mailbox(max_fps=1000)
    mailbox.put_picture(a_picture(1))
    for event in ("one", "two"):
        mailbox.put_event(event)
    assert taken(mailbox, 2) == ["one", "two"]


def test_events_beyond_the_bound_are_dropped_oldest_first_and_counted() -> None:
    mailbox = Mailbox(max_fps=1)
    for number in range(EVENTS_MAX + 7):
        mailbox.put_event(str(number))
    told, first = taken(mailbox, 2)
    assert json.loads(str(told)) == {"type": "session", "name": "events_dropped", "count": 7}
    assert first == "7"


def test_pictures_come_no_faster_than_the_viewer_wants_and_the_newest_then() -> None:
    async def take() -> tuple[Message, float]:
        mailbox = Mailbox(max_fps=20)
        loop = asyncio.get_running_loop()
        mailbox.put_picture(a_picture(1))
        await mailbox.next()
        await mailbox.next()
        sent = loop.time()
        mailbox.put_picture(a_picture(2))
        loop.call_later(0.01, mailbox.put_picture, a_picture(3))
        return await mailbox.next(), loop.time() - sent

    picture, passed = asyncio.run(take())
    assert picture == a_picture(3)
    assert passed >= 0.04
