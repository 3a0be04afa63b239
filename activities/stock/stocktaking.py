"""From counts and receipts to ledger movements. Pure: the same items on the same levels give the same movements."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from contracts.refusals import Refusal
from contracts.stock import Change, Level, Movement, MovementKind, StockUpsert

Key = tuple[str, str]
"""Location and SKU."""


@dataclass(frozen=True, slots=True)
class Known:
    """What was read in the transaction. `booked`: units on hand by the ids of ledger rows that are there already."""

    locations: Set[str]
    levels: Mapping[Key, Level]
    booked: Mapping[str, int]


@dataclass(slots=True)
class Stocktaking:
    """`taken`: what became of each item, by its place; `refused`: why not. `levels` are those afterwards."""

    movements: list[Movement] = field(default_factory=list)
    taken: dict[int, Literal["booked", "unchanged", "already_booked"]] = field(default_factory=dict)
    refused: dict[int, Refusal] = field(default_factory=dict)
    levels: dict[Key, Level] = field(default_factory=dict)


def movement_id(item: StockUpsert, request_id: str) -> str:
    """One row for a receipt for ever, and one for a count in a request."""
    if item.kind == "receipt":
        return f"received:{item.reference}:{item.location}:{item.sku}"
    return f"counted:{request_id}:{item.location}:{item.sku}"


def take_stock(items: Mapping[int, StockUpsert], known: Known, request_id: str, at: datetime) -> Stocktaking:
    """Items are taken one after the other, so that a receipt after a count adds to what was counted."""
    done = Stocktaking(levels={key: level.model_copy() for key, level in known.levels.items()})
    booked = dict(known.booked)
    for index, item in items.items():
        try:
            _take(done, index, item, known.locations, booked, request_id, at)
        except Refusal as refusal:
            done.refused[index] = refusal
    return done


def _take(
    done: Stocktaking,
    index: int,
    item: StockUpsert,
    locations: Set[str],
    booked: dict[str, int],
    request_id: str,
    at: datetime,
) -> None:
    if item.location not in locations:
        raise Refusal(
            "unknown_location",
            f"There is no location {item.location}.",
            remedy="Correct the id, or register the location with PUT /v1/locations first.",
            field="location",
        )
    cause = movement_id(item, request_id)
    key = (item.location, item.sku)
    level = done.levels.setdefault(key, Level(location=item.location, sku=item.sku))
    if cause in booked:
        _refuse_other(item, booked[cause])
        done.taken[index] = "already_booked"
        return
    units = item.quantity if item.kind == "receipt" else item.quantity - level.on_hand
    booked[cause] = units
    if units == 0 and item.kind == "count":
        done.taken[index] = "unchanged"
        return
    kind: MovementKind = "received" if item.kind == "receipt" else "counted"
    change = Change(sku=item.sku, on_hand=units)
    done.movements.append(
        Movement(id=cause, kind=kind, location=item.location, changes=[change], reason=item.reference, at=at)
    )
    level.on_hand += units
    done.taken[index] = "booked"


def _refuse_other(item: StockUpsert, units: int) -> None:
    """The same receipt again is no news; another quantity under its reference is a mistake that must be seen."""
    if item.kind == "receipt" and units != item.quantity:
        raise Refusal(
            "reference_taken",
            f"Under {item.reference} {units} of {item.sku} were received at {item.location}, not {item.quantity}.",
            remedy="Use a reference of its own for every delivery; correct a quantity with a count.",
            field="reference",
            status=409,
        )


def refuse_without_reference(item: StockUpsert) -> None:
    if item.kind == "receipt" and item.reference is None:
        raise Refusal(
            "reference_missing",
            "A receipt needs a reference, so that it is counted once.",
            remedy="Send reference, such as the number of the delivery note.",
            field="reference",
        )


def gained(before: Mapping[Key, Level], after: Mapping[Key, Level]) -> dict[str, int]:
    """Units by SKU that can be promised now and could not before."""
    units: dict[str, int] = {}
    for (location, sku), level in after.items():
        old = before.get((location, sku))
        more = max(level.available, 0) - max(old.available if old else 0, 0)
        if more > 0:
            units[sku] = units.get(sku, 0) + more
    return units


def empty_shelves(items: Mapping[int, StockUpsert], done: Stocktaking, before: Mapping[Key, Level]) -> list[Key]:
    """What was taken at locations that never had it, and of which there is none now either."""
    named = {(items[index].location, items[index].sku) for index in done.taken}
    return sorted(key for key in named if key not in before and not done.levels[key].on_hand)


def excesses(levels: Mapping[Key, Level]) -> dict[Key, int]:
    """Units that are promised and not there."""
    return {key: -level.available for key, level in levels.items() if level.available < 0}
