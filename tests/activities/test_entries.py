"""Entries of single orders: who gets what when a parcel leaves, and what is taken back when units come back."""

from collections import Counter
from typing import Any

import pytest

from activities.settlement.entries import entries_for, reversing
from activities.settlement.rates import Rates
from contracts.orders import OrderState, ParcelState
from contracts.settlement import Entry, Rule
from tests.builders import NOW, later, order, parcel

SELLER_10 = Rule(id="sellers", terms="marketplace", location_kind="seller", percent_bp=1_000, per_parcel=50)
ADVICE = Rule(id="advice", terms="sales", percent_bp=300)
FEE = Rule(id="fee", terms="handling", location_kind="store", per_parcel=200)
FREIGHT_HALF = Rule(id="half", terms="freight", percent_bp=5_000)
KINDS = {"shop": "store", "market": "seller", "counter": "store"}


class Books:
    """An order and all its entries, as they are written step by step. Each method that changes it is one step."""

    def __init__(self, made: OrderState, *rules: Rule, categories: dict[str, str] | None = None) -> None:
        self.order = made
        self.rates = Rates(rules, KINDS, categories or {})
        self.entries: list[Entry] = []

    def step(self, **payment: int) -> list[Entry]:
        """A step in which nothing moves, except money: `captured` and `refunded` as they are after it."""
        return self.become(self.order.model_copy(deep=True), **payment)

    def become(self, after: OrderState, **payment: int) -> list[Entry]:
        before = self.order
        for name, value in payment.items():
            setattr(after.payment, name, value)
        back = set(reversing(before, after))
        booked = [e for e in self.entries if e.parcel in back and e.cause == f"{e.parcel}:shipped"]
        made = entries_for(before, after, self.rates, NOW, booked)
        after.version = before.version + 1
        self.order = after
        self.entries += made
        return made

    def ship(self, number: int = 0) -> list[Entry]:
        after = self.order.model_copy(deep=True)
        after.parcels[number].state = ParcelState.SHIPPED
        return self.become(after)

    def come_back(self, units: dict[int, int], number: int = 0) -> list[Entry]:
        after = self.order.model_copy(deep=True)
        for item in after.parcels[number].items:
            item.returned += units.get(item.line, 0)
        return self.become(after)

    @property
    def accounts(self) -> dict[str, int]:
        return sums(self.entries)


def sums(entries: list[Entry]) -> dict[str, int]:
    """By account, without those that stand at zero."""
    total: Counter[str] = Counter()
    for entry in entries:
        total[entry.account] += entry.amount
    return {account: amount for account, amount in total.items() if amount}


def books(*lines: tuple[str, int], where: str = "shop", rules: tuple[Rule, ...] = (), **more: Any) -> Books:
    made = order(*(lines or [("tea", 4)]), **more)
    parcel(made, where, state=ParcelState.ACCEPTED)
    return Books(made, *rules)


def test_nothing_is_booked_before_a_parcel_leaves_but_the_money() -> None:
    shop = books(rules=(FEE,))
    assert sums(shop.step()) == {"customer": 400, "retailer": -400}
    assert shop.entries[0].id == "order-1:captured:400:0"
    assert shop.step() == []


def test_a_store_ships_for_the_retailer_and_gets_its_fee() -> None:
    shop = books(rules=(FEE, SELLER_10))
    shop.ship()
    assert shop.accounts == {"partner:shop": 200, "handling": -200}
    assert {entry.rule for entry in shop.entries if entry.meaning == "handling"} == {"fee@1"}


def test_a_seller_gets_the_goods_value_less_its_commission() -> None:
    shop = books(where="market", rules=(SELLER_10, FEE))
    shop.ship()
    assert shop.accounts == {"partner:market": 400 - 40 - 50, "commission": 90, "retailer": -400}


def test_who_made_the_sale_gets_a_commission() -> None:
    shop = books(rules=(ADVICE,), sold_by="counter")
    shop.ship()
    assert shop.accounts == {"partner:counter": 12, "commission": -12}


def test_a_seller_gets_no_commission_for_its_own_sale() -> None:
    shop = books(where="market", rules=(ADVICE,), sold_by="market")
    shop.ship()
    assert shop.accounts == {"partner:market": 400, "retailer": -400}


def test_the_freight_is_shared_by_rule_and_without_one_the_retailers() -> None:
    for rules, expected in (
        ((FREIGHT_HALF,), {"carrier:shun": 901, "partner:shop": -451, "freight": -450}),
        ((), {"carrier:shun": 901, "freight": -901}),
    ):
        shop = books(rules=rules)
        shop.order.parcels[0].service, shop.order.parcels[0].freight = "shun/express", 901
        shop.ship()
        assert shop.accounts == expected


def test_discount_and_shipping_fee_have_accounts_of_their_own() -> None:
    shop = books(("tea", 3), ("cup", 1), price=333, discount=100, shipping_fee=7)
    shop.ship()
    assert shop.accounts == {"retailer": 4 * 333 - (4 * 333 - 100 + 7), "discount": -100, "freight": 7}


def test_a_part_that_comes_back_takes_its_part_of_everything_with_it() -> None:
    shop = books(("tea", 3), where="market", rules=(SELLER_10,), price=333)
    shop.ship()
    made = shop.come_back({1: 1})
    assert {entry.cause for entry in made} == {"order-1.p1:returned:1"}
    assert sum(entry.amount for entry in made) == 0
    assert sums(made)["customer"] == 333
    # 10 % of 999 is 100, of which two thirds stay; of the 50 of the parcel 33 stay.
    assert shop.accounts["commission"] == 67 + 33


