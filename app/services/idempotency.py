"""A POST that is sent again with its `Idempotency-Key` gets the first answer, and makes no second job."""

import hashlib
import re
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from fleet.errors import FleetError, IdempotencyInProgress, IdempotencyKeyReused, InvalidRequest
from fleet.store.idempotency import FirstAnswer, IdempotencyStore


class Answer(Protocol):
    def to_json(self) -> dict[str, Any]:
        """All of it, so that it can be read again."""


A = TypeVar("A", bound=Answer)

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class IdempotencyService:
    def __init__(self, answers: IdempotencyStore) -> None:
        self._answers = answers

    def once(
        self,
        key: str | None,
        request: bytes,
        accept: Callable[[], A],
        read: Callable[[dict[str, Any]], A],
        *,
        caller: str,
    ) -> A:
        """What `accept` gave, now or the first time; then `read` made it from its JSON.

        `request`: all that makes two requests of a caller the same.
        """
        if key is None:
            return accept()
        if not _KEY.fullmatch(key):
            raise InvalidRequest("Idempotency-Key must be 1 to 255 visible ASCII characters.", field="Idempotency-Key")
        key_sha256 = hashlib.sha256(f"{caller}\n{key}".encode()).hexdigest()
        request_sha256 = hashlib.sha256(request).hexdigest()
        first = self._answers.claim(key_sha256, request_sha256)
        if first is not None:
            return read(_repeated(first, request_sha256))
        try:
            accepted = accept()
        except FleetError:
            self._answers.forget(key_sha256)
            raise
        self._answers.keep(key_sha256, request_sha256, accepted.to_json())
        return accepted


def _repeated(first: FirstAnswer, request_sha256: str) -> dict[str, Any]:
    if first.request_sha256 != request_sha256:
        message = "This Idempotency-Key was used for another request in the last 24 h. Use a new one."
        raise IdempotencyKeyReused(message)
    if first.answer is None:
        message = "The first request with this Idempotency-Key is still being accepted. Try again in a second."
        raise IdempotencyInProgress(message)
    return first.answer
