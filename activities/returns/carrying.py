"""The activity that moves one return a step: read, decide, write everything in one transaction, wake its order."""

import asyncio
from collections.abc import Awaitable, Callable

from temporalio import activity

from activities.heartbeat import heartbeats
from activities.orders.policies import Policies, policy_for
from activities.returns.advance import ReturnMoves, advance_return
from activities.stock.booking import Stale
from contracts.ids import outgoing_event_id
from contracts.orders import TERMINAL, OrderState
from contracts.returns import ENDED, RETURN_ADVANCE, Return, ReturnProgress, ReturnStep
from infra.mongo import Mongo, Session
from infra.outbox import outgoing, rows_of
from infra.reopening import reopen

Ring = Callable[[set[str]], Awaitable[None]]
_TRIES = 20


class ReturnActivities:
    """Carries returns. `ring` asks for the bells of some batches to be rung at once."""

    def __init__(self, mongo: Mongo, ring: Ring) -> None:
        self._mongo = mongo
        self._ring = ring
        self._policies = Policies(mongo)

    @activity.defn(name=RETURN_ADVANCE)
    async def advance(self, step: ReturnStep) -> ReturnProgress:
        """Safe to repeat at any time, also side by side."""
        async with heartbeats():
            for attempt in range(_TRIES):
                try:
                    moves = await self._step(step)
                except Stale:
                    await asyncio.sleep(0.005 * attempt)
                    continue
                await self._wake(moves)
                one = moves.returned
                return ReturnProgress(
                    order=one.order, state=one.state, open=one.state not in ENDED, next_due=one.next_due
                )
        raise Stale(f"return {step.id} kept changing; the next try starts afresh")

    async def _step(self, step: ReturnStep) -> ReturnMoves:
        row = await self._mongo.returns.find_one({"_id": step.id})
        if row is None:
            raise LookupError(f"there is no return {step.id}")
        order = await self._mongo.orders.find_one({"_id": row["order"]}, {"timeline": 0, "decisions": 0})
        if order is None:
            raise LookupError(f"return {step.id} is of order {row['order']}, which does not exist")
        returned = Return.from_row(row)
        state = OrderState.from_row(order)
        policy = policy_for(await self._policies.in_force(), state.channel, state.division)
        moves = advance_return(returned, state, step.now, policy)
        await self._write(moves, step, order["batch"])
        return moves

    async def _write(self, moves: ReturnMoves, step: ReturnStep, batch: str | None) -> None:
        """Raises Stale, with nothing written, when the return has changed since it was read."""
        one, before = moves.returned, moves.before
        events = rows_of(
            [
                outgoing(
                    tell.partner,
                    outgoing_event_id(one.id, before.version, number),
                    tell.type,
                    tell.subject,
                    step.now,
                    tell.data,
                )
                for number, tell in enumerate(moves.tells)
            ],
            step.now,
        )
        changes = {**one.model_dump(exclude={"id", "version", "started"}), "version": before.version + 1}

        async def work(session: Session) -> None:
            guarded = {"_id": one.id, "version": before.version}
            written = await self._mongo.returns.update_one(guarded, {"$set": changes}, session=session)
            if written.matched_count != 1:
                raise Stale
            if events:
                await self._mongo.outbox.insert_many(events, ordered=False, session=session)
            if moves.received is not None:
                await self._mongo.inbox.insert_one(moves.received.unread(batch), session=session)

        await self._mongo.transaction(work)

    async def _wake(self, moves: ReturnMoves) -> None:
        """Have the order take in what it was told. Should this be lost, the sweep finds the unread event."""
        if moves.received is None:
            return
        event = moves.received
        order = await self._mongo.orders.find_one({"_id": event.order}, {"batch": 1, "stage": 1})
        assert order is not None
        await self._mongo.inbox.update_one({"_id": event.id, "drained": None}, {"$set": {"batch": order["batch"]}})
        if order["stage"] in TERMINAL:
            await reopen(self._mongo, [event.order])
        elif order["batch"]:
            await self._ring({order["batch"]})
