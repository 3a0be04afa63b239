"""Moments and periods that are no use to anybody are refused where they come in."""

from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from contracts.base import Moment
from contracts.refusals import Refusal
from contracts.settlement import Period, end_of_period

_MOMENT: TypeAdapter[datetime] = TypeAdapter(Moment)
_PERIOD: TypeAdapter[str] = TypeAdapter(Period)


@pytest.mark.parametrize(
    "text",
    ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"],
)
def test_a_moment_to_which_nothing_could_be_added_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="send a moment between"):
        _MOMENT.validate_python(text)


def test_a_moment_is_kept_in_utc() -> None:
    assert _MOMENT.validate_python("2026-11-23T12:00:00.1239+08:00") == datetime(2026, 11, 23, 4, 0, 0, 123000, UTC)


@pytest.mark.parametrize("period", ["２０２６-10", "２０２６-10-01", "0001-01", "1026-10"])
def test_a_month_has_one_way_to_be_written(period: str) -> None:
    with pytest.raises(ValidationError):
        _PERIOD.validate_python(period)
    with pytest.raises(Refusal):
        end_of_period(period)
