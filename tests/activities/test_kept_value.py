"""What of an order's money may be kept: the value of what was shipped, and never more."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from activities.orders.money import kept_value, settled
from contracts.orders import ParcelState, PaymentIntent
from tests.builders import order, parcel


class TestKeptValue:
    @settings(max_examples=80, deadline=None)
    @given(
        units=st.lists(st.integers(1, 9), min_size=1, max_size=4),
        price=st.integers(0, 999),
        discount=st.integers(0, 500),
        fee=st.integers(0, 500),
        data=st.data(),
    )
    def test_it_grows_with_what_ships_and_ends_at_the_total(
        self, units: Sequence[int], price: int, discount: int, fee: int, data: st.DataObject
    ) -> None:
        gross = price * sum(units)
        lines = [("tea", count) for count in units]
        shipped = order(*lines, price=price, discount=min(discount, gross), shipping_fee=fee)
        left = {number + 1: count for number, count in enumerate(units)}
        values = [kept_value(shipped)]
        while any(left.values()):
            line = data.draw(st.sampled_from([line for line, count in left.items() if count]))
            count = data.draw(st.integers(1, left[line]))
            left[line] -= count
            parcel(shipped, lines={line: count}, state=ParcelState.SHIPPED)
            values.append(kept_value(shipped))
        assert values[0] == 0
        assert values == sorted(values)
        assert values[-1] == shipped.total

    def test_a_settled_order_has_nothing_open_at_the_provider(self) -> None:
        made = order(method="prepaid", price=0)
        assert settled(made)
        made.payment.intents.append(PaymentIntent(key="k", operation="refund", amount=1, state="failed"))
        assert not settled(made)
