"""How many sessions a caller may create in a while."""

from fleet.errors import RateLimited
from fleet.store.rate import Allowance, RateStore


class SessionRateService:
    def __init__(self, rates: RateStore) -> None:
        self._rates = rates

    def take(self, caller: str) -> Allowance:
        return self._rates.take(f"sessions/{caller}")

    @staticmethod
    def refuse(allowance: Allowance) -> RateLimited:
        message = f"No more than {allowance.limit} sessions may be created in this time. Try again later."
        return RateLimited(message, retry_after=allowance.reset_after)