def test_when_all_has_come_back_all_is_back() -> None:
    shop = books(("tea", 3), ("cup", 2), where="market", rules=(SELLER_10, FREIGHT_HALF), price=37, discount=11)
    shop.order.parcels[0].service, shop.order.parcels[0].freight = "shun/express", 901
    shop.ship()
    shop.come_back({1: 2})
    shop.come_back({2: 1})
    shop.come_back({1: 1, 2: 1})
    shop.step(refunded=shop.order.payment.captured)
    assert shop.accounts == {}
    assert len({entry.id for entry in shop.entries}) == len(shop.entries)


def test_a_rule_may_let_its_part_stay() -> None:
    shop = books(rules=(FEE.model_copy(update={"on_return": "keep"}),))
    shop.ship()
    shop.come_back({1: 4})
    assert shop.accounts["partner:shop"] == 200


def test_rules_of_the_day_of_shipping_count_when_goods_come_back() -> None:
    shop = books(where="market", rules=(SELLER_10,))
    shop.ship()
    shop.rates = Rates([SELLER_10.model_copy(update={"percent_bp": 9_000, "version": 2})], KINDS)
    made = shop.come_back({1: 4})
    assert {entry.rule for entry in made if entry.meaning == "commission"} == {"sellers@1"}
    shop.step(refunded=400)
    assert shop.accounts == {}


def test_what_leaves_and_comes_back_in_one_step_is_two_causes() -> None:
    shop = books(rules=(FEE,))
    after = shop.order.model_copy(deep=True)
    after.parcels[0].state, after.parcels[0].items[0].returned = ParcelState.DELIVERED, 1
    assert {e.cause for e in shop.become(after)} == {
        "order-1.p1:shipped",
        "order-1.p1:returned:1",
        "order-1:captured:400",
    }
    assert shop.accounts["partner:shop"] == 150


@pytest.mark.parametrize("returned", [5, -1])
def test_more_than_went_cannot_come_back(returned: int) -> None:
    shop = books()
    shop.ship()
    with pytest.raises(ValueError, match="cannot have come back"):
        shop.come_back({1: returned})


def test_what_came_back_cannot_go_out_again() -> None:
    shop = books()
    shop.ship()
    shop.come_back({1: 2})
    with pytest.raises(ValueError, match="went out again"):
        shop.come_back({1: -1})


def test_a_parcel_that_is_narrowed_before_it_leaves_is_booked_as_it_left() -> None:
    shop = books(("tea", 2), ("cup", 3), where="market")
    after = shop.order.model_copy(deep=True)
    del after.parcels[0].items[0]
    assert sums(shop.become(after)) == {"customer": 500, "retailer": -500}
    assert sums(shop.ship()) == {"customer": -300, "partner:market": 300}


def test_a_parcel_that_does_not_count_any_more_is_taken_back_whole() -> None:
    shop = books(where="market", rules=(SELLER_10,))
    shop.ship()
    after = shop.order.model_copy(deep=True)
    after.parcels[0].state = ParcelState.WITHDRAWN
    assert {entry.cause for entry in shop.become(after)} == {"order-1.p1:withdrawn"}
    shop.step(refunded=400)
    assert shop.accounts == {}


def test_what_was_never_booked_cannot_be_taken_back() -> None:
    shop = books()
    shop.ship()
    shop.entries = []
    with pytest.raises(ValueError, match="nothing was booked"):
        shop.come_back({1: 1})


class TestTheRuleThatCounts:
    """The most specific one that matches."""

    def rule_of(self, *rules: Rule, at: Any = NOW, **asked: Any) -> str | None:
        rates = Rates(rules, KINDS, {"tea": "drinks"})
        fields = {"channel": "online", "division": "330106", "sku": "tea", **asked}
        found = rates.rule("marketplace", "market", at=at, **fields)
        return found.id if found else None

    def of(self, rule_id: str, **fields: Any) -> Rule:
        return Rule(id=rule_id, terms="marketplace", **fields)

    def test_is_the_one_that_names_more(self) -> None:
        ranked = [
            self.of("any"),
            self.of("province", region="33"),
            self.of("city", region="3301"),
            self.of("channel", channel="online"),
            self.of("category", category="drinks"),
            self.of("kind", location_kind="seller"),
            self.of("location", location="market"),
        ]
        for best in range(len(ranked)):
            assert self.rule_of(*ranked[: best + 1]) == self.rule_of(*reversed(ranked[: best + 1])) == ranked[best].id

    def test_must_match_in_everything_that_it_names(self) -> None:
        others = [
            self.of("elsewhere", region="44"),
            self.of("other-channel", channel="live"),
            self.of("other-category", category="cups"),
            self.of("other-kind", location_kind="store"),
            self.of("other-location", location="shop"),
            Rule(id="other-terms", terms="sales"),
        ]
        assert self.rule_of(*others) is None

    def test_must_hold_on_the_day(self) -> None:
        spring = self.of("spring", valid_from=NOW, valid_to=later(hours=1))
        assert self.rule_of(spring, at=NOW) == "spring"
        assert self.rule_of(spring, at=later(-1)) is None
        assert self.rule_of(spring, at=later(hours=1)) is None
        assert self.rule_of(self.of("old"), spring) == "spring"


def test_goods_that_cost_nothing_are_in_the_books_too() -> None:
    shop = books(price=0)
    assert [(e.meaning, e.amount) for e in shop.ship()] == [("goods", 0)]
    assert shop.come_back({1: 4}) == []
