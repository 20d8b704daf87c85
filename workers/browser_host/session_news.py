"""What becomes of the sessions that this host holds, told by Redis at once.

Of others it hears nothing, however large the fleet is.
"""

from collections.abc import Callable

from fleet import keys
from fleet.store.notifications import Channel, Notifications


class SessionNews:
    def __init__(
        self,
        notifications: Notifications,
        *,
        database: int,
        on_open: Callable[[str], None],
        on_ended: Callable[[str], None],
        on_viewers: Callable[[str], None],
    ) -> None:
        """All are called in the listening thread, with the id of the session. `on_open`: nothing was told before."""
        self._notifications = notifications
        self._database = database
        self._on_open = on_open
        self._on_ended = on_ended
        self._on_viewers = on_viewers
        self._followed: set[str] = set()

    def follow(self, held: set[str]) -> None:
        """From now on these, and no others."""
        new: dict[str, Channel] = {}
        for session_id in held - self._followed:
            new |= self._channels(session_id)
        old = {channel for session_id in self._followed - held for channel in self._channels(session_id)}
        self._followed = held
        if new or old:
            self._notifications.exchange(new, old)

    def _channels(self, session_id: str) -> dict[str, Channel]:
        def heard(word: str) -> None:
            if word in {keys.NEWS_ENDED, keys.EXPIRED}:
                self._on_ended(session_id)
            elif word == keys.NEWS_VIEWERS:
                self._on_viewers(session_id)

        expiry = keys.session_expiry(self._database, session_id)
        # They are opened in this order.
        return {
            keys.session_news(session_id): Channel(heard),
            expiry: Channel(heard, on_open=lambda: self._on_open(session_id)),
        }
