"""Stock levels per location and SKU, and the typed ledger of everything that ever moved them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field

from contracts.base import Document, Moment, Request
from contracts.ids import LocationId, Sku

MovementKind = Literal["counted", "received", "reserved", "released", "shipped", "adjusted", "returned"]
PARCELS: Mapping[str, int] = {"reserved": 1, "released": -1}
"""What a movement with a slot counts against its location's capacity."""
_SLOTS_LAST = timedelta(days=2)
"""Older slots are over in every time zone."""


def slots_since(moment: datetime) -> str:
    """A slot before which none counts any more at a moment."""
    return f"{moment - _SLOTS_LAST:%Y-%m-%d}"


class StockUpsert(Request):
    """A count sets what is on the shelf (goods reserved but not yet handed over included); a receipt adds to it.

    A receipt needs a `reference` (delivery note): the same reference for the same location and SKU counts once.
    """

    location: LocationId
    sku: Sku
    kind: Literal["count", "receipt"] = "count"
    quantity: int = Field(ge=0, le=10_000_000)
    reference: str | None = Field(default=None, min_length=1, max_length=100)


class Level(Document):
    """What lies at one location of one SKU. Available = on hand - reserved."""

    location: str
    sku: str
    on_hand: int = 0
    reserved: int = 0

    @property
    def available(self) -> int:
        return self.on_hand - self.reserved


class Change(Document):
    """How a movement changes one level."""

    sku: str
    on_hand: int = 0
    reserved: int = 0


class Movement(Document):
    """A ledger row. `id` names the cause (`<parcel>:<kind>`), so that no cause can be booked twice.

    Rows of one transaction share a `version`, one higher than the last; `row` counts within it. The sum of all rows
    up to a version is the stock at that version.
    """

    id: str
    kind: MovementKind
    location: str
    changes: list[Change]
    order: str | None = None
    reason: str | None = None
    slot: str | None = None
    """The hour whose capacity a reservation takes, and its release gives back (a parcel's `slot`)."""
    at: Moment
    version: int = 0
    row: int = 0
