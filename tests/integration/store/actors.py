"""Work that pauses before each of its commands to the store, so that a test says in which order things happen."""

from collections.abc import Callable
from typing import Any, ClassVar

from greenlet import GreenletExit, getcurrent, greenlet
from redis import BlockingConnectionPool

from fleet.store import Store


class Actor(greenlet):
    """Runs from one command to the next, and only when the test lets it; at each it may stay for good.

    `watch` is called after each.
    """

    watch: ClassVar[Callable[[], None]] = staticmethod(lambda: None)

    def __init__(self, work: Callable[[], Any]) -> None:
        beginner = getcurrent()
        # Each pause returns to the test itself.
        super().__init__(work, beginner.parent if isinstance(beginner, Actor) else beginner)
        self.waits_for: Actor | None = None
        self.is_killed = False

    def go(self, commands: int | None = None) -> None:
        """So many commands further (None: to its end); what it waits for goes on instead."""
        while not self.dead and commands != 0:
            self._foremost().switch()
            Actor.watch()
            commands = None if commands is None else commands - 1

    def _foremost(self) -> "Actor":
        actor = self
        while actor.waits_for is not None and not actor.waits_for.dead:
            actor = actor.waits_for
        return actor

    def kill(self) -> None:
        """It ends where it is, without another command."""
        if not self.dead:
            self.is_killed = True
            self.parent = getcurrent()
            self.throw()


def current() -> Actor | None:
    actor = getcurrent()
    return actor if isinstance(actor, Actor) else None


def pause() -> None:
    """Of the actor that calls it; the test itself never pauses."""
    actor = current()
    if actor is None:
        return
    if not actor.is_killed:
        assert actor.parent is not None
        actor.parent.switch()
    if actor.is_killed:
        raise GreenletExit


def wait_for(other: Actor) -> None:
    """Until it has ended, or may have."""
    actor = current()
    if actor is None:
        other.go()
        return
    actor.waits_for = other
    try:
        pause()
    finally:
        actor.waits_for = None


class _PausingPool(BlockingConnectionPool):
    def get_connection(self, *args: Any, **options: Any) -> Any:
        pause()
        return super().get_connection(*args, **options)  # type: ignore[no-untyped-call]  # redis-py's own gap


def pause_before_each_command(store: Store) -> None:
    pool = store.client.connection_pool
    store.client.connection_pool = _PausingPool(  # type: ignore[no-untyped-call]  # redis-py's own gap
        connection_class=pool.connection_class, **pool.connection_kwargs
    )
    pool.disconnect()
