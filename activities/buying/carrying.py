"""The activities of a purchase order, and of an objection to a line of a score. Each may be repeated at any
time: what was done is found done."""

from collections.abc import Awaitable, Callable

from temporalio import activity

from activities.buying import disputes
from activities.buying.ordering import order_proposals
from activities.buying.steps import carry_out, listen, stand, tick
from activities.heartbeat import heartbeats
from activities.stock.arrivals import wake_waiting
from contracts import disputing
from contracts.buying import PurchaseOrder
from contracts.failures import failure_of
from contracts.purchasing import CARRY_OUT, HEAR, STAND, TIME, CarryOut, Standing, Step
from contracts.refusals import Refusal
from contracts.supply import ORDER, OrderAsked
from infra.mongo import Mongo

Ring = Callable[[set[str]], Awaitable[None]]


class BuyingActivities:
    """Carries purchase orders. `ring` asks for the bells of batches whose orders waited for goods that came."""

    def __init__(self, mongo: Mongo, ring: Ring) -> None:
        self._mongo = mongo
        self._ring = ring

    @activity.defn(name=ORDER)
    async def order(self, asked: OrderAsked) -> str:
        async with heartbeats():
            return await order_proposals(self._mongo, asked)

    @activity.defn(name=STAND)
    async def stand(self, step: Step) -> Standing:
        return await stand(self._mongo, step.order)

    @activity.defn(name=HEAR)
    async def hear(self, step: Step) -> Standing:
        async with heartbeats():
            return await listen(self._mongo, step)

    @activity.defn(name=TIME)
    async def time(self, step: Step) -> Standing:
        async with heartbeats():
            return await tick(self._mongo, step)

    @activity.defn(name=CARRY_OUT)
    async def carry_out(self, step: CarryOut) -> Standing:
        """What somebody wants done. A refusal is not tried again."""
        async with heartbeats():
            try:
                standing, order = await carry_out(self._mongo, step)
            except Refusal as refusal:
                raise failure_of(refusal) from refusal
            if step.command.receive is not None:
                await self._wake(order, step.command.receive.reference)
            return standing

    async def _wake(self, order: PurchaseOrder, reference: str) -> None:
        """Customers' orders that waited for these goods. Also when the step is repeated: the first try may have been
        cut off before; who was told already is passed over."""
        receipt = next((one for one in order.receipts if one.reference == reference), None)
        freed = {one.sku: one.good for one in receipt.lines if one.good} if receipt else {}
        if freed:
            await self._ring(await wake_waiting(self._mongo, freed, self._mongo.clock.now()))


class DisputeActivities:
    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo

    @activity.defn(name=disputing.STAND)
    async def stand(self, step: disputing.Step) -> disputing.Standing:
        return await disputes.stand(self._mongo, step.dispute)

    @activity.defn(name=disputing.TIME)
    async def time(self, step: disputing.Step) -> disputing.Standing:
        async with heartbeats():
            return await disputes.tick(self._mongo, step)

    @activity.defn(name=disputing.ANSWER)
    async def answer(self, step: disputing.CarryOut) -> disputing.Standing:
        """A refusal is not tried again."""
        async with heartbeats():
            try:
                return await disputes.carry_out(self._mongo, step)
            except Refusal as refusal:
                raise failure_of(refusal) from refusal
