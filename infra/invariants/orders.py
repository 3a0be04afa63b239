"""Invariants of orders: each is carried by somebody, ships what was ordered, ends with its money right."""

from datetime import UTC, datetime, timedelta
from typing import Any

from contracts.orders import GONE, SPOKEN_FOR, TERMINAL, UNSHIPPED, ParcelState
from infra.invariants.findings import EXAMPLES_SHOWN, Finding, Invariant, found
from infra.mongo import Mongo, Session

CARRIED = Invariant(
    "orders.carried",
    "every order is waiting, in exactly one open batch, or has ended",
    "The event worker's sweep gives these orders to a new batch; see that it runs.",
)
WAITING = Invariant(
    "orders.waiting",
    "no order waits longer than 60 s for a batch",
    "See that the event worker runs and reaches Temporal; its log says why it does not claim orders.",
    "warning",
)
ITEMS = Invariant(
    "orders.items",
    "parcels carry, or have lost, no more of a line than was ordered, and nothing else",
    "Find the parcel that is too many in the order's timeline and release the order before a store ships it.",
)
ENDED = Invariant(
    "orders.ended",
    "an order that has ended has no parcel waiting at a store",
    "Its goods are still reserved: compare the order's timeline with its ledger rows.",
)
MONEY = Invariant(
    "orders.money",
    "of an order that ended, captured less refunded is the value of what was shipped, and nothing is held",
    "Compare the order's payment intents with the provider's record, and put the difference right there.",
)
REFUNDED = Invariant(
    "orders.refunded",
    "no order has given back more than it took",
    "Compare the order's payment intents with the provider's record, and claim the difference back.",
)
LABELS = Invariant(
    "orders.labels",
    "no label of a parcel that was taken from its store is left booked, and none is open when its order has ended",
    "Void the label at the carrier under its key; the order's timeline says what the carrier answered.",
)
TRACKING = Invariant(
    "orders.tracking",
    "a parcel that its carrier has delivered counts as delivered",
    "Compare the parcel's scans with its state; retry the order.",
)
INVARIANTS = [CARRIED, WAITING, ITEMS, ENDED, MONEY, REFUNDED, LABELS, TRACKING]

WAITING_LONGEST = timedelta(seconds=60)

_GOODWILL = {"$ifNull": ["$goodwill", []]}
"""Orders of an earlier day know of none."""
_TERMINAL = [str(stage) for stage in TERMINAL]
_SPOKEN_FOR = [str(state) for state in SPOKEN_FOR]
_UNSHIPPED = [str(state) for state in UNSHIPPED]
_UNDONE = ["todo", "failed"]
_TAKEN = [str(state) for state in (ParcelState.REJECTED, ParcelState.EXPIRED, ParcelState.WITHDRAWN)]
_GONE = [str(state) for state in GONE]


async def check_orders(mongo: Mongo, session: Session) -> list[Finding]:
    return [
        *await _uncarried(mongo, session),
        *await _waiting(mongo, session),
        *await _matching(mongo, session, ITEMS, {"$expr": {"$or": [_too_many(), _foreign()]}}, "carries too much"),
        *await _matching(
            mongo,
            session,
            ENDED,
            {"stage": {"$in": _TERMINAL}, "parcels.state": {"$in": _UNSHIPPED}},
            "has ended with a parcel at a store",
        ),
        *await _unsettled(mongo, session),
        *await _matching(
            mongo,
            session,
            REFUNDED,
            {"payment.refunded": {"$gt": 0}, "$expr": {"$gt": ["$payment.refunded", "$payment.captured"]}},
            "has given back more than it took",
        ),
        *await _matching(mongo, session, LABELS, {"$or": [_left_booked(), _left_open()]}, "has a label too many"),
        *await _matching(mongo, session, TRACKING, _delivered_unawares(), "has a parcel that was delivered"),
    ]


def _left_booked() -> dict[str, Any]:
    taken = {"state": {"$in": _TAKEN}, "label.operation": "book", "label.state": {"$in": ["todo", "done", "failed"]}}
    return {"parcels": {"$elemMatch": taken}}


def _left_open() -> dict[str, Any]:
    return {"stage": {"$in": _TERMINAL}, "parcels.label.state": {"$in": _UNDONE}}


def _delivered_unawares() -> dict[str, Any]:
    unaware = [*_UNSHIPPED, str(ParcelState.SHIPPED)]
    return {"parcels": {"$elemMatch": {"tracking_state": "delivered", "state": {"$in": unaware}}}}


async def _uncarried(mongo: Mongo, session: Session) -> list[Finding]:
    still_open = {"stage": {"$nin": _TERMINAL}, "batch": {"$ne": None}}
    pipeline: list[dict[str, Any]] = [
        {"$match": still_open},
        {"$group": {"_id": "$batch", "orders": {"$sum": 1}, "example": {"$first": "$_id"}}},
        {"$lookup": {"from": "batches", "localField": "_id", "foreignField": "_id", "as": "carrier"}},
        {"$match": {"carrier": {"$not": {"$elemMatch": {"status": {"$in": ["claimed", "running"]}}}}}},
        {"$sort": {"_id": 1}},
    ]
    rows = [row async for row in mongo.orders.aggregate(pipeline, session=session)]
    examples = []
    for row in rows:
        state = "is closed" if row["carrier"] else "does not exist"
        examples.append(f"{row['example']} and {row['orders'] - 1} more are open, but {row['_id']} {state}")
    return found(CARRIED, examples, sum(row["orders"] for row in rows))


