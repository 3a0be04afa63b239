"""Invariants of returns: what came back is marked in its order, lies in stock, and was never paid back twice."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from contracts.parcels import ParcelState
from contracts.returns import ENDED, NEVER_HAD
from infra.invariants.findings import Finding, Invariant, found
from infra.mongo import Mongo, Session

MARKED = Invariant(
    "returns.marked",
    "the units that an order's parcels call returned are those of its booked returns, and no more than were sent",
    "Compare the order's timeline with its returns; the order decides what was paid.",
)
STOCKED = Invariant(
    "returns.stocked",
    "the sellable units of every booked return are in the ledger, once",
    "Count the shelf at the location that received them, and send the count.",
)
FOLLOWED = Invariant(
    "returns.followed",
    "every open return is followed by a workflow",
    "See that the event worker runs and reaches Temporal; it starts them again.",
    "warning",
)
INVARIANTS = [MARKED, STOCKED, FOLLOWED]

_WAITS_LONGEST = timedelta(seconds=60)
_Place = tuple[str, int]
"""Parcel and line."""


async def check_returns(mongo: Mongo, session: Session) -> list[Finding]:
    marks: Counter[_Place] = Counter()
    sellable: dict[str, int] = {}
    alone: list[str] = []
    since = datetime.now(UTC) - _WAITS_LONGEST
    async for row in mongo.returns.find({}, {"timeline": 0}, session=session):
        if row["amount"] is not None and row["wish"] != "replacement":
            _book(row, marks)
            sellable[row["_id"]] = sum(line["sellable"] for line in row["lines"])
        if not row["started"] and row["state"] not in ENDED and row["opened_at"] < since:
            alone.append(f"{row['_id']} is {row['state']} and nobody follows it")
    return [
        *found(MARKED, await _mismarked(mongo, session, marks)),
        *found(STOCKED, await _misstocked(mongo, session, sellable)),
        *found(FOLLOWED, alone),
    ]


def _book(row: dict[str, Any], marks: Counter[_Place]) -> None:
    for line in row["lines"]:
        missing = line["missing"] if row["reason"] in NEVER_HAD else 0
        marks[row["parcel"], line["line"]] += line["sellable"] + line["damaged"] + missing


async def _mismarked(mongo: Mongo, session: Session, marks: Counter[_Place]) -> list[str]:
    wrong, seen = [], set()
    marked = mongo.orders.find({"parcels.items.returned": {"$gt": 0}}, {"parcels": 1}, session=session)
    async for order in marked:
        for parcel in order["parcels"]:
            for item in parcel["items"]:
                place = (parcel["id"], item["line"])
                seen.add(place)
                returned = item.get("returned", 0)
                # Returns may claim more than was left to be paid back: the order has then paid what was left. Of a
                # parcel that was lost all was paid back or sent again, whatever turned up afterwards.
                most = item["quantity"]
                if returned > most or (parcel["state"] != ParcelState.LOST and returned != min(marks[place], most)):
                    wrong.append(
                        f"{place[0]} line {place[1]}: {returned} of {item['quantity']} units are marked as returned, "
                        f"its returns say {marks[place]}"
                    )
    lost = {row["parcel"] async for row in mongo.returns.find({"reason": "lost"}, {"parcel": 1}, session=session)}
    unmarked = [place for place, units in marks.items() if units and place not in seen and place[0] not in lost]
    wrong += [f"{parcel} line {line}: no units are marked as returned" for parcel, line in unmarked]
    return sorted(wrong)


async def _misstocked(mongo: Mongo, session: Session, sellable: dict[str, int]) -> list[str]:
    pipeline: list[dict[str, Any]] = [
        {"$match": {"kind": "returned"}},
        {"$unwind": "$changes"},
        {"$group": {"_id": "$reason", "units": {"$sum": "$changes.on_hand"}}},
    ]
    booked = {row["_id"]: row["units"] async for row in mongo.ledger.aggregate(pipeline, session=session)}
    return [
        f"{returned}: {sellable.get(returned, 0)} sellable units came back, {booked.get(returned, 0)} are in the ledger"
        for returned in sorted(sellable.keys() | booked.keys())
        if sellable.get(returned, 0) != booked.get(returned, 0)
    ]
