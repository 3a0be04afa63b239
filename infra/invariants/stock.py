"""Invariants of stock: levels, what is reserved at them, and the ledger that must add up to them."""

from dataclasses import dataclass
from typing import Any

from contracts.ids import stock_id
from contracts.orders import UNSHIPPED
from infra.invariants.findings import EXAMPLES_SHOWN, Finding, Invariant, found
from infra.mongo import Mongo, Session

NOT_NEGATIVE = Invariant(
    "stock.not_negative",
    "no level is below zero, on hand or reserved",
    "Stop the workers and compare the level with its ledger rows; then count the shelf and send the count.",
)
RESERVED_ON_HAND = Invariant(
    "stock.reserved_on_hand",
    "no more is reserved than is on hand, unless a count or a refusal lowered what is on hand",
    "Reroute the orders that are named, and compare the level with its ledger rows: this must not happen.",
)
EXCESS = Invariant(
    "stock.excess",
    "promised goods that a count or a refusal found missing are planned anew",
    "Nothing, as a rule: the orders move to other places as the stores answer. Reroute them to be quicker.",
    "information",
)
RESERVATIONS = Invariant(
    "stock.reservations",
    "what is reserved is what the held, offered, accepted and packed parcels hold, and transfers that were not shipped",
    "Compare the level's ledger rows with the parcels of the orders, and the transfers, that they name.",
)
LEDGER_LEVELS = Invariant(
    "ledger.levels",
    "the rows of the ledger add up to the levels",
    "A level was changed without its ledger row, or the other way round. Count the shelf and send the count.",
)
LEDGER_NUMBERS = Invariant(
    "ledger.numbers",
    "rows of one version are numbered from zero without a gap, and no version is above the counter",
    "Ledger rows were lost or written twice: restore the ledger from a backup, then check again.",
)
INVARIANTS = [NOT_NEGATIVE, RESERVED_ON_HAND, EXCESS, RESERVATIONS, LEDGER_LEVELS, LEDGER_NUMBERS]

_Units = dict[str, tuple[int, int]]
_NOTHING = (0, 0)


@dataclass(frozen=True, slots=True)
class _Seen:
    """Units by stock id: on hand and reserved as kept, the same as booked, and reserved by parcels and transfers."""

    levels: _Units
    booked: _Units
    held: dict[str, int]


async def check_stock(mongo: Mongo, session: Session) -> list[Finding]:
    seen = _Seen(await _levels(mongo, session), await _booked(mongo, session), await _held(mongo, session))
    return [
        *found(NOT_NEGATIVE, _negative(seen)),
        *await _excess(mongo, session, seen),
        *found(RESERVATIONS, _misreserved(seen)),
        *found(LEDGER_LEVELS, _unbooked(seen)),
        *found(LEDGER_NUMBERS, await _misnumbered(mongo, session)),
    ]


def _negative(seen: _Seen) -> list[str]:
    return [
        f"{level}: on hand {on_hand}, reserved {reserved}"
        for level, (on_hand, reserved) in seen.levels.items()
        if on_hand < 0 or reserved < 0
    ]


def _misreserved(seen: _Seen) -> list[str]:
    return [
        f"{level}: reserved {seen.levels.get(level, _NOTHING)[1]}, but held are {seen.held.get(level, 0)}"
        for level in sorted(seen.levels.keys() | seen.held.keys())
        if seen.levels.get(level, _NOTHING)[1] != seen.held.get(level, 0)
    ]


def _unbooked(seen: _Seen) -> list[str]:
    wrong = []
    for level in sorted(seen.levels.keys() | seen.booked.keys()):
        kept, booked = seen.levels.get(level, _NOTHING), seen.booked.get(level, _NOTHING)
        if kept != booked:
            wrong.append(f"{level}: kept are on hand {kept[0]}, reserved {kept[1]}; booked {booked[0]} and {booked[1]}")
    return wrong


async def _excess(mongo: Mongo, session: Session, seen: _Seen) -> list[Finding]:
    over = {level: units for level, units in seen.levels.items() if units[1] > max(units[0], 0)}
    if not over:
        return []
    lowered = await _lowered(mongo, session)
    unexplained: list[str] = []
    explained: list[str] = []
    for number, (level, (on_hand, reserved)) in enumerate(sorted(over.items())):
        orders = ", ".join(await _holders(mongo, session, level)) if number < EXAMPLES_SHOWN * 2 else "not looked up"
        words = f"{level}: reserved {reserved}, on hand {on_hand}; orders: {orders or 'none'}"
        (explained if level in lowered else unexplained).append(words)
    return [*found(RESERVED_ON_HAND, unexplained), *found(EXCESS, explained)]


