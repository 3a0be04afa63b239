"""The arrays say what the rates of single parcels say, and places are ready when their hours and cut-off allow."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.carriers.rates import compare
from activities.orders.tariffs import Schedule, Tariffs, ready_at
from contracts.carriers import Carrier, Rate, Service, Surcharge, ZoneRule
from contracts.hours import Hours, Period
from tests.builders import location

_DIVISIONS = ["330106", "330100", "310100", "510100", "650100", "110100"]
_NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
_OPEN = Hours(monday=[Period(opens="09:00", closes="18:00")], tuesday=[Period(opens="10:00", closes="12:00")])


def _carriers(rng: Random) -> list[Carrier]:
    def rate() -> Rate:
        return Rate(
            first_g=rng.choice([500, 1000, 3000]),
            first_price=rng.randint(300, 3000),
            step_g=rng.choice([100, 500, 1000]),
            step_price=rng.randint(0, 600),
            days=rng.randint(0, 7),
        )

    def service(number: int) -> Service:
        return Service(
            id=f"c/s{number}",
            name="s",
            zones=[
                ZoneRule(zone="far") if number else ZoneRule(zone="far", destination="33"),
                ZoneRule(zone="near", same=2),
                ZoneRule(zone="city", same=4),
                ZoneRule(zone="west", origin="33", destination="65"),
            ],
            rates={zone: rate() for zone in ("far", "near", "city", "west")},
            surcharges=[Surcharge(destination="65", price=700, days=2), Surcharge(destination="6501", price=900)],
            volumetric_divisor=rng.choice([None, 5000, 6000]),
            cut_off=rng.choice(["10:00", "18:00", "23:59"]),
            max_weight_g=rng.choice([4_000, 30_000]),
        )

    return [Carrier(id="c", name="c", services=[service(n) for n in range(3)])]


@given(st.integers(0, 10**6), st.integers(1, 9_000), st.integers(0, 40_000), st.integers(0, 12 * 24))
@settings(max_examples=150, deadline=None)
def test_every_place_and_service_as_compared_one_by_one(seed: int, weight: int, volume: int, hours: int) -> None:
    rng = Random(seed)
    carriers = _carriers(rng)
    places = [
        location(
            f"l{n}",
            division=rng.choice(_DIVISIONS),
            hours=rng.choice([None, _OPEN]),
            cut_off=rng.choice([None, "11:00"]),
            time_zone=rng.choice(["Asia/Shanghai", "America/Sao_Paulo"]),
        )
        for n in range(8)
    ]
    tariffs = Tariffs(carriers, places)
    now = _NOW + timedelta(minutes=rng.randint(0, 3000))
    deadline, goal = now + timedelta(hours=hours), rng.choice(_DIVISIONS)
    found = tariffs.freight(goal, weight, volume, tariffs.offsets(now, deadline), 500)
    for number, place in enumerate(places):
        schedule = Schedule(place.hours, place.time_zone, place.cut_off)
        one_by_one = compare(
            carriers,
            place.division,
            goal,
            weight,
            volume,
            ready_at=ready_at(schedule, now),
            time_zone=place.time_zone,
            deadline=deadline,
            lateness_per_day=500,
        )
        if not one_by_one:
            assert found.cost[number] == float("inf")
            assert found.service[number] == -1
            continue
        assert found.cost[number] == one_by_one[0].total
        service = int(found.service[number])
        price = tariffs.split(goal, weight, volume)(number, service)
        same = next(one for one in one_by_one if one.service == tariffs.services[service].id)
        assert (price, same.total) == (same.price, one_by_one[0].total)
        assert tariffs.promised(number, service, goal, now) == same.promised_at


@pytest.mark.parametrize(
    ("hours", "cut_off", "now", "ready"),
    [
        (None, None, "2026-03-02 23:00", "2026-03-02 23:00"),
        (None, "15:00", "2026-03-02 15:00", "2026-03-02 15:00"),
        (None, "15:00", "2026-03-02 15:01", "2026-03-03 00:00"),
        (_OPEN, None, "2026-03-02 08:00", "2026-03-02 09:00"),
        (_OPEN, None, "2026-03-02 12:30", "2026-03-02 12:30"),
        (_OPEN, None, "2026-03-02 18:00", "2026-03-03 10:00"),
        (_OPEN, "12:00", "2026-03-02 12:30", "2026-03-03 10:00"),
        (_OPEN, None, "2026-03-03 12:30", "2026-03-09 09:00"),
    ],
)
def test_ready_in_opening_hours_before_the_cut_off(
    hours: Hours | None, cut_off: str | None, now: str, ready: str
) -> None:
    schedule = Schedule(hours, "UTC", cut_off)
    assert ready_at(schedule, datetime.fromisoformat(f"{now}+00:00")) == datetime.fromisoformat(f"{ready}+00:00")
