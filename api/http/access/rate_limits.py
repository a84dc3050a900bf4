"""Rate limits: how many requests an address, and how many images a key may send."""

import math
import time
from collections.abc import Sequence

from limits import RateLimitItem, parse_many
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from api.http.access.client_address import network_of
from api.http.errors import TooManyRequestsError, UploadTooLargeError
from api.settings import Settings


class RateLimits:
    """Counts in memory, so each gateway for itself.

    Args:
        settings: name the limits.
    """

    def __init__(self, settings: Settings) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._per_key = _limits(settings.rate_limit_per_key)
        self._per_address = _limits(settings.rate_limit_per_address)

    async def count_request(self, address: str) -> None:
        """Count a request of an address.

        Raises:
            TooManyRequestsError: it has sent too many.
        """
        await self._count(self._per_address, "address", network_of(address), cost=1)

    async def check_key(self, key_id: str | None) -> None:
        """Refuse a key that has no image left, before what it sends is received.

        Raises:
            TooManyRequestsError: it has sent as many as it may.
        """
        if key_id is not None:
            for limit in self._per_key:
                if not await self._limiter.test(limit, "key", key_id):
                    raise await self._refusal(limit, "key", key_id)

    async def count_images(self, key_id: str | None, images: int) -> None:
        """Count images that come with a key; without one nothing is counted.

        Raises:
            TooManyRequestsError: with them it would have sent too many.
            UploadTooLargeError: they are more than a limit lets in at any time.
        """
        if key_id is not None and images:
            await self._count(self._per_key, "key", key_id, cost=images)

    async def _count(
        self, limits: Sequence[RateLimitItem], kind: str, identity: str, *, cost: int
    ) -> None:
        for limit in limits:
            if cost > limit.amount:
                raise UploadTooLargeError(f"{cost} images at once are more than {limit} can be")
            if not await self._limiter.test(limit, kind, identity, cost=cost):
                raise await self._refusal(limit, kind, identity)
        for limit in limits:
            # Between the two somebody else may have come.
            if not await self._limiter.hit(limit, kind, identity, cost=cost):
                raise await self._refusal(limit, kind, identity)

    async def _refusal(
        self, limit: RateLimitItem, kind: str, identity: str
    ) -> TooManyRequestsError:
        window = await self._limiter.get_window_stats(limit, kind, identity)
        return TooManyRequestsError(str(limit), math.ceil(max(1, window.reset_time - time.time())))


def _limits(notation: str | None) -> Sequence[RateLimitItem]:
    return parse_many(notation) if notation else ()
