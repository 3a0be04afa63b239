"""Reads a window of history in the order in which it was written: what arrived, what was ordered, what was called off.

Orders stand where they were first routed: after exactly the ledger rows that their decision saw.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from activities.orders.looking_back import available_by, parcels_by, policy_then
from activities.orders.network import Network
from activities.orders.prices import Expected
from activities.orders.whatif import CalledOff, Event, Placed
from activities.stock.expecting import expectation, sold_before
from contracts.orders import OrderState
from contracts.routing import Decision, Policy
from contracts.stock import Movement, slots_since
from infra.mongo import Mongo

_OWN = frozenset({"reserved", "released", "shipped"})
"""Kinds of movements by which orders move goods; those of orders in the window are decided anew."""
_LEFT_OUT = {"timeline": 0, "digest": 0, "parcels": 0, "ship_to": 0}


@dataclass(frozen=True, slots=True)
class Window:
    """Orders placed from `start` until before `end`. `version`: the stock's newest version before it."""

    start: datetime
    end: datetime
    version: int


@dataclass(slots=True)
class History:
    """A window as it is read. `never_routed`: orders that were placed in it and never came to be routed."""

    mongo: Mongo
    window: Window
    routed: int = 0
    never_routed: int = 0
    _policies: dict[str, Policy] = field(default_factory=dict)

    async def count(self) -> None:
        placed = _placed_in(self.window)
        self.routed = await self.mongo.orders.count_documents({**placed, "decisions.0": {"$exists": True}})
        self.never_routed = await self.mongo.orders.count_documents({**placed, "decisions.0": {"$exists": False}})

    async def stock(self) -> dict[tuple[str, str], int]:
        """Available units at the start: the ledger summed up to then."""
        return await available_by(self.mongo, {"version": {"$lte": self.window.version}})

    async def parcels(self) -> dict[tuple[str, str], int]:
        """Parcels that count against capacities at the start, by location and slot."""
        counting = {"slot": {"$gte": slots_since(self.window.start)}}
        return await parcels_by(self.mongo, {**counting, "version": {"$lte": self.window.version}})

    async def expected(self, network: Network, policies: Sequence[Policy], now: datetime) -> Expected | None:
        """What was expected on a day; from the days that production had counted then."""
        sold, days = await sold_before(self.mongo, now)
        return expectation(sold, days, network, policies, now) if sold else None

    async def events(self) -> AsyncIterator[Event]:
        """Streams; what it keeps in memory is an id for every order of the window."""
        inside: dict[str, datetime | None] = {}
        orders = self._orders()
        rows = self._rows()
        row = await anext(rows, None)
        async for document in orders:
            decision = document["decisions"][0]
            until = (decision["stock_version"] + 1, decision["stock_rows"])
            while row is not None and (row["version"], row["row"]) < until:
                for event in _events_of(row, inside):
                    yield event
                row = await anext(rows, None)
            placed = await self._placed(document)
            cancelled = document.get("cancellation")
            inside[document["_id"]] = cancelled["at"] if cancelled and cancelled["outcome"] == "cancelled" else None
            yield placed
        while row is not None:
            for event in _events_of(row, inside):
                yield event
            row = await anext(rows, None)

    def _orders(self) -> AsyncIterator[dict[str, Any]]:
        found = self.mongo.orders.aggregate(
            [
                {"$match": {**_placed_in(self.window), "decisions.0": {"$exists": True}}},
                {"$project": _LEFT_OUT},
                {"$set": {"decisions": {"$slice": ["$decisions", 1]}}},
                {"$set": {"seen": {"$first": "$decisions"}}},
                {"$sort": {"seen.stock_version": 1, "seen.stock_rows": 1, "placed_at": 1, "_id": 1}},
            ],
            allowDiskUse=True,
        )
        return aiter(found)

    def _rows(self) -> AsyncIterator[dict[str, Any]]:
        query = {"version": {"$gt": self.window.version}, "at": {"$lt": self.window.end}}
        return aiter(self.mongo.ledger.find(query).sort([("version", 1), ("row", 1)]))

    async def _placed(self, document: Mapping[str, Any]) -> Placed:
        decision = Decision.model_validate(document["decisions"][0])
        if decision.policy not in self._policies:
            self._policies[decision.policy] = await policy_then(self.mongo, decision.policy)
        order = OrderState.model_validate({**document, "id": document["_id"], "ship_to": {}, **_FRESH})
        return Placed(
            order=order,
            at=decision.at,
            policy=self._policies[decision.policy],
            went=frozenset(part.location for part in decision.allocations),
            leaves=document.get("cancellation") is not None,
        )


_FRESH: dict[str, Any] = {"parcels": [], "excluded": [], "attempt": 0, "refusals": 0, "cancellation": None}


def _placed_in(window: Window) -> dict[str, Any]:
    return {"placed_at": {"$gte": window.start, "$lt": window.end}}


def _events_of(row: Mapping[str, Any], inside: dict[str, datetime | None]) -> list[Event]:
    """A row of the ledger as it counts in every arm: not at all when it is what became of an order of the window,
    except that goods which come back because the customer called the order off say when."""
    order = row.get("order")
    if row["kind"] not in _OWN or order not in inside:
        return [Movement.from_row(row)]
    cancelled = inside[order]
    if row["kind"] == "released" and cancelled is not None and row["at"] >= cancelled:
        inside[order] = None
        return [CalledOff(order, row["at"])]
    return []


async def window_of(mongo: Mongo, start: datetime | None, end: datetime) -> Window:
    """Without a start, from the first order on."""
    if start is None:
        first = await mongo.orders.find_one({}, {"placed_at": 1}, sort=[("placed_at", 1)])
        start = first["placed_at"] if first else end
    return Window(start, end, await _version_before(mongo, start))


async def _version_before(mongo: Mongo, start: datetime) -> int:
    """The newest version whose rows are all from before a moment; found by halving, since versions grow with time."""
    newest = await mongo.ledger.find_one({}, {"version": 1}, sort=[("version", -1)])
    low, high = 0, (newest["version"] if newest else 0) + 1
    while low + 1 < high:
        middle = (low + high) // 2
        row = await mongo.ledger.find_one({"version": {"$gte": middle}}, {"at": 1}, sort=[("version", 1), ("row", 1)])
        if row is not None and row["at"] < start:
            low = middle
        else:
            high = middle
    return low
