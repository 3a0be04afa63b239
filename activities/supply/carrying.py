"""The activities of replenishment. Each may be repeated at any time: what was done is found done."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from temporalio import activity

from activities.heartbeat import heartbeats
from activities.supply import closing, deciding, moving, opening, proposing
from contracts import transfers
from contracts.failures import failure_of
from contracts.refusals import Refusal
from contracts.replenishing import (
    CLOSE,
    GROUP,
    LEFT_OVER,
    OPEN,
    ORDERED,
    PROPOSE,
    TRANSFERS,
    Closed,
    CloseRun,
    Group,
    LeftOver,
    LookForLeftOver,
    Made,
    Opened,
    OpenRun,
    OrderedAs,
    Orders,
    RunStep,
)
from contracts.transfers import Standing, standing_of
from infra.mongo import Mongo

Done = TypeVar("Done")
Ring = Callable[[set[str]], Awaitable[None]]
"""Rings the bell of batches whose orders were told something."""


async def working(work: Awaitable[Done]) -> Done:
    """Says every second that it works. A refusal is not tried again."""
    try:
        async with heartbeats():
            return await work
    except Refusal as refusal:
        raise failure_of(refusal) from refusal


class SupplyActivities:
    """All of a run but its forecasts."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo

    @activity.defn(name=OPEN)
    async def open(self, asked: OpenRun) -> Opened:
        """The series of a run, in chunks."""
        return await working(opening.open_run(self._mongo, asked))

    @activity.defn(name=TRANSFERS)
    async def transfers(self, step: RunStep) -> Made:
        """What is moved, and the rounds that carry it."""
        return await working(proposing.propose_transfers(self._mongo, step))

    @activity.defn(name=PROPOSE)
    async def propose(self, step: RunStep) -> Made:
        """What is bought for the series of a chunk."""
        return await working(proposing.propose_purchases(self._mongo, step))

    @activity.defn(name=CLOSE)
    async def close(self, asked: CloseRun) -> Closed:
        return await working(closing.close_run(self._mongo, asked))

    @activity.defn(name=LEFT_OVER)
    async def left_over(self, asked: LookForLeftOver) -> LeftOver:
        return await working(closing.left_over(self._mongo, asked))

    @activity.defn(name=GROUP)
    async def group(self, asked: Group) -> Orders:
        return await working(deciding.group(self._mongo, asked))

    @activity.defn(name=ORDERED)
    async def ordered(self, done: OrderedAs) -> int:
        return await working(deciding.ordered(self._mongo, done))


class TransferActivities:
    """Steps of stock transfers."""

    def __init__(self, mongo: Mongo, ring: Ring) -> None:
        self._mongo = mongo
        self._ring = ring

    @activity.defn(name=transfers.OPEN)
    async def open(self, asked: transfers.OpenTransfer) -> Standing:
        return standing_of(await working(moving.open_transfer(self._mongo, asked)))

    @activity.defn(name=transfers.STAND)
    async def stand(self, step: transfers.Step) -> Standing:
        return standing_of(await working(moving.stand(self._mongo, step.transfer)))

    @activity.defn(name=transfers.CARRY_OUT)
    async def carry_out(self, step: transfers.CarryOut) -> Standing:
        """A command, which moves stock; who waited for the goods is told."""
        transfer, batches = await working(moving.carry_out(self._mongo, step))
        if batches:
            await self._ring(batches)
        return standing_of(transfer)

    @activity.defn(name=transfers.REMIND)
    async def remind(self, step: transfers.Remind) -> Standing:
        return standing_of(await working(moving.remind(self._mongo, step)))