async def _waiting(mongo: Mongo, session: Session) -> list[Finding]:
    since = datetime.now(UTC) - WAITING_LONGEST
    query = {"batch": None, "stage": {"$nin": _TERMINAL}, "placed_at": {"$lt": since}}
    return await _matching(mongo, session, WAITING, query, "has no batch")


async def _matching(
    mongo: Mongo, session: Session, invariant: Invariant, query: dict[str, Any], words: str
) -> list[Finding]:
    """A finding of all orders that match the query."""
    rows = mongo.orders.find(query, {"stage": 1}, session=session)
    examples: list[str] = []
    count = 0
    async for row in rows:
        count += 1
        if len(examples) < EXAMPLES_SHOWN:
            examples.append(f"{row['_id']} ({row['stage']}) {words}")
    return found(invariant, examples, count)


async def _unsettled(mongo: Mongo, session: Session) -> list[Finding]:
    pay = "$payment"
    right = [
        {"$eq": [f"{pay}.authorised", 0]},
        {"$eq": [{"$subtract": [f"{pay}.captured", f"{pay}.refunded"]}, "$kept"]},
        {"$eq": [{"$setIntersection": [_UNDONE, f"{pay}.intents.state"]}, []]},
    ]
    pipeline: list[dict[str, Any]] = [
        {"$match": {"stage": {"$in": _TERMINAL}}},
        {"$project": {"payment": 1, "kept": kept_value()}},
        {"$match": {"$expr": {"$not": [{"$and": right}]}}},
    ]
    examples: list[str] = []
    count = 0
    async for row in mongo.orders.aggregate(pipeline, session=session):
        count += 1
        if len(examples) < EXAMPLES_SHOWN:
            pay_row = row["payment"]
            examples.append(
                f"{row['_id']}: captured {pay_row['captured']}, refunded {pay_row['refunded']}, "
                f"still authorised {pay_row['authorised']}; kept goods of {row['kept']}"
            )
    return found(MONEY, examples, count)


def kept_value() -> dict[str, Any]:
    """Minor units of what was shipped and did not come back, less what was given for what went wrong, as an expression
    over an order's document.

    Worked out here for itself, in decimals on the server, so that a mistake of the order path is not
    repeated by its check.
    """
    kept = {"$subtract": [_units_of_line(_GONE), _units_of_line(_GONE, "returned")]}
    worth = {"$multiply": [{"$toDecimal": "$$line.amount"}, kept]}
    share = {"$floor": {"$divide": [worth, "$$line.quantity"]}}
    goods = {"$sum": {"$map": {"input": "$lines", "as": "line", "in": share}}}
    given = {"$filter": {"input": _GOODWILL, "as": "one", "cond": {"$ne": ["$$one.state", "refused"]}}}
    less = {"$sum": {"$map": {"input": given, "as": "one", "in": "$$one.amount"}}}
    return {"$toLong": {"$max": [{"$subtract": [goods, less]}, 0]}}


def _units_of_line(states: list[str], count: str = "quantity") -> dict[str, Any]:
    """Units of `$$line` in the order's parcels of these states. Orders of an earlier day know of no returned ones."""
    of_line = {"$filter": {"input": "$$parcel.items", "as": "item", "cond": {"$eq": ["$$item.line", "$$line.line"]}}}
    in_parcel = {"$sum": {"$map": {"input": of_line, "as": "item", "in": {"$ifNull": [f"$$item.{count}", 0]}}}}
    return {"$sum": {"$map": {"input": _parcels_in(states), "as": "parcel", "in": in_parcel}}}


def _parcels_in(states: list[str]) -> dict[str, Any]:
    return {"$filter": {"input": "$parcels", "as": "parcel", "cond": {"$in": ["$$parcel.state", states]}}}


def _too_many() -> dict[str, Any]:
    gone = _units_of_line([str(ParcelState.LOST)], "returned")
    over = {"$gt": [{"$add": [_units_of_line(_SPOKEN_FOR), gone]}, "$$line.quantity"]}
    return {"$anyElementTrue": [{"$map": {"input": "$lines", "as": "line", "in": over}}]}


def _foreign() -> dict[str, Any]:
    """Whether a live parcel holds something that is on no line of the order."""
    ordered = {"$map": {"input": "$lines", "as": "line", "in": {"line": "$$line.line", "sku": "$$line.sku"}}}
    items = {"$map": {"input": "$$parcel.items", "as": "item", "in": {"line": "$$item.line", "sku": "$$item.sku"}}}
    strange = {"$not": [{"$setIsSubset": [items, ordered]}]}
    return {"$anyElementTrue": [{"$map": {"input": _parcels_in(_SPOKEN_FOR), "as": "parcel", "in": strange}}]}
