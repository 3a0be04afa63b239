"""Makes the entries of a step's orders: reads the rules when they have changed, and what was booked of parcels."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from activities.orders.moves import Moves
from activities.settlement.entries import entries_for, reversing
from activities.settlement.rates import Rates
from contracts.orders import GONE, OrderState
from contracts.settlement import Entry, Rule, shipped_cause
from contracts.versions import newest
from infra.mongo import Mongo


class Books:
    """One object per process. `read` does the I/O for a whole step, so that each order's entries can be made purely."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._rules: list[Rule] = []
        self._version = -1

    async def read(self, moved: Sequence[Moves]) -> "Page":
        leaving = [moves.order for moves in moved if _leaves(moves.before, moves.order)]
        back = {moves.order.id: parcels for moves in moved if (parcels := reversing_of(moves))}
        rates = await self._rates(leaving) if leaving else Rates()
        booked: dict[str, list[Entry]] = defaultdict(list)
        if back:
            causes = [shipped_cause(parcel) for parcels in back.values() for parcel in parcels]
            query = {"order": {"$in": list(back)}, "cause": {"$in": causes}}
            async for row in self._mongo.entries.find(query).sort("_id", 1):
                booked[row["order"]].append(Entry.from_row(row))
        return Page(rates, booked)

    async def _rates(self, orders: Sequence[OrderState]) -> Rates:
        counter = await self._mongo.counters.find_one({"_id": "commission_rules"})
        version = counter["version"] if counter else 0
        if version != self._version:
            rows = self._mongo.commission_rules.find({}, {"_id": 0})
            self._rules = newest([Rule.model_validate(row) async for row in rows])
            self._version = version
        places = {parcel.location for order in orders for parcel in order.parcels if parcel.state in GONE}
        places |= {order.sold_by for order in orders if order.sold_by is not None}
        categories = await self._categories(orders) if any(rule.category for rule in self._rules) else {}
        return Rates(self._rules, await self._kinds(places), categories)

    async def _kinds(self, places: Iterable[str]) -> dict[str, str]:
        rows = self._mongo.locations.find({"_id": {"$in": sorted(places)}}, {"kind": 1})
        return {row["_id"]: row["kind"] for row in await rows.to_list(None)}

    async def _categories(self, orders: Iterable[OrderState]) -> dict[str, str]:
        skus = sorted({line.sku for order in orders for line in order.lines})
        rows = self._mongo.skus.find({"_id": {"$in": skus}, "category": {"$exists": True}}, {"category": 1})
        return {row["_id"]: row["category"] async for row in rows}


class Page:
    """What the entries of a step need."""

    def __init__(self, rates: Rates, booked: dict[str, list[Entry]]) -> None:
        self._rates = rates
        self._booked = booked

    def enter(self, moves: Moves, at: datetime) -> None:
        """Make the entries of what an order's step did; they are written with it."""
        moves.entries = entries_for(moves.before, moves.order, self._rates, at, self._booked.get(moves.order.id, ()))


def reversing_of(moves: Moves) -> list[str]:
    """None where the units do not make sense: the order itself then stops on that error, and no other."""
    try:
        return reversing(moves.before, moves.order)
    except ValueError:
        return []


def _leaves(before: OrderState, after: OrderState) -> bool:
    gone = {parcel.id for parcel in before.parcels if parcel.state in GONE}
    return any(parcel.state in GONE and parcel.id not in gone for parcel in after.parcels)
