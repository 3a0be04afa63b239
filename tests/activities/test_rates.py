"""Zones, prices and promises of carriers: by example, by property and against an independent brute force."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import ceil
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from activities.carriers.rates import Quote, compare, lateness_cost, promise, quote, zone_of
from contracts.carriers import Carrier, CarrierUpsert, Rate, Service, Surcharge, ZoneRule

HANGZHOU, WENZHOU, BEIJING, LHASA = "330106", "330302", "110105", "540102"
NOON_IN_CHINA = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
CHINA = "Asia/Shanghai"
RATES = {
    "near": Rate(first_g=1000, first_price=800, step_g=1000, step_price=200, days=1),
    "far": Rate(first_g=1000, first_price=1200, step_g=500, step_price=400, days=3),
}


def service(*zones: ZoneRule, **changes: Any) -> Service:
    """Near within a province, far elsewhere, unless other rules are given; cut-off at 18:00."""
    rules = list(zones) or [ZoneRule(zone="far"), ZoneRule(zone="near", same=2)]
    return Service.model_validate({"id": "test/one", "name": "One", "zones": rules, "rates": RATES, **changes})


def carrier(*services: Service, active: bool = True) -> Carrier:
    return Carrier(id="test", name="Test", services=list(services), active=active)


class TestZones:
    def test_of_two_rules_the_more_specific_one_counts(self) -> None:
        assert zone_of(service(), HANGZHOU, WENZHOU) == "near"
        assert zone_of(service(), HANGZHOU, BEIJING) == "far"

    def test_with_as_much_said_on_both_sides_the_longer_destination_counts(self) -> None:
        rules = ZoneRule(zone="near", origin="3301", destination="11"), ZoneRule(zone="far", destination="110105")
        assert zone_of(service(*rules), HANGZHOU, BEIJING) == "far"

    def test_a_pair_without_a_rule_is_not_served(self) -> None:
        within = service(ZoneRule(zone="near", same=4))
        assert zone_of(within, HANGZHOU, WENZHOU) is None
        assert quote(within, HANGZHOU, WENZHOU, 500) is None

    def test_states_of_brazil_are_told_apart_by_five_characters(self) -> None:
        brazil = service(ZoneRule(zone="far", origin="BR", destination="BR"), ZoneRule(zone="near", same=5))
        assert zone_of(brazil, "BR-SP", "BR-SP") == "near"
        assert zone_of(brazil, "BR-SP", "BR-SC") == "far"
        assert zone_of(brazil, "BR-SP", HANGZHOU) is None

    def test_a_zone_without_a_rate_is_refused_with_its_name(self) -> None:
        with pytest.raises(ValidationError, match="zones without a rate: moon; add each of them to rates"):
            service(ZoneRule(zone="moon"))

    @pytest.mark.parametrize("surcharges", [[], [{"destination": "54", "price": 900}]])
    def test_prices_that_no_amount_could_hold_are_refused(self, surcharges: list[dict[str, Any]]) -> None:
        rate = {"first_g": 1, "first_price": 0, "step_g": 1, "step_price": 10**9, "days": 1}
        rates, weight = {"near": rate, "far": rate}, 1_001
        assert service(rates=rates, max_weight_g=weight)
        more = {"max_weight_g": weight + (0 if surcharges else 1), "surcharges": surcharges}
        with pytest.raises(ValidationError, match="would cost more than 1000000000000 in the zone"):
            service(rates=rates, **more)

    def test_a_service_of_another_carrier_is_refused(self) -> None:
        with pytest.raises(ValidationError, match="write other/one"):
            CarrierUpsert(id="other", name="Other", services=[service()])


class TestQuote:
    @pytest.mark.parametrize(
        ("grams", "price"), [(0, 1200), (1, 1200), (1000, 1200), (1001, 1600), (1500, 1600), (1501, 2000)]
    )
    def test_every_step_begun_is_paid(self, grams: int, price: int) -> None:
        assert quote(service(), HANGZHOU, BEIJING, grams) == Quote(price, 3, "far", grams)

    def test_what_takes_much_space_is_paid_by_space(self) -> None:
        found = quote(service(), HANGZHOU, BEIJING, 100, 9_001)
        assert found == Quote(2000, 3, "far", 1_501)

    def test_without_a_divisor_only_the_scales_count(self) -> None:
        found = quote(service(volumetric_divisor=None), HANGZHOU, BEIJING, 100, 90_000)
        assert found is not None and found.chargeable_g == 100

    def test_the_surcharge_with_the_longest_prefix_counts_alone(self) -> None:
        remote = [Surcharge(destination="54", price=1000, days=2), Surcharge(destination="5401", price=700, days=1)]
        found = quote(service(surcharges=remote), HANGZHOU, LHASA, 500)
        assert found == Quote(1900, 4, "far", 500)

    def test_too_heavy_is_not_served(self) -> None:
        assert quote(service(max_weight_g=2000), HANGZHOU, BEIJING, 2000) is not None
        assert quote(service(max_weight_g=2000), HANGZHOU, BEIJING, 2001) is None
        assert quote(service(max_weight_g=2000), HANGZHOU, BEIJING, 10, 12_001) is None


class TestPromise:
    def test_ready_by_the_cut_off_it_goes_the_same_day(self) -> None:
        at_cut_off = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
        assert promise(service(), 1, at_cut_off, CHINA) == datetime(2026, 3, 3, 13, 0, tzinfo=UTC)

    def test_ready_after_the_cut_off_it_goes_the_next_day(self) -> None:
        just_after = datetime(2026, 3, 2, 10, 0, 1, tzinfo=UTC)
        assert promise(service(), 1, just_after, CHINA) == datetime(2026, 3, 4, 13, 0, tzinfo=UTC)

    def test_the_day_is_the_place_s_own(self) -> None:
        # 17:00 UTC is one in the morning of the next day in China.
        late = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)
        assert promise(service(), 0, late, CHINA) == datetime(2026, 3, 3, 13, 0, tzinfo=UTC)
        assert promise(service(), 0, late, "America/Sao_Paulo") == datetime(2026, 3, 3, 0, 0, tzinfo=UTC)

    @given(st.integers(0, 10), st.integers(0, 10 * 86_400))
    def test_it_is_never_before_the_parcel_is_ready(self, days: int, seconds: int) -> None:
        ready = NOON_IN_CHINA + timedelta(seconds=seconds)
        promised = promise(service(cut_off="20:59"), days, ready, CHINA)
        assert ready < promised <= ready + timedelta(days=days + 2)


class TestCompare:
    def test_the_cheapest_with_the_cost_of_lateness_comes_first(self) -> None:
        slow, fast = service(id="test/slow"), service(ZoneRule(zone="near"), id="test/fast", rates=dear_but_fast())
        both = [carrier(slow, fast)]
        deadline = NOON_IN_CHINA + timedelta(days=2)
        patient = offers(both, deadline=deadline, lateness_per_day=100)
        hurried = offers(both, deadline=deadline, lateness_per_day=1000)
        assert [one.service for one in patient] == ["test/slow", "test/fast"]
        assert [one.service for one in hurried] == ["test/fast", "test/slow"]
        assert hurried[1].lateness == 2000, "a day and nine hours: two days begun"

    def test_carriers_that_are_not_active_are_not_asked(self) -> None:
        assert offers([carrier(service(), active=False)]) == []

    def test_on_time_costs_nothing(self) -> None:
        assert lateness_cost(NOON_IN_CHINA, NOON_IN_CHINA, 500) == 0
        assert lateness_cost(NOON_IN_CHINA + timedelta(seconds=1), NOON_IN_CHINA, 500) == 500
        assert lateness_cost(NOON_IN_CHINA + timedelta(days=1), NOON_IN_CHINA, 500) == 500


def dear_but_fast() -> dict[str, Rate]:
    return {"near": Rate(first_g=1000, first_price=2000, step_g=1000, step_price=0, days=0)}


def offers(carriers: list[Carrier], **more: Any) -> list[Any]:
    return compare(carriers, HANGZHOU, BEIJING, 500, 0, ready_at=NOON_IN_CHINA, time_zone=CHINA, **more)


codes = st.sampled_from(["330106", "330102", "330302", "110105", "540102", "540200", "BR-SP", "BR-SC"])
prefixes = st.sampled_from(["", "33", "3301", "330106", "54", "5401", "540102", "11", "1101", "BR", "BR-SP"])
rules = st.builds(
    ZoneRule,
    zone=st.sampled_from(["a", "b", "c"]),
    origin=prefixes,
    destination=prefixes,
    same=st.sampled_from([0, 2, 4, 5, 6]),
)
rates = st.builds(
    Rate,
    first_g=st.integers(1, 3000),
    first_price=st.integers(0, 5000),
    step_g=st.integers(1, 2000),
    step_price=st.integers(0, 1000),
    days=st.integers(0, 9),
)
services = st.builds(
    Service,
    id=st.just("test/one"),
    name=st.just("One"),
    zones=st.lists(rules, min_size=1, max_size=6),
    rates=st.fixed_dictionaries({"a": rates, "b": rates, "c": rates}),
    surcharges=st.lists(
        st.builds(Surcharge, destination=prefixes, price=st.integers(0, 900), days=st.integers(0, 9)),
        max_size=4,
        unique_by=lambda one: one.destination,
    ),
    volumetric_divisor=st.one_of(st.none(), st.integers(1, 9000)),
    max_weight_g=st.integers(1, 40_000),
)
weights = st.integers(0, 50_000)


class TestProperties:
    @settings(max_examples=300, deadline=None)
    @given(services, codes, codes, weights, st.integers(0, 300_000))
    def test_it_says_what_the_table_says_read_line_by_line(
        self, of: Service, origin: str, destination: str, grams: int, space: int
    ) -> None:
        found = quote(of, origin, destination, grams, space)
        assert found == by_brute_force(of, origin, destination, grams, space)

    @settings(max_examples=200, deadline=None)
    @given(services, codes, codes, weights, weights, st.integers(0, 100_000), st.integers(0, 100_000))
    def test_more_weight_or_space_never_costs_less(
        self, of: Service, origin: str, destination: str, grams: int, more: int, space: int, more_space: int
    ) -> None:
        less = quote(of, origin, destination, grams, space)
        heavier = quote(of, origin, destination, grams + more, space + more_space)
        assert heavier is None or (less is not None and less.price <= heavier.price and less.days == heavier.days)

    @settings(max_examples=200, deadline=None)
    @given(services, codes, codes)
    def test_a_rule_for_exactly_this_pair_outdoes_all_others(self, of: Service, origin: str, destination: str) -> None:
        as_exact = min(len(origin), len(destination))
        others = [r for r in of.zones if (r.origin, r.destination) != (origin, destination) and r.same < as_exact]
        exact = ZoneRule(zone="a", origin=origin, destination=destination)
        assert zone_of(of.model_copy(update={"zones": [*others, exact]}), origin, destination) == "a"


def by_brute_force(of: Service, origin: str, destination: str, grams: int, space: int) -> Quote | None:
    """Steps counted one by one, rules spelt out as prefixes, in exact fractions."""
    best: tuple[int, int, int] | None = None
    zone = ""
    for place, rule in enumerate(of.zones):
        begins, ends = rule.origin, rule.destination
        if rule.same:
            if origin[: rule.same] != destination[: rule.same]:
                continue
            begins = begins if len(begins) > rule.same else origin[: rule.same].ljust(rule.same)
            ends = ends if len(ends) > rule.same else destination[: rule.same].ljust(rule.same)
        if not (origin.startswith(rule.origin) and destination.startswith(rule.destination)):
            continue
        rank = (len(begins) + len(ends), len(ends), -place)
        if best is None or rank > best:
            best, zone = rank, rule.zone
    by_space = Fraction(space * 1000, of.volumetric_divisor) if of.volumetric_divisor else Fraction(0)
    paid = max(Fraction(grams), by_space)
    if best is None or ceil(paid) > of.max_weight_g:
        return None
    rate = of.rates[zone]
    price, days, covered = rate.first_price, rate.days, rate.first_g
    steps = max(0, ceil((paid - covered) / rate.step_g))
    price += steps * rate.step_price
    for length in range(6, -1, -1):
        hit = [s for s in of.surcharges if len(s.destination) == length and s.destination == destination[:length]]
        if hit:
            price, days = price + hit[0].price, days + hit[0].days
            break
    return Quote(price, days, zone, ceil(paid))
