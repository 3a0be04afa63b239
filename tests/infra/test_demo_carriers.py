"""The carriers of the demo: who goes where, and that nobody mixes up two countries."""

import pytest

from activities.carriers.rates import Quote, quote
from contracts.carriers import Service
from contracts.divisions import children_of, prefectures, province_of
from infra.demo_carriers import NUMBERS, WORDS, carriers

SERVICES = {service.id: service for carrier in carriers() for service in carrier.services}
EXPRESS, ECONOMY = SERVICES["yunque/express"], SERVICES["qinglu/economy"]
COURIER, BRAZIL = SERVICES["baixiang/today"], SERVICES["arara/terrestre"]
HANGZHOU, NINGBO, SHANGHAI, LHASA, HONG_KONG = "330106", "330203", "310104", "540102", "810000"


def asked(service: Service, origin: str, destination: str, grams: int = 1_000) -> Quote:
    found = quote(service, origin, destination, grams)
    assert found is not None
    return found


def test_road_and_air_go_everywhere_in_china() -> None:
    for place in prefectures():
        for service in (EXPRESS, ECONOMY):
            assert quote(service, HANGZHOU, place.code, 500) is not None, place
            assert quote(service, place.code, HANGZHOU, 500) is not None, place


def test_farther_is_slower_and_dearer() -> None:
    for service in (EXPRESS, ECONOMY):
        near, far, remote = (asked(service, HANGZHOU, to) for to in (HANGZHOU, SHANGHAI, LHASA))
        assert near.price < far.price < remote.price
        assert near.days <= far.days < remote.days


@pytest.mark.parametrize("place", ["150100", "540100", "630100", "650100", "710000", "810000", "820000"])
def test_the_road_asks_more_for_remote_places(place: str) -> None:
    without = ECONOMY.model_copy(update={"surcharges": []})
    assert asked(ECONOMY, HANGZHOU, place).price > asked(without, HANGZHOU, place).price


def test_the_courier_stays_within_one_prefecture() -> None:
    assert asked(COURIER, HANGZHOU, "330110").days == 0
    for elsewhere in (NINGBO, SHANGHAI, HONG_KONG, "BR-SP"):
        assert quote(COURIER, HANGZHOU, elsewhere, 500) is None
    assert quote(COURIER, HONG_KONG, HONG_KONG, 500) is None


def test_brazil_knows_two_distances_and_no_chinese_address() -> None:
    assert asked(BRAZIL, "BR-SP", "BR-SP").days < asked(BRAZIL, "BR-SP", "BR-AM").days
    assert quote(BRAZIL, "BR-SP", HANGZHOU, 500) is None
    for service in (EXPRESS, ECONOMY, COURIER):
        assert quote(service, "BR-SP", "BR-SP", 500) is None
        assert quote(service, HANGZHOU, "BR-SP", 500) is None


def test_air_is_faster_than_road_and_dearer() -> None:
    for city in children_of(province_of("510100")):
        if city.level == "prefecture":
            air, road = asked(EXPRESS, HANGZHOU, city.code), asked(ECONOMY, HANGZHOU, city.code)
            assert air.days < road.days and air.price > road.price


def test_both_vocabularies_name_every_state() -> None:
    assert set(WORDS.values()) == set(NUMBERS.values())
    assert not set(WORDS) & set(NUMBERS)
