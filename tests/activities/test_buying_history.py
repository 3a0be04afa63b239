"""Lead times and scores out of a file: of our own rows, and of 3,269 real deliveries where they are present."""

import io
import os
from collections import Counter
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
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


@pytest.mark.skipif(not REAL.exists(), reason="the real deliveries are not here")
def test_real_deliveries_agree_with_pandas() -> None:
    with REAL.open(encoding="utf-8", newline="") as opened:
        found = read(opened)
    frame = pd.read_csv(REAL, sep="\t", dtype=str, quoting=0, keep_default_na=False)
    assert len(found.deliveries) == len(frame) == 3_269
    sent = pd.to_datetime(frame["PO Sent to Vendor Date"], format="%m/%d/%y", errors="coerce")
    scheduled = pd.to_datetime(frame["Scheduled Delivery Date"], format="%d-%b-%y", errors="coerce")
    delivered = pd.to_datetime(frame["Delivered to Client Date"], format="%d-%b-%y", errors="coerce")
    sent = sent.fillna(pd.to_datetime(frame["PO Sent to Vendor Date"], format="%d-%b-%y", errors="coerce"))
    whys = Counter(one.why for one in found.dirty)
    assert whys["before_it_was_sent"] == int((delivered < sent).sum())
    assert whys["no_date"] == int(sent.isna().sum() + scheduled.isna().sum() + delivered.isna().sum())
    usable = sent.notna() & delivered.notna() & ~(delivered < sent)
    one = np.timedelta64(1, "D")
    days = np.busday_count(
        sent[usable].to_numpy("datetime64[D]") + one, delivered[usable].to_numpy("datetime64[D]") + one
    )
    names = frame["Vendor"].str.strip('"').str.strip()
    by_vendor = pd.DataFrame({"vendor": names[usable].to_numpy(), "days": days}).groupby("vendor")["days"]
    on_time = (delivered <= scheduled).groupby(names).sum()
    for vendor in vendors(found.deliveries):
        assert vendor.on_time.hits == on_time[vendor.vendor]
        if vendor.lead_time is None:
            assert vendor.vendor not in by_vendor.groups
            continue
        days_of = by_vendor.get_group(vendor.vendor)
        assert vendor.lead_time.n == len(days_of)
        assert vendor.lead_time.mean == pytest.approx(days_of.mean())
        if len(days_of) > 1:
            assert vendor.lead_time.deviation == pytest.approx(days_of.std())
