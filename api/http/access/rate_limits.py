"""Rate limits: requests per address and images per API key."""

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
    """Counts in memory, so each gateway process has its own counts.

    Args:
        settings: define the limits.
    """

    def __init__(self, settings: Settings) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._per_key = _limits(settings.rate_limit_per_key)
        self._per_address = _limits(settings.rate_limit_per_address)

    async def count_request(self, address: str) -> None:
        """Count a request from an address.

        Raises:
            TooManyRequestsError: the address has sent too many.
        """
        await self._count(self._per_address, "address", network_of(address), cost=1)

    async def check_key(self, key_id: str | None) -> None:
        """Reject a key that has used up its images, before its body is received.

        Raises:
            TooManyRequestsError: the key has reached a limit.
        """
        if key_id is not None:
            for limit in self._per_key:
                if not await self._limiter.test(limit, "key", key_id):
                    raise await self._rejection(limit, "key", key_id)

    async def count_images(self, key_id: str | None, images: int) -> None:
        """Count images given to the models for a key; without a key nothing is counted.

        Raises:
            TooManyRequestsError: the images would exceed a limit.
            UploadTooLargeError: the images are more than a limit ever allows.
        """
        if key_id is not None and images:
            await self._count(self._per_key, "key", key_id, cost=images)

    async def _count(
        self, limits: Sequence[RateLimitItem], kind: str, identity: str, *, cost: int
    ) -> None:
        for limit in limits:
            if cost > limit.amount:
                raise UploadTooLargeError(
                    f"{cost} images in one request exceed the limit of {limit}"
                )
            if not await self._limiter.test(limit, kind, identity, cost=cost):
                raise await self._rejection(limit, kind, identity)
        for limit in limits:
            # Another request may have been counted since the test.
            if not await self._limiter.hit(limit, kind, identity, cost=cost):
                raise await self._rejection(limit, kind, identity)

    async def _rejection(
        self, limit: RateLimitItem, kind: str, identity: str
    ) -> TooManyRequestsError:
        window = await self._limiter.get_window_stats(limit, kind, identity)
        return TooManyRequestsError(str(limit), math.ceil(max(1, window.reset_time - time.time())))


def _limits(notation: str | None) -> Sequence[RateLimitItem]:
    return parse_many(notation) if notation else ()
