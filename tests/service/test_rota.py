"""Who is on duty: cycles, nights, holidays and make-up workdays, and changes; against looking at each duty."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.service.rota import duties, gaps, next_duty, on_duty
from contracts.service_calendar import BUILTIN
from contracts.service_teams import Duty, DutyChange, Rota
from contracts.worktime import day_kind
from tests.service.clockwork import here

OFFICE = BUILTIN["cn-office"]
HALF_DAY = 12 * 60


def four_crews() -> Rota:
    """Day, night, and two days off: four crews cover every minute."""
    duties = [Duty(agent=f"crew-{crew}", day=crew % 4, begins="08:00", minutes=HALF_DAY) for crew in range(4)]
    duties += [Duty(agent=f"crew-{crew}", day=(crew + 1) % 4, begins="20:00", minutes=HALF_DAY) for crew in range(4)]
    return Rota(team="line", anchor=date(2026, 1, 1), cycle_days=4, duties=duties)


def office() -> Rota:
    week = [Duty(agent="day", day=day, begins="09:00", minutes=480) for day in range(5)]
    return Rota(team="office", anchor=date(2026, 1, 5), calendar="cn-office", duties=week)


def test_four_crews_are_there_every_minute_of_a_year() -> None:
    rota = four_crews()
    start, end = here("2026-01-01T08:00"), here("2027-01-01T08:00")
    assert gaps(rota, None, start, end) == []
    hours = {f"crew-{crew}": 0.0 for crew in range(4)}
    for one in duties(rota, None, start, end):
        hours[one.agent] += (min(one.end, end) - max(one.start, start)).total_seconds() / 3600
    assert max(hours.values()) - min(hours.values()) <= 24


def test_a_night_goes_on_into_the_next_day_and_shifts_change_on_the_minute() -> None:
    rota = four_crews()
    assert set(on_duty(rota, None, here("2026-01-01T07:59"))) == {"crew-2"}
    assert set(on_duty(rota, None, here("2026-01-01T08:00"))) == {"crew-0"}
    assert set(on_duty(rota, None, here("2026-01-01T20:00"))) == {"crew-3"}
    assert set(on_duty(rota, None, here("2026-01-02T03:00"))) == {"crew-3"}


def test_an_office_is_off_in_the_holidays_and_on_duty_on_a_make_up_saturday() -> None:
    rota = office()
    assert set(on_duty(rota, OFFICE, here("2026-02-14T10:00"))) == {"day"}
    assert on_duty(rota, OFFICE, here("2026-02-17T10:00")) == {}
    assert on_duty(rota, OFFICE, here("2026-11-21T10:00")) == {}
    assert next_duty(rota, OFFICE, {"day"}, here("2026-02-14T18:00")) == here("2026-02-24T09:00")
    assert next_duty(rota, OFFICE, {"nobody"}, here("2026-02-14T18:00")) is None


def test_who_is_away_is_not_on_duty_and_who_stands_in_is() -> None:
    away = {"start": here("2026-11-23T10:00"), "end": here("2026-11-23T12:00")}
    rota = office().model_copy(
        update={"changes": [DutyChange(agent="day", **away), DutyChange(agent="other", on=True, **away)]}
    )
    assert set(on_duty(rota, OFFICE, here("2026-11-23T09:30"))) == {"day"}
    assert set(on_duty(rota, OFFICE, here("2026-11-23T10:00"))) == {"other"}
    assert set(on_duty(rota, OFFICE, here("2026-11-23T12:00"))) == {"day"}
    assert gaps(rota, OFFICE, here("2026-11-23T09:00"), here("2026-11-23T18:00")) == [
        (here("2026-11-23T17:00"), here("2026-11-23T18:00"))
    ]


@st.composite
def rotas(draw: st.DrawFn) -> Rota:
    calendar = draw(st.sampled_from(["cn-office", None]))
    cycle = 7 if calendar else draw(st.integers(1, 9))
    made = [
        Duty(
            agent=draw(st.sampled_from("abc")),
            day=draw(st.integers(0, cycle - 1)),
            begins=f"{draw(st.integers(0, 23)):02}:{draw(st.integers(0, 59)):02}",
            minutes=draw(st.integers(15, 1440)),
        )
        for _ in range(draw(st.integers(0, 6)))
    ]
    changes = []
    for _ in range(draw(st.integers(0, 3))):
        begun = datetime(2026, 9, 27, tzinfo=UTC) + timedelta(minutes=draw(st.integers(0, 14 * 1440)))
        until = begun + timedelta(minutes=draw(st.integers(1, 4000)))
        changes.append(DutyChange(agent=draw(st.sampled_from("abc")), start=begun, end=until, on=draw(st.booleans())))
    zone = draw(st.sampled_from(["Asia/Shanghai", "America/Sao_Paulo"]))
    return Rota(
        team="t", zone=zone, anchor=date(2026, 1, 5), cycle_days=cycle, calendar=calendar, duties=made, changes=changes
    )


def there(rota: Rota, at: datetime) -> set[str]:
    """By looking at each duty of the day and the day before, and then at the changes."""
    here_now = at.astimezone(ZoneInfo(rota.zone))
    found = set()
    for back in (0, 1):
        day = here_now.date() - timedelta(days=back)
        place = (day - rota.anchor).days % rota.cycle_days
        if rota.calendar and day_kind("CN", day) == "holiday":
            continue
        if rota.calendar and day_kind("CN", day) == "make_up":
            place = 0
        for one in rota.duties:
            begun = int(one.begins[:2]) * 60 + int(one.begins[3:]) - back * 1440
            if one.day == place and begun <= here_now.hour * 60 + here_now.minute < begun + one.minutes:
                found.add(one.agent)
    for change in rota.changes:
        if change.start <= at < change.end:
            found = found | {change.agent} if change.on else found - {change.agent}
    return found


@settings(max_examples=60, deadline=None)
@given(rotas(), st.integers(0, 14 * 1440 - 1))
def test_it_is_what_looking_at_each_duty_gives(rota: Rota, minute: int) -> None:
    calendar = OFFICE if rota.calendar else None
    at = datetime(2026, 9, 27, tzinfo=UTC) + timedelta(minutes=minute)
    assert set(on_duty(rota, calendar, at)) == there(rota, at)
    uncovered = any(start <= at < end for start, end in gaps(rota, calendar, at, at + timedelta(minutes=1)))
    assert uncovered == (there(rota, at) == set())
    soon = next_duty(rota, calendar, set("abc"), at)
    if soon is not None and soon < at + timedelta(days=3):
        assert there(rota, soon)


def test_a_rota_that_keeps_holidays_begins_on_a_monday() -> None:
    with pytest.raises(ValueError, match="correct anchor"):
        Rota(team="t", anchor=date(2026, 1, 6), calendar="cn-office", duties=[])
    with pytest.raises(ValueError, match="day 4 is not in a cycle of 4 days"):
        Rota(
            team="t", anchor=date(2026, 1, 6), cycle_days=4, duties=[Duty(agent="a", day=4, begins="08:00", minutes=60)]
        )