async def _levels(mongo: Mongo, session: Session) -> _Units:
    rows = mongo.stock.find({}, {"on_hand": 1, "reserved": 1}, session=session).batch_size(10_000)
    return {row["_id"]: (row.get("on_hand", 0), row.get("reserved", 0)) async for row in rows}


async def _booked(mongo: Mongo, session: Session) -> _Units:
    pipeline: list[dict[str, Any]] = [
        {"$project": {"_id": 0, "location": 1, "changes": 1}},
        {"$unwind": "$changes"},
        {
            "$group": {
                "_id": {"location": "$location", "sku": "$changes.sku"},
                "on_hand": {"$sum": "$changes.on_hand"},
                "reserved": {"$sum": "$changes.reserved"},
            }
        },
    ]
    rows = mongo.ledger.aggregate(pipeline, session=session, batchSize=10_000)
    return {stock_id(**row["_id"]): (row["on_hand"], row["reserved"]) async for row in rows}


def _unshipped_items() -> list[dict[str, Any]]:
    """Stages that make one row of every item of a parcel that is still at its store."""
    states = [str(state) for state in UNSHIPPED]
    return [
        {"$match": {"parcels.state": {"$in": states}}},
        {"$project": {"parcels.state": 1, "parcels.location": 1, "parcels.items": 1}},
        {"$unwind": "$parcels"},
        {"$match": {"parcels.state": {"$in": states}}},
        {"$unwind": "$parcels.items"},
    ]


async def _held(mongo: Mongo, session: Session) -> dict[str, int]:
    place = {"location": "$parcels.location", "sku": "$parcels.items.sku"}
    summed = {"$group": {"_id": place, "units": {"$sum": "$parcels.items.quantity"}}}
    rows = mongo.orders.aggregate([*_unshipped_items(), summed], session=session, batchSize=10_000)
    held = {stock_id(**row["_id"]): row["units"] async for row in rows}
    async for row in mongo.transfers.find({"state": "approved"}, {"source": 1, "lines": 1}, session=session):
        for line in row["lines"]:
            level = stock_id(row["source"], line["sku"])
            held[level] = held.get(level, 0) + line["held"]
    return held


async def _holders(mongo: Mongo, session: Session, level: str) -> list[str]:
    location, sku = level.split("/", 1)
    at_level = {"$match": {"parcels.location": location, "parcels.items.sku": sku}}
    distinct: list[dict[str, Any]] = [{"$group": {"_id": "$_id"}}, {"$sort": {"_id": 1}}, {"$limit": 20}]
    rows = mongo.orders.aggregate([*_unshipped_items(), at_level, *distinct], session=session)
    return [row["_id"] async for row in rows]


async def _lowered(mongo: Mongo, session: Session) -> set[str]:
    """Levels whose stock on hand a count or a refusal has lowered at some time."""
    pipeline: list[dict[str, Any]] = [
        {"$match": {"kind": {"$in": ["counted", "adjusted"]}, "changes.on_hand": {"$lt": 0}}},
        {"$unwind": "$changes"},
        {"$match": {"changes.on_hand": {"$lt": 0}}},
        {"$group": {"_id": {"location": "$location", "sku": "$changes.sku"}}},
    ]
    return {stock_id(**row["_id"]) async for row in mongo.ledger.aggregate(pipeline, session=session)}


async def _misnumbered(mongo: Mongo, session: Session) -> list[str]:
    counter = await mongo.counters.find_one({"_id": "stock"}, session=session)
    newest = counter["version"] if counter else 0
    pipeline: list[dict[str, Any]] = [
        {
            "$group": {
                "_id": "$version",
                "rows": {"$sum": 1},
                "sum": {"$sum": "$row"},
                "last": {"$max": "$row"},
            }
        },
        {"$set": {"expected": {"$divide": [{"$multiply": ["$last", {"$add": ["$last", 1]}]}, 2]}}},
        {
            "$match": {
                "$expr": {
                    "$or": [
                        {"$gt": ["$_id", newest]},
                        {"$ne": [{"$add": ["$last", 1]}, "$rows"]},
                        {"$ne": ["$sum", "$expected"]},
                    ]
                }
            }
        },
        {"$sort": {"_id": 1}},
    ]
    rows = mongo.ledger.aggregate(pipeline, session=session)
    return [
        f"version {row['_id']} of {newest}: {row['rows']} rows, the last of them is row {row['last']}"
        async for row in rows
    ]
