"""The activity that moves a batch of orders one step: read, decide, and write everything in one transaction."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from pydantic import ValidationError
from temporalio import activity

from activities.heartbeat import heartbeats
from activities.orders.advance import advance, conclude, dispatch
from activities.orders.moves import Moves, begin
from activities.orders.policies import Policies, PolicyOf
from activities.orders.progress import progress
from activities.orders.reassigning import reassign
from activities.orders.routing import StockSeen, demand_of, route, uneasy
from activities.orders.writing import Written, movements, write
from activities.settlement.books import Books
from activities.stock.arrivals import pass_on, wake_waiting
from activities.stock.booking import Stale, Unfit
from activities.stock.found import book_found
from activities.stock.planner import Planner
from contracts.fulfilment import ADVANCE, Advance, Progress
from contracts.orders import Attention, InboxEvent, OrderState, Stage
from contracts.routing import Decision, Policy
from infra.mongo import Mongo
from infra.turns import Turns

Ring = Callable[[set[str]], Awaitable[None]]
"""Asks for the bells of some batches to be rung at once."""

_LEFT_OUT = {"timeline": 0, "decisions": 0, "digest": 0}
_TRIES = 20
_STEP_AT_MOST_S = 120.0
_MOVABLE_AT_MOST = 200


class _Poisoned(Exception):
    """One order cannot be advanced; the step is to be made without it."""

    def __init__(self, order: str, error: Exception) -> None:
        super().__init__(order)
        self.order = order
        self.error = error


@contextmanager
def _blamed_on(order: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise _Poisoned(order, error) from error


class BatchActivities:
    """Carries batches of orders. One object per process: the lock makes it the process's one writer of stock.

    Of several processes each would make the others' plans worthless; where there are such, they take turns.
    """

    def __init__(self, mongo: Mongo, ring: Ring) -> None:
        self._mongo = mongo
        self._ring = ring
        self._planner = Planner(mongo)
        self._policies = Policies(mongo)
        self._books = Books(mongo)
        self._stock = asyncio.Lock()
        self._turns = Turns(mongo, "stock")
        self._going: dict[str, asyncio.Task[Written]] = {}
        """The step of each batch that is under way here."""

    @activity.defn(name=ADVANCE)
    async def advance(self, step: Advance) -> Progress:
        """Drain the inbox of a batch and let its orders advance. Safe to repeat at any time, also side by side."""
        async with heartbeats():
            written = await self._finished(step)
            changed: dict[str, list[str]] = defaultdict(list)
            for order in written.changed:
                changed[order.stage].append(order.id)
            # What a try before this one had changed is not known any more.
            show_all = step.show_all or (activity.in_activity() and activity.info().attempt > 1)
            return await progress(self._mongo, step, dict(changed), show_all)

    async def _finished(self, step: Advance) -> Written:
        """Carry a step out to its end, also when nobody waits for it any more.

        On a machine with too much to do a step may be taken for dead, cancelled and begun anew: thrown away each time,
        it would never be done. The new one waits for the old one here, and finds its work done.
        """
        while (before := self._going.get(step.batch)) is not None:
            await asyncio.wait({before})
        going = asyncio.create_task(self._carry_out(step))
        self._going[step.batch] = going
        going.add_done_callback(lambda _: self._going.pop(step.batch))
        return await asyncio.shield(going)

    async def _carry_out(self, step: Advance) -> Written:
        """Raises TimeoutError: what waits for a connection that is dead may not hold the stock for ever."""
        async with asyncio.timeout(_STEP_AT_MOST_S):
            written = await self._until_written(step)
            if written.freed:
                await self._ring(await wake_waiting(self._mongo, written.freed, step.now, besides=written.moved))
            if written.left_waiting:
                await self._ring(await pass_on(self._mongo, written.left_waiting, step.now, written.moved))
            return written

    async def _until_written(self, step: Advance) -> Written:
        """Try the step until what it was planned on still holds when it is written."""
        poisoned: dict[str, Exception] = {}
        distrust = False
        for attempt in range(_TRIES):
            orders, events = await self._read(step)
            policies = PolicyOf(await self._policies.in_force())
            try:
                tried = [_moves(order, events[order.id], step, policies(order), poisoned) for order in orders]
                moved = [moves for moves in tried if moves is not None]
                if not any(moves.route or moves.postings for moves in moved):
                    _conclude(moved, step, policies)
                    await self._enter(moved, step)
                    return await write(self._mongo, step, moved, [], {}, planned_on=-1)
                async with self._stock, self._turns.mine() if self._planner.shared else nullcontext():
                    return await self._with_stock(step, moved, policies, distrust)
            except _Poisoned as poison:
                poisoned[poison.order] = poison.error
            except Stale as stale:
                distrust = distrust or isinstance(stale, Unfit)
                await asyncio.sleep(0.005 * attempt)
        raise Stale(f"what batch {step.batch} was planned on kept changing; the next try starts afresh")

    async def _read(self, step: Advance) -> tuple[list[OrderState], dict[str, list[InboxEvent]]]:
        """The orders that have something to do, and what has arrived for them."""
        events: dict[str, list[InboxEvent]] = defaultdict(list)
        unread = self._mongo.plain(self._mongo.inbox).find({"batch": step.batch, "drained": None})
        for row in await unread.to_list(None):
            events[row["order"]].append(InboxEvent.from_row(row))
        mine: dict[str, Any] = {"batch": step.batch}
        concerned: list[dict[str, Any]] = [{**mine, "due": {"$lte": step.now}}, {"_id": {"$in": list(events)}, **mine}]
        if step.cancel:
            concerned.append({**mine, "closed_at": None})
        orders = []
        found = self._mongo.plain(self._mongo.orders).find({"$or": concerned}, _LEFT_OUT)
        for row in await found.to_list(None):
            try:
                orders.append(OrderState.from_row(row))
            except ValidationError as error:
                await self._set_aside(row["_id"], error, step)
        return sorted(orders, key=lambda order: (order.placed_at, order.id)), events

    async def _set_aside(self, order: str, error: Exception, step: Advance) -> None:
        """A document that cannot even be read: mark it, and leave everything else of it as it is."""
        attention = Attention(code="error", detail=_words(error), at=step.now).model_dump()
        await self._mongo.orders.update_one(
            {"_id": order}, {"$set": {"attention": attention, "due": None, "pay_at": None, "label_at": None}}
        )

    async def _with_stock(self, step: Advance, moved: list[Moves], policies: PolicyOf, distrust: bool) -> Written:
        """Plan on the newest stock and write. Called by one step at a time in this process."""
        planner = self._planner
        if distrust:
            planner.forget()
            await book_found(self._mongo, moved)
        await planner.catch_up()
        if any(moves.route for moves in moved):
            await planner.set_prices(policies.in_force, step.now)
        with planner.draft() as draft:
            returned = movements([p for moves in moved for p in moves.take_postings()], planner.stock, step.now)
            decisions = await self._decide(step, moved, policies, StockSeen(draft.planned_on, len(returned)))
            reserved = movements([p for moves in moved for p in moves.take_postings()], None, step.now)
            _conclude(moved, step, policies)
            await self._enter(moved, step)
            booked = [*returned, *reserved]
            written = await write(self._mongo, step, moved, booked, decisions, draft.planned_on)
            draft.keep(draft.planned_on + 1 if booked else draft.planned_on)
            return written

    async def _enter(self, moved: list[Moves], step: Advance) -> None:
        """Make the entries of what the orders did."""
        page = await self._books.read(moved)
        for moves in moved:
            with _blamed_on(moves.order.id):
                page.enter(moves, step.now)

    async def _decide(
        self, step: Advance, moved: list[Moves], policies: PolicyOf, seen: StockSeen
    ) -> dict[str, Decision]:
        """Route the orders that want goods, and let them take what was decided.

        Offers of this batch that nobody has accepted yet are moved where several orders together become cheaper; those
        orders are added to `moved`.
        """
        planner = self._planner
        wanting = [moves for moves in moved if moves.route]
        held = [policies(moves.order) for moves in wanting]
        demands = [demand_of(moves.order, policy) for moves, policy in zip(wanting, held, strict=True)]
        routed = route(demands, planner.stock, planner.network, held, planner.prices, step.now, seen)
        decisions = {moves.order.id: decision for moves, decision in zip(wanting, routed, strict=True)}
        fresh = [
            (moves, decision)
            for moves, decision, policy in zip(wanting, routed, held, strict=True)
            if decision.outcome != "none" and policy.exchanges
        ]
        if any(uneasy(decision) for _, decision in fresh):
            standing = await self._offered(step, besides=[moves.order.id for moves in moved])
            after = StockSeen(seen.version, seen.rows + sum(len(decision.allocations) for decision in routed))
            better, withdrawn = reassign(
                fresh, standing, policies, planner.stock, planner.network, planner.prices, step.now, after
            )
            decisions |= better
            moved += withdrawn
            wanting += withdrawn
        for moves in wanting:
            with _blamed_on(moves.order.id):
                decision = decisions[moves.order.id]
                times = {a.location: planner.network.times(a.location, step.now) for a in decision.allocations}
                dispatch(moves, decision, step.now, policies(moves.order), times)
        return decisions

    async def _offered(self, step: Advance, besides: list[str]) -> list[OrderState]:
        """Orders of the batch that wait for their stores' answers; those that cannot be read are left alone."""
        found = []
        asked = {"batch": step.batch, "stage": Stage.DISPATCHED, "_id": {"$nin": besides}}
        async for row in self._mongo.plain(self._mongo.orders).find(asked, _LEFT_OUT).limit(_MOVABLE_AT_MOST):
            try:
                found.append(OrderState.from_row(row))
            except ValidationError:
                continue
        return found


