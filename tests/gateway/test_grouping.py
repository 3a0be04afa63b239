"""Group commit: when groups go out, how large they get, and what their items are told."""

import asyncio

import pytest

from contracts.refusals import Refusal
from infra.grouping import Grouping
from tests.support import eventually


class Store:
    """Writes numbers; each write ends when the test lets it."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.free = asyncio.Event()
        self.free.set()

    async def write(self, items: list[int]) -> list[int]:
        self.groups.append(items)
        await self.free.wait()
        if 13 in items:
            raise RuntimeError("unlucky")
        return [item * 10 for item in items]


def grouping(store: Store, *, at_most: int = 100, waiting: int = 1000, at_once: int = 1) -> Grouping[int, int]:
    return Grouping(store.write, within_s=0.01, at_most=at_most, waiting_at_most=waiting, at_once=at_once)


async def test_items_that_come_together_go_together_and_get_their_own_outcome() -> None:
    store = Store()
    group = grouping(store)
    first, two, last = await asyncio.gather(group.add(1), group.add_all([2, 3]), group.add(4))
    assert (first, list(two), last) == (10, [20, 30], 40)
    assert store.groups == [[1, 2, 3, 4]]


async def test_a_full_group_does_not_wait_for_its_time() -> None:
    store = Store()
    group = Grouping(store.write, within_s=60, at_most=3, waiting_at_most=10, at_once=1)
    assert await asyncio.wait_for(group.add_all([1, 2, 3]), 5) == [10, 20, 30]


async def test_while_one_group_is_written_the_next_one_grows() -> None:
    store = Store()
    group = grouping(store, at_most=2)
    store.free.clear()
    first = asyncio.create_task(group.add_all([1, 2]))
    await asyncio.sleep(0)
    others = [asyncio.create_task(group.add(number)) for number in range(3, 9)]
    # Each pair that comes would be a full group.
    await eventually(lambda: group.held == 8)
    assert store.groups == [[1, 2]]
    store.free.set()
    await asyncio.gather(first, *others)
    assert store.groups == [[1, 2], [3, 4, 5, 6, 7, 8]]
    assert group.held == 0


async def test_a_failure_reaches_its_own_group_only() -> None:
    store = Store()
    group = grouping(store, at_most=1, at_once=4)
    outcomes = await asyncio.gather(group.add(12), group.add(13), group.add(14), return_exceptions=True)
    assert outcomes[0] == 120
    assert isinstance(outcomes[1], RuntimeError)
    assert outcomes[2] == 140
    assert group.held == 0


async def test_what_would_be_too_much_is_refused_and_may_come_again_later() -> None:
    store = Store()
    group = grouping(store, at_most=1, waiting=2)
    store.free.clear()
    held = [asyncio.create_task(group.add(number)) for number in (1, 2)]
    await asyncio.sleep(0)
    with pytest.raises(Refusal) as refused:
        await group.add(3)
    assert (refused.value.code, refused.value.status) == ("overloaded", 503)
    store.free.set()
    assert await asyncio.gather(*held) == [10, 20]
    assert await group.add(3) == 30


async def test_a_caller_who_leaves_does_not_disturb_the_group() -> None:
    store = Store()
    group = grouping(store)
    leaving, staying = asyncio.create_task(group.add(1)), asyncio.create_task(group.add(2))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == 20


async def test_closing_writes_what_is_left() -> None:
    store = Store()
    group = Grouping(store.write, within_s=60, at_most=100, waiting_at_most=100, at_once=1)
    adding = asyncio.create_task(group.add(1))
    await asyncio.sleep(0)
    await group.close()
    assert await adding == 10
