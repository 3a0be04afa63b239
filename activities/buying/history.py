"""Deliveries of the past out of a file: lead times and scores of what there was before this system. Pure.

The form is that of a tab-separated export, one row a delivered line: `ID`, `Vendor`, `PO / SO #`, `PO Sent to Vendor
Date`, `Scheduled Delivery Date`, `Delivered to Client Date`, `Line Item Quantity`. A field that cannot be read is
reported with its row and left out of what needs it; nothing is put in its place.
"""

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TextIO

from activities.buying.lead_times import learned
from activities.buying.scoring import judged, rate
from contracts.scoring import Rate
from contracts.supply import LeadTime
from contracts.workdays import workdays_between
from contracts.worktime import Region

SENT, SCHEDULED, DELIVERED = "PO Sent to Vendor Date", "Scheduled Delivery Date", "Delivered to Client Date"
QUANTITY, VENDOR, ROW = "Line Item Quantity", "Vendor", "ID"
COLUMNS = (ROW, VENDOR, SENT, SCHEDULED, DELIVERED, QUANTITY)
_FORMS = ("%d-%b-%y", "%m/%d/%y")
"""2-Jun-06 and 10/8/09: the file has both. The second is month first, as no day of the month above 12 comes first."""
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Dirty:
    """A field that could not be read, or that contradicts another. `why`: no_date, no_number, no_vendor,
    before_it_was_sent."""

    row: str
    column: str
    value: str
    why: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """None: not known."""

    row: str
    vendor: str
    sent: date | None
    scheduled: date | None
    delivered: date | None
    units: int | None


@dataclass(slots=True)
class Read:
    deliveries: list[Delivery] = field(default_factory=list)
    dirty: list[Dirty] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class VendorHistory:
    """`lead_time` None: no row has both days. `days_late`: working days after the scheduled day, by row, below zero
    before it."""

    vendor: str
    rows: int
    lead_time: LeadTime | None
    on_time: Rate
    days_late: list[int]


class WrongForm(ValueError):
    """The file lacks columns."""

    def __init__(self, missing: Iterable[str]) -> None:
        super().__init__(f"the file has no column {', '.join(missing)}; export it with tabs between columns")


def read(file: TextIO) -> Read:
    """Raises WrongForm."""
    rows = csv.DictReader(file, delimiter="\t")
    missing = [one for one in COLUMNS if one not in (rows.fieldnames or [])]
    if missing:
        raise WrongForm(missing)
    done = Read()
    for row in rows:
        _read(done, {name: (row.get(name) or "").strip() for name in COLUMNS})
    return done


def _read(done: Read, row: dict[str, str]) -> None:
    name, vendor = row[ROW], row[VENDOR].strip('"').strip()
    if not vendor:
        done.dirty.append(Dirty(name, VENDOR, row[VENDOR], "no_vendor"))
        return
    days: dict[str, date | None] = {}
    for column in (SENT, SCHEDULED, DELIVERED):
        days[column] = day_of_text(row[column])
        if days[column] is None:
            done.dirty.append(Dirty(name, column, row[column], "no_date"))
    units = int(row[QUANTITY]) if row[QUANTITY].isascii() and row[QUANTITY].isdecimal() else None
    if units is None:
        done.dirty.append(Dirty(name, QUANTITY, row[QUANTITY], "no_number"))
    sent, delivered = days[SENT], days[DELIVERED]
    if sent is not None and delivered is not None and delivered < sent:
        # Which of both is wrong cannot be told: neither counts in a lead time.
        done.dirty.append(Dirty(name, SENT, row[SENT], "before_it_was_sent"))
        sent = None
    done.deliveries.append(Delivery(name, vendor, sent, days[SCHEDULED], delivered, units))


def day_of_text(text: str) -> date | None:
    for form in _FORMS:
        try:
            return datetime.strptime(text, form).date()  # noqa: DTZ007  # a calendar day has no zone
        except ValueError:
            continue
    return None


def vendors(deliveries: Sequence[Delivery], region: Region | None = None) -> list[VendorHistory]:
    """By name. `region`: whose public holidays are free; None: weekends only."""
    by_vendor: dict[str, list[Delivery]] = {}
    for one in deliveries:
        by_vendor.setdefault(one.vendor, []).append(one)
    return [_vendor(name, by_vendor[name], region) for name in sorted(by_vendor)]


def _vendor(name: str, rows: Sequence[Delivery], region: Region | None) -> VendorHistory:
    days = [workdays_between(region, r.sent, r.delivered) for r in rows if r.sent and r.delivered]
    known = [(r.scheduled, r.delivered) for r in rows if r.scheduled is not None and r.delivered is not None]
    verdicts = [judged(1, int(delivered <= scheduled), 1) for scheduled, delivered in known]
    return VendorHistory(
        vendor=name,
        rows=len(rows),
        lead_time=learned(name, "", days) if days else None,
        on_time=rate(sum(one == "on_time_in_full" for one in verdicts), len(known)),
        days_late=[workdays_between(region, scheduled, delivered) for scheduled, delivered in known],
    )


def summary(dirty: Sequence[Dirty]) -> list[tuple[str, str, int, list[str]]]:
    """By column and reason: how many, and the first few values with their rows."""
    counts = Counter((one.column, one.why) for one in dirty)
    return [
        (
            column,
            why,
            count,
            [f"{one.row}: {one.value!r}" for one in dirty if (one.column, one.why) == (column, why)][:_SHOWN],
        )
        for (column, why), count in sorted(counts.items())
    ]
