"""Scarce goods for several that wait, each in a batch of its own: the oldest first, whoever steps first."""

from datetime import timedelta

from activities.orders.batch import BatchActivities
from activities.stock.arrivals import wake_waiting
from contracts.fulfilment import Advance
from tests.workflows.world import World

Lines = list[tuple[str, int]]


class Queue:
    """Orders that wait, the oldest first, each in a batch of its own. No workflow runs: the test makes the steps."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.orders: list[str] = []
        self.rung: set[str] = set()
        self._activities = BatchActivities(world.mongo, self._ring)

    async def _ring(self, batches: set[str]) -> None:
        self.rung |= batches

    async def join(self, *wanted: Lines) -> None:
        for number, lines in enumerate(wanted):
            order = await self.world.place(*lines)
            await self.world.mongo.batches.insert_one({"_id": order, "status": "running", "size": 1})
            placed_at = (await self.world.order(order))["placed_at"] + timedelta(seconds=number)
            await self.world.mongo.orders.update_one({"_id": order}, {"$set": {"batch": order, "placed_at": placed_at}})
            self.orders.append(order)
            await self.step(number)

    async def arrive(self, sku: str, units: int) -> list[int]:
        """Goods arrive; the places in the queue of those whose bell is rung."""
        await self.world.receive("near", sku, units)
        return self.places(await wake_waiting(self.world.mongo, {sku: units}, await self.world.now()))

    async def step(self, place: int) -> list[int]:
        """One order steps; the places of those that it wakes."""
        self.rung = set()
        now = await self.world.now() + timedelta(seconds=30)
        await self._activities.advance(Advance(batch=self.orders[place], now=now))
        return self.places(self.rung)

    def places(self, batches: set[str]) -> list[int]:
        return sorted(self.orders.index(batch) for batch in batches)

    async def served(self) -> list[int]:
        """The places of those that wait no more."""
        stages = [(await self.world.order(order))["stage"] for order in self.orders]
        return [place for place, stage in enumerate(stages) if stage != "backordered"]


async def queue(world: World, *wanted: Lines) -> Queue:
    await world.open_stores({"near": {"tea": 0, "cup": 0}})
    line = Queue(world)
    await line.join(*wanted)
    assert await line.served() == []
    return line


async def test_a_younger_order_that_steps_first_does_not_overtake_an_older_one(world: World) -> None:
    line = await queue(world, [("tea", 2)], [("tea", 1)], [("tea", 1)])
    assert await line.arrive("tea", 2) == [0]
    for place in (2, 1, 0):
        await line.step(place)
    assert await line.served() == [0]


async def test_as_many_are_woken_as_the_goods_suffice_for(world: World) -> None:
    line = await queue(world, [("tea", 1)], [("tea", 1)], [("tea", 1)], [("tea", 1)])
    assert await line.arrive("tea", 3) == [0, 1, 2]
    for place in (3, 2, 1, 0):
        await line.step(place)
    assert await line.served() == [0, 1, 2]


async def test_who_cannot_use_its_share_passes_it_on_to_the_next_and_no_further(world: World) -> None:
    line = await queue(world, [("tea", 1), ("cup", 1)], [("tea", 1), ("cup", 1)], [("tea", 1)], [("tea", 1)])
    assert await line.arrive("tea", 1) == [0]
    assert await line.step(0) == [1]
    assert await line.step(1) == [2]
    assert await line.step(3) == []
    assert await line.step(2) == []
    assert await line.served() == [2]
    assert await line.arrive("cup", 1) == [0]
    assert await line.step(0) == [1]
    assert await line.step(1) == []


async def test_who_was_told_and_has_not_moved_yet_keeps_its_share(world: World) -> None:
    line = await queue(world, [("tea", 1)], [("tea", 1)], [("tea", 1)])
    assert await line.arrive("tea", 1) == [0]
    assert await line.arrive("tea", 1) == [1]
    for place in (2, 1, 0):
        await line.step(place)
    assert await line.served() == [0, 1]


async def test_the_oldest_are_served_by_workflows_of_their_own(world: World) -> None:
    await world.open_stores({"near": {"tea": 1}})
    first, _ = await world.begin(("tea", 1))
    parcel = await world.offered_to(first, "near")
    waiting = []
    for _ in range(4):
        order, _ = await world.begin(("tea", 1))
        await world.reaches(order, "backordered")
        waiting.append(order)
    await world.receive("near", "tea", 2)
    await world.ring(await wake_waiting(world.mongo, {"tea": 2}, await world.now()))
    for order in waiting[:2]:
        await world.offered_to(order, "near")
    await world.answer(first, parcel, "accepted")
    assert [(await world.order(order))["stage"] for order in waiting[2:]] == ["backordered"] * 2
