"""Follows placed orders over the API until they have ended, or nothing moves any more, and reads how they ended."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from contracts.orders import TERMINAL, Stage
from workers.shop import Shop

RESTING = frozenset({Stage.BACKORDERED, Stage.HELD})
"""Open orders that wait for something that nobody is about to do."""

_PAGE = 200
_AT_ONCE = 16
_SHORTEST_S, _LONGEST_S = 0.5, 3.0
_ORDERS_PER_S = 2_000
_SENT = ("shipped", "delivered")
_BY_PROGRESS = [stage for stage in Stage if stage not in TERMINAL]


@dataclass(frozen=True, slots=True)
class Sent:
    """A parcel that left a location. `distance_km` is None where a point is unknown."""

    location: str
    distance_km: float | None


@dataclass(slots=True)
class Outcome:
    """How the orders ended: their number by stage, and the parcels of each that were sent."""

    stages: Counter[str] = field(default_factory=Counter)
    sent: dict[str, list[Sent]] = field(default_factory=dict)
    attention: Counter[str] = field(default_factory=Counter)


class Follower:
    """Watches a set of orders. `look` is called before each look, and raises when the system is gone."""

    def __init__(self, shop: Shop, orders: set[str], channel: str | None, look: Callable[[], None]) -> None:
        self._shop = shop
        self._orders = orders
        self._channel = channel
        self._look = look

    async def until_still(self, patience_s: float, told: Callable[[int], None]) -> bool:
        """Wait until no order is in motion; True when it came to that, False when nothing moved for so long.

        `told` hears how many orders have come to their end or to rest. An order that steps back while the stages
        are listed can be missed once, so that two looks must agree.
        """
        clock = asyncio.get_running_loop()
        last, since = None, clock.time()
        while True:
            self._look()
            found = await self._open()
            moving = [order for order, (stage, _) in found.items() if stage not in RESTING]
            told(len(self._orders) - len(moving))
            if found != last:
                last, since = found, clock.time()
            elif not moving:
                return True
            elif clock.time() - since > patience_s:
                return False
            await asyncio.sleep(min(max(len(found) / _ORDERS_PER_S, _SHORTEST_S), _LONGEST_S))

    async def _open(self) -> dict[str, tuple[str, bool]]:
        """Stage of every order that has not ended, and whether it needs attention, in which it rests too."""
        found: dict[str, tuple[str, bool]] = {}
        for stage in _BY_PROGRESS:
            async for order in self._listed(stage):
                if order["id"] in self._orders:
                    needs_attention = order["attention"] is not None
                    found[order["id"]] = (Stage.HELD if needs_attention else stage, needs_attention)
        return found

    async def _listed(self, stage: Stage) -> Any:
        channel = f"&channel={self._channel}" if self._channel else ""
        cursor = ""
        while True:
            page = await self._shop.send("GET", f"/v1/orders?stage={stage}&limit={_PAGE}{channel}{cursor}")
            for order in page["orders"]:
                yield order
            if page["next"] is None:
                return
            cursor = f"&cursor={page['next']}"

    async def outcome(self, told: Callable[[int], None]) -> Outcome:
        """Read every order once more."""
        outcome = Outcome()
        free = asyncio.Semaphore(_AT_ONCE)

        async def read(order: str) -> None:
            async with free:
                found = await self._shop.send("GET", f"/v1/orders/{order}")
            outcome.stages[found["stage"]] += 1
            if found["attention"]:
                outcome.attention[found["attention"]["code"]] += 1
            parcels = [parcel for parcel in found["parcels"] if parcel["state"] in _SENT]
            outcome.sent[order] = [Sent(parcel["location"], parcel["distance_km"]) for parcel in parcels]
            told(1)

        await asyncio.gather(*(read(order) for order in sorted(self._orders)))
        return outcome
