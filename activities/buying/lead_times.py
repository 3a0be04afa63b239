"""Lead times, learned from receipts in working days.

One observation a line, when all of it has come: the working days from the day on which the supplier was asked to the
day of the receipt that completed it. A line that comes in parts is as late as its last part. Kept in
`lead_observations`; what they add up to is kept in `lead_times` under `<supplier>:<location>`, and for all locations of
a supplier under `<supplier>:`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import sqrt
from typing import Any

from activities.buying.deadlines import REGION
from activities.buying.moves import Moves
from contracts.supply import LeadTime
from contracts.workdays import day_of, workdays_between
from infra.mongo import Mongo, Session

KEPT = 200
"""Of the newest observations counts what counts: suppliers change."""


@dataclass(frozen=True, slots=True)
class Observation:
    """`days`: working days it took; `promised`: those that it should have taken."""

    id: str
    supplier: str
    location: str
    sku: str
    asked: date
    came: date
    days: int
    promised: int
    units: int

    def as_row(self) -> dict[str, Any]:
        return {
            "_id": self.id,
            "supplier": self.supplier,
            "location": self.location,
            "sku": self.sku,
            "asked": self.asked.isoformat(),
            "came": self.came.isoformat(),
            "days": self.days,
            "promised": self.promised,
            "units": self.units,
        }


def observations_of(moves: Moves) -> list[Observation]:
    """Of the lines that a step has completed."""
    order = moves.order
    if order.sent_at is None:
        return []
    asked, came = day_of(order.sent_at, order.terms.zone), day_of(moves.now, order.terms.zone)
    found = []
    for done in moves.completed:
        line = order.line_of(done.line)
        assert line is not None
        found.append(
            Observation(
                id=f"{order.id}:{done.line}",
                supplier=order.supplier,
                location=order.location,
                sku=done.sku,
                asked=asked,
                came=came,
                days=workdays_between(REGION, asked, came),
                promised=workdays_between(REGION, asked, line.promised or line.due),
                units=done.units,
            )
        )
    return found


def learned(supplier: str, location: str, days: Sequence[int]) -> LeadTime:
    """Mean and deviation (of a sample, n - 1) of observed days; the deviation of a single one is 0. Raises ValueError
    without any."""
    if not days:
        raise ValueError("a lead time is learned from receipts, and there are none")
    mean = sum(days) / len(days)
    spread = sqrt(sum((one - mean) ** 2 for one in days) / (len(days) - 1)) if len(days) > 1 else 0.0
    return LeadTime(
        id=f"{supplier}:{location}", supplier=supplier, location=location, mean=mean, deviation=spread, n=len(days)
    )


async def learn(mongo: Mongo, session: Session, observations: Iterable[Observation]) -> None:
    """Write observations and what they add up to, in the transaction of the receipt. Each counts once by its id."""
    rows = [one.as_row() for one in observations]
    if not rows:
        return
    await mongo.lead_observations.insert_many(rows, session=session)
    supplier = rows[0]["supplier"]
    for location in ("", *sorted({row["location"] for row in rows})):
        wanted = {"supplier": supplier, **({"location": location} if location else {})}
        newest = mongo.lead_observations.find(wanted, {"days": 1}, session=session).sort("came", -1).limit(KEPT)
        known = learned(supplier, location, [row["days"] async for row in newest])
        await mongo.lead_times.replace_one({"_id": known.id}, known.as_row(), upsert=True, session=session)


async def lead_times_of(
    mongo: Mongo, suppliers: Sequence[str], location: str, session: Session | None = None
) -> Mapping[str, LeadTime]:
    """By supplier: to that location, or else to anywhere; none of suppliers of which nothing was learned."""
    ids = [f"{one}:{where}" for one in suppliers for where in ("", location)]
    found: dict[str, LeadTime] = {}
    async for row in mongo.lead_times.find({"_id": {"$in": ids}}, session=session).sort("_id", 1):
        found[row["supplier"]] = LeadTime.from_row(row)
    return found
