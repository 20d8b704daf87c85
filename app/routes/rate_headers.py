"""The standard headers that tell a client how much of its rate is left."""

from flask import Response, after_this_request

from app.authentication import caller
from app.wiring import services
from fleet.store.rate import Allowance


def take_session_allowance() -> None:
    """Counts one creation, and says so in the answer. Raises RateLimited."""
    allowance = services().session_rate.take(caller().name)
    after_this_request(lambda response: _told(response, allowance))
    if not allowance.is_granted:
        raise services().session_rate.refuse(allowance)


def _told(response: Response, allowance: Allowance) -> Response:
    response.headers["RateLimit-Limit"] = str(allowance.limit)
    response.headers["RateLimit-Remaining"] = str(allowance.remaining)
    response.headers["RateLimit-Reset"] = str(allowance.reset_after)
    return response
