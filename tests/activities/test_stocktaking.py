"""Counts and receipts as movements: in any order, on any levels, the ledger adds up to what is said."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from activities.stock.stocktaking import Known, empty_shelves, excesses, gained, movement_id, take_stock
from contracts.stock import Level, StockUpsert

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PLACES, SKUS = ("a", "b"), ("x", "y")

levels = st.dictionaries(
    st.tuples(st.sampled_from(PLACES), st.sampled_from(SKUS)), st.tuples(st.integers(0, 50), st.integers(0, 60))
)
upserts = st.lists(
    st.builds(
        StockUpsert,
        location=st.sampled_from((*PLACES, "nowhere")),
        sku=st.sampled_from(SKUS),
        kind=st.just("receipt"),
        quantity=st.integers(0, 30),
        reference=st.sampled_from(("n1", "n2")),
    )
    | st.builds(StockUpsert, location=st.sampled_from(PLACES), sku=st.sampled_from(SKUS), quantity=st.integers(0, 30)),
    max_size=12,
)


def known(of: dict[tuple[str, str], tuple[int, int]], booked: dict[str, int] | None = None) -> Known:
    made = {key: Level(location=key[0], sku=key[1], on_hand=n, reserved=r) for key, (n, r) in of.items()}
    return Known(set(PLACES), made, booked or {})


@given(levels, upserts)
def test_movements_lead_from_the_old_levels_to_the_new_ones(
    before: dict[tuple[str, str], tuple[int, int]], items: list[StockUpsert]
) -> None:
    done = take_stock(dict(enumerate(items)), known(before), "r", NOW)
    sums = {key: on_hand for key, (on_hand, _) in before.items()}
    for movement in done.movements:
        for change in movement.changes:
            key = (movement.location, change.sku)
            sums[key] = sums.get(key, 0) + change.on_hand
            assert sums[key] >= 0
            assert change.reserved == 0
    assert all(level.on_hand == sums.get(key, 0) for key, level in done.levels.items())
    assert len({movement.id for movement in done.movements}) == len(done.movements)
    assert set(done.taken) | set(done.refused) == set(range(len(items)))


@given(levels, upserts)
def test_the_same_request_again_books_nothing(
    before: dict[tuple[str, str], tuple[int, int]], items: list[StockUpsert]
) -> None:
    first = take_stock(dict(enumerate(items)), known(before), "r", NOW)
    booked = {movement.id: sum(c.on_hand for c in movement.changes) for movement in first.movements}
    after = {key: (level.on_hand, level.reserved) for key, level in first.levels.items()}
    receipts = {index: item for index, item in enumerate(items) if item.kind == "receipt"}
    again = take_stock(receipts, known(after, booked), "r", NOW)
    assert again.movements == []


def test_ids_of_receipts_do_not_depend_on_the_request() -> None:
    item = StockUpsert(location="a", sku="x", kind="receipt", quantity=1, reference="note:1")
    assert movement_id(item, "one") == movement_id(item, "two") == "received:note:1:a:x"
    counted = StockUpsert(location="a", sku="x", quantity=1)
    assert movement_id(counted, "one") == "counted:one:a:x"


def test_a_shelf_is_empty_where_nothing_was_before_and_nothing_is_now() -> None:
    places = [("a", "x", 0), ("a", "y", 3), ("b", "x", 0), ("nowhere", "x", 0)]
    items = {n: StockUpsert(location=at, sku=sku, quantity=units) for n, (at, sku, units) in enumerate(places)}
    before = known({("b", "x"): (2, 0)})
    done = take_stock(items, before, "r", NOW)
    assert empty_shelves(items, done, before.levels) == [("a", "x")]


def test_units_that_only_cover_what_was_promised_are_no_gain() -> None:
    before = {("a", "x"): Level(location="a", sku="x", on_hand=2, reserved=5)}
    after = {("a", "x"): Level(location="a", sku="x", on_hand=6, reserved=5)}
    assert gained(before, after) == {"x": 1}
    assert excesses(before) == {("a", "x"): 3}
    assert excesses(after) == {}
