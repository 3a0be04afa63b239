"""An order that is to go elsewhere: routed anew, or sent there by the stores that have it; never once it has left."""

from typing import Any

import pytest

from contracts.carriers import LabelIntent
from contracts.orders import ParcelState, Stage
from contracts.subjects import RETAILER
from tests.builders import CUSTOMER, Levels, command, event, later, location, network, order
from tests.shop import Shop, answer, last, opened, the

TWO: Levels = {"near": {"tea": 10}, "far": {"tea": 10}}


def address(division: str, lat: float = CUSTOMER[0] + 0.2, at: float = 90) -> Any:
    point = {"lat": lat, "lon": CUSTOMER[1], "datum": "WGS84"}
    ship_to = {"name": "王芳", "division": division, "point": point}
    return event("command.address", "order-1", by="api", at=later(at), ship_to=ship_to)


def moved(shop: Shop, division: str) -> list[tuple[str, str]]:
    """Change the address; what was told, to whom. The new place is next to "far"."""
    moves = shop.step(later(90), address(division))["order-1"]
    return [(tell.partner, tell.type) for tell in moves.tells]


class TestOffers:
    def test_to_another_prefecture_offers_are_withdrawn_and_made_anew_from_the_new_place(self) -> None:
        shop = opened(TWO, ("tea", 3))
        assert moved(shop, "330212") == [
            ("near", "parcel.withdrawn.v1"),
            ("far", "parcel.offered.v1"),
            (RETAILER, "order.dispatched.v1"),
        ]
        assert (the(shop).division, the(shop).ship_to["name"]) == ("330212", "王芳")
        assert (shop.promised(), the(shop).excluded, the(shop).refusals) == ({("far", "tea"): 3}, [], 0)

    def test_within_the_prefecture_the_store_is_told_and_keeps_its_parcel(self) -> None:
        shop = opened(TWO, ("tea", 3))
        assert moved(shop, "330110") == [("near", "parcel.address_changed.v1")]
        assert (last(shop).location, last(shop).state) == ("near", ParcelState.OFFERED)

    def test_held_goods_are_moved_without_a_word_and_offered_with_the_new_address(self) -> None:
        shop = opened(TWO, ("tea", 3), method="later", customer="c-1")
        until = the(shop).hold_until
        assert moved(shop, "330212") == []
        assert (last(shop).location, last(shop).state, the(shop).hold_until) == ("far", ParcelState.HELD, until)
        paid = event("payment.received", "order-1", by="api", at=later(99), reference="wx-1", amount=300)
        offer = shop.step(later(99), paid)["order-1"].tells[0]
        assert offer.data["ship_to"]["division"] == "330212"

    def test_an_order_that_waits_is_looked_for_again(self) -> None:
        shop = Shop(network(location("far", 30.0, channels=["elsewhere"])), {"far": {"tea": 3}})
        shop.place(order(("tea", 3)))
        shop.step(later(0))
        assert the(shop).stage is Stage.BACKORDERED
        attempt = the(shop).attempt
        moved(shop, "330212")
        assert the(shop).attempt == attempt + 1


class TestAccepted:
    @pytest.mark.parametrize("kind", ["accepted", "packed"])
    def test_a_store_that_has_accepted_is_told_and_our_label_is_void(self, kind: str) -> None:
        shop = opened(TWO, ("tea", 3))
        answer(shop, kind, 60)
        last(shop).service, last(shop).tracking = "shun/express", "SF1"
        last(shop).label = LabelIntent(key="1", service="shun/express", state="done", tracking="SF1")
        moves = shop.step(later(90), address("330212"))["order-1"]
        (told,) = moves.tells
        assert (told.partner, told.type, told.data["ship_to"]["division"]) == (
            "near",
            "parcel.address_changed.v1",
            "330212",
        )
        assert (last(shop).state, last(shop).tracking) == (kind, None)
        label = last(shop).label
        assert label is not None and (label.operation, label.state) == ("void", "todo")

    def test_a_label_of_the_stores_own_is_its_own_affair(self) -> None:
        shop = opened(TWO, ("tea", 3))
        answer(shop, "packed", 60, tracking="own-1")
        moved(shop, "330212")
        assert last(shop).tracking == "own-1"


class TestTooLate:
    def test_what_has_left_cannot_be_sent_elsewhere(self) -> None:
        shop = opened({"near": {"tea": 1}, "far": {"cup": 1}}, ("tea", 1), ("cup", 1))
        tea, _ = the(shop).parcels
        answer(shop, "shipped", 60, tea)
        assert moved(shop, "330212") == [(RETAILER, "order.address_refused.v1")]
        assert the(shop).division == "330106"

    def test_nor_what_was_cancelled(self) -> None:
        shop = opened(TWO, ("tea", 3))
        shop.step(later(60), command("cancel", at=later(60)))
        moves = shop.step(later(90), address("330212"))["order-1"]
        assert moves.refused == ["order_cancelled"]