def _moves(
    order: OrderState, events: list[InboxEvent], step: Advance, policy: Policy, poisoned: dict[str, Exception]
) -> Moves | None:
    """What one order does. One that stopped on an error stands still until somebody gives it a command."""
    if order.id in poisoned:
        return _attend(order, poisoned[order.id], step)
    if step.cancel and order.open:
        events = [*events, _cancelled_by_operator(step, order)]
    if order.attention and order.attention.code == "error":
        commands = [event for event in events if event.kind.startswith("command.")]
        if not commands:
            return None
        events = events if any(event.kind == "command.retry" for event in commands) else commands
    with _blamed_on(order.id):
        return advance(order, events, step.now, policy)


def _conclude(moved: list[Moves], step: Advance, policies: PolicyOf) -> None:
    for moves in moved:
        if moves.order.attention is None or moves.order.attention.code != "error":
            with _blamed_on(moves.order.id):
                conclude(moves, step.now, policies(moves.order))


def _attend(order: OrderState, error: Exception, step: Advance) -> Moves:
    """An order that cannot be advanced waits for a person, and holds up no other."""
    activity.logger.error("order %s needs attention: %s", order.id, _words(error), exc_info=error)
    moves = begin(order)
    moves.order.attention = Attention(code="error", detail=_words(error), at=step.now)
    moves.order.due = moves.order.pay_at = moves.order.label_at = None
    moves.note("order.attention", step.now, reason=_words(error))
    moves.tell_retailer("attention", stage=order.stage, reason=_words(error))
    return moves


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:500]


def _cancelled_by_operator(step: Advance, order: OrderState) -> InboxEvent:
    return InboxEvent(
        id=f"{step.batch}:cancelled:{order.id}",
        order=order.id,
        kind="command.cancel",
        received_at=step.now,
        by="operator",
        data={"reason": "the batch was cancelled in the Temporal UI"},
    )
