"""Sales of days before orders came through this system, told row by row: what forecasts begin with."""

from datetime import date
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, model_validator

from contracts.base import Request
from contracts.ids import LocationId, Sku
from contracts.supply import Units
from contracts.workdays import Day

ROWS_MAX = 5_000
"""In one request."""
EARLIEST = date(2000, 1, 1)
"""Days before it are years that were typed wrongly."""
_DAY_H = 24.0
_UNKNOWN_PART = 0.5
"""Share of a day taken for a stock-out of unknown length, where something was sold all the same. An assumption: what
was sold is the least that was asked for, however long it was."""

HistoryOutcome = Literal["created", "unchanged", "replaced"]


class HistoryRow(Request):
    """What one location sold of one SKU on one day, all tickets of the day together.

    A day on which it was out of stock for a while is not one on which little was asked for: say so.
    """

    location: LocationId
    sku: Sku
    date: Annotated[Day, Field(description="The day, in the time zone of the locations; one that is over.")]
    quantity: Units = Field(description="Units sold, or asked for where that is known; returns are left out.")
    out_of_stock_hours: float | None = Field(
        default=None, ge=0, le=_DAY_H, description="Hours of the day, of 24, on which there was nothing to sell."
    )
    stock_out: bool = Field(default=False, description="Out of stock for a while, it is not known how long.")
    promotion: float = Field(default=0.0, ge=0, le=1, description="Share of the units that was sold with a discount.")

    @model_validator(mode="after")
    def _of_one_mind(self) -> "HistoryRow":
        if self.stock_out and self.out_of_stock_hours == 0:
            raise ValueError("stock_out and out_of_stock_hours contradict each other; send one of them")
        return self

    @property
    def out(self) -> float:
        """Share of the day out of stock, 0 to 1."""
        if self.out_of_stock_hours is not None:
            return round(self.out_of_stock_hours / _DAY_H, 4)
        if not self.stock_out:
            return 0.0
        return _UNKNOWN_PART if self.quantity else 1.0


class HistoryBatch(Request):
    """All of it is taken, or nothing."""

    rows: list[HistoryRow] = Field(min_length=1, max_length=ROWS_MAX)


class Told(NamedTuple):
    """Of one day of a series: units, share of the day out of stock, units sold with a discount."""

    units: float
    out: float
    promoted: float


def told_of(row: HistoryRow) -> Told:
    return Told(row.quantity, row.out, round(row.quantity * row.promotion, 4))
