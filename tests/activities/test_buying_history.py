"""Lead times and scores out of a file: of our own rows, and of 3,269 real deliveries where they are present."""

import calendar
import io
import os
from collections import Counter
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from activities.buying.history import COLUMNS, WrongForm, day_of_text, read, summary, vendors

_BESIDE = Path(__file__).parents[3] / "shared" / "data" / "supplier_delivery" / "scms.tsv"
REAL = Path(os.environ.get("SUPPLIER_DELIVERIES", _BESIDE))
ROWS = [
    ("1", '"Tea, Ltd"', "10/8/09", "21-Oct-09", "21-Oct-09", "100"),
    ("2", '"Tea, Ltd"', "Date Not Captured", "21-Oct-09", "23-Oct-09", "100"),
    ("3", '"Tea, Ltd"', "10/30/09", "21-Oct-09", "20-Oct-09", "5"),
    ("4", "Cups", "10/8/09", "soon", "21-Oct-09", "many"),
    ("5", "", "10/8/09", "21-Oct-09", "21-Oct-09", "1"),
]


def file(rows: Sequence[tuple[str, ...]], columns: tuple[str, ...] = COLUMNS) -> io.StringIO:
    return io.StringIO("\n".join("\t".join(one) for one in [columns, *rows]))


def test_dirty_fields_are_reported_and_nothing_is_put_in_their_place() -> None:
    found = read(file(ROWS))
    assert [(one.row, one.column, one.why) for one in found.dirty] == [
        ("2", "PO Sent to Vendor Date", "no_date"),
        ("3", "PO Sent to Vendor Date", "before_it_was_sent"),
        ("4", "Scheduled Delivery Date", "no_date"),
        ("4", "Line Item Quantity", "no_number"),
        ("5", "Vendor", "no_vendor"),
    ]
    cups, tea = vendors(found.deliveries)
    assert (tea.vendor, tea.rows, tea.on_time.hits, tea.on_time.n) == ("Tea, Ltd", 3, 2, 3)
    assert tea.lead_time is not None and (tea.lead_time.mean, tea.lead_time.n) == (9, 1)
    assert tea.days_late == [0, 2, -1]
    assert (cups.on_time.value, cups.lead_time and cups.lead_time.n) == (None, 1), "no data, and not on time"
    assert summary(found.dirty)[0][2:] == (1, ["4: 'many'"])


def test_a_file_without_its_columns_is_named() -> None:
    with pytest.raises(WrongForm, match="Vendor"):
        read(file([("1",)], ("ID",)))


def test_days_come_in_two_forms_and_everything_else_is_none() -> None:
    assert (day_of_text("2-Jun-06"), day_of_text("10/8/09")) == (date(2006, 6, 2), date(2009, 10, 8))
    assert [day_of_text(one) for one in ("", "N/A", "2009-10-08", "31-Feb-09", "13/40/09")] == [None] * 5


def _days(texts: Sequence[str]) -> list[np.datetime64 | None]:
    """Read by another way than the code: month names and numbers taken apart by hand."""
    months = {name: number for number, name in enumerate(calendar.month_abbr) if name}
    found: list[np.datetime64 | None] = []
    for text in texts:
        parts = text.replace("/", "-").split("-")
        try:
            if parts[1] in months:
                day, month, year = int(parts[0]), months[parts[1]], int(parts[2])
            else:
                month, day, year = (int(one) for one in parts)
            found.append(np.datetime64(f"20{year:02d}-{month:02d}-{day:02d}"))
        except (ValueError, IndexError):
            found.append(None)
    return found


@pytest.mark.skipif(not REAL.exists(), reason="the real deliveries are not here")
def test_real_deliveries_agree_with_numpy() -> None:
    with REAL.open(encoding="utf-8", newline="") as opened:
        found = read(opened)
    head, *rows = [text.split("\t") for text in REAL.read_text(encoding="utf-8").splitlines()]
    column = {name: [row[place] for row in rows] for place, name in enumerate(head)}
    sent, scheduled, delivered = (
        _days(column[name])
        for name in ("PO Sent to Vendor Date", "Scheduled Delivery Date", "Delivered to Client Date")
    )
    assert len(found.deliveries) == len(rows) == 3_269
    backwards = [bool(s is not None and d is not None and d < s) for s, d in zip(sent, delivered, strict=True)]
    whys = Counter(one.why for one in found.dirty)
    assert whys == {
        "no_date": sum(day is None for days in (sent, scheduled, delivered) for day in days),
        "before_it_was_sent": sum(backwards),
    }
    by_vendor: dict[str, list[int]] = {}
    on_time: Counter[str] = Counter()
    one = np.timedelta64(1, "D")
    vendor_names = [name.strip('"').strip() for name in column["Vendor"]]
    for name, s, p, d, wrong in zip(vendor_names, sent, scheduled, delivered, backwards, strict=True):
        on_time[name] += bool(p is not None and d is not None and d <= p)
        if s is not None and d is not None and not wrong:
            by_vendor.setdefault(name, []).append(int(np.busday_count(s + one, d + one)))
    for vendor in vendors(found.deliveries):
        assert vendor.on_time.hits == on_time[vendor.vendor]
        days = by_vendor.get(vendor.vendor)
        assert (vendor.lead_time is None) == (days is None)
        if vendor.lead_time is not None and days is not None:
            assert vendor.lead_time.n == len(days)
            assert vendor.lead_time.mean == pytest.approx(np.mean(days))
            assert vendor.lead_time.deviation == pytest.approx(np.std(days, ddof=1) if len(days) > 1 else 0)
