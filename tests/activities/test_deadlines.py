"""What happens when a store does not answer in time, or does not hand over what it accepted."""

from contracts.orders import Parcel, ParcelState, Stage
from contracts.stock import Level
from contracts.subjects import RETAILER
from tests.builders import ACCEPT_S, NOW, SHIP_S, later, network, order, reply
from tests.shop import Shop, opened, the


def offered() -> Shop:
    """One order of three teas, offered to "near"; "far" could take it too."""
    return opened({"near": {"tea": 10}, "far": {"tea": 10}}, ("tea", 3))


def first(shop: Shop) -> Parcel:
    return the(shop).parcels[0]


def near(shop: Shop) -> Level:
    return shop.level("near", "tea")


class TestNoAnswer:
    def test_the_parcel_is_taken_away_at_its_time_limit_and_the_next_store_is_asked(self) -> None:
        shop = offered()
        assert not shop.step(later(ACCEPT_S - 1))
        moves = shop.step(later(ACCEPT_S))["order-1"]
        assert (first(shop).state, first(shop).reason) == (ParcelState.EXPIRED, "no_answer")
        assert (the(shop).refusals, the(shop).excluded) == (1, ["near"])
        assert (near(shop).on_hand, near(shop).reserved) == (10, 0)
        assert [(tell.partner, tell.type) for tell in moves.tells] == [
            ("near", "parcel.withdrawn.v1"),
            ("far", "parcel.offered.v1"),
            (RETAILER, "order.dispatched.v1"),
        ]
        assert the(shop).parcels[1].due == later(2 * ACCEPT_S)


class TestNotHandedOver:
    def overdue(self) -> Shop:
        shop = offered()
        shop.step(later(60), reply("accepted", first(shop), at=later(60)))
        shop.step(later(60 + SHIP_S))
        return shop

    def test_the_order_needs_attention_and_keeps_its_parcel(self) -> None:
        shop = offered()
        shop.step(later(60), reply("accepted", first(shop), at=later(60)))
        moves = shop.step(later(60 + SHIP_S))["order-1"]
        attention = the(shop).attention
        assert attention is not None
        assert (attention.code, attention.at) == ("ship_overdue", later(60 + SHIP_S))
        assert "near" in attention.detail
        assert (first(shop).state, first(shop).due, near(shop).reserved) == (ParcelState.ACCEPTED, None, 3)
        assert [(tell.partner, tell.type) for tell in moves.tells] == [(RETAILER, "order.attention.v1")]
        assert moves.tells[0].data["reason"] == attention.detail

    def test_it_is_over_when_the_parcel_is_shipped(self) -> None:
        shop = self.overdue()
        shop.step(later(hours=60), reply("packed", first(shop), at=later(hours=60)))
        assert the(shop).attention is not None
        shop.step(later(hours=61), reply("shipped", first(shop), at=later(hours=61)))
        assert (the(shop).attention, the(shop).stage) == (None, Stage.SHIPPED)

    def test_it_is_over_when_the_store_rejects_after_all_and_the_next_store_is_asked(self) -> None:
        shop = self.overdue()
        shop.step(later(hours=60), reply("rejected", first(shop), at=later(hours=60), reason="too_busy"))
        assert the(shop).attention is None
        assert the(shop).parcels[1].location == "far"

    def test_meanwhile_another_store_is_asked_for_what_one_rejected(self) -> None:
        levels = {"near": {"tea": 1}, "far": {"cup": 1}, "third": {"cup": 1}}
        shop = opened(levels, ("tea", 1), ("cup", 1))
        tea, cup = the(shop).parcels
        shop.step(later(60), reply("accepted", tea, at=later(60)))
        shop.step(later(70), reply("accepted", cup, at=later(70)))
        at = later(65 + SHIP_S)
        shop.step(at, reply("rejected", cup, at=at, reason="too_busy"))
        assert the(shop).attention is not None
        assert [p.location for p in the(shop).parcels] == ["near", "far", "third"]

    def test_it_lasts_until_the_last_overdue_parcel_is_shipped(self) -> None:
        shop = Shop(network("near", "far"), {"near": {"tea": 1}, "far": {"cup": 1}})
        shop.place(order(("tea", 1), ("cup", 1)))
        shop.step(NOW)
        one, two = the(shop).parcels
        shop.step(later(60), reply("accepted", one, at=later(60)), reply("accepted", two, at=later(60)))
        shop.step(later(60 + SHIP_S))
        shop.step(later(hours=60), reply("shipped", one, at=later(hours=60)))
        assert the(shop).attention is not None
        shop.step(later(hours=61), reply("shipped", two, at=later(hours=61)))
        assert the(shop).attention is None


class TestMoreThanCounted:
    def test_goods_that_leave_where_a_count_had_found_fewer_are_booked_as_found(self) -> None:
        shop = offered()
        shop.step(later(60), reply("accepted", first(shop), at=later(60)))
        shop.count("near", "tea", 1, later(70))
        assert near(shop).available == -2
        shop.step(later(90), reply("shipped", first(shop), at=later(90)))
        assert (near(shop).on_hand, near(shop).reserved) == (0, 0)
