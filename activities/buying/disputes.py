"""Objections of suppliers to lines of their scores, and the steps of their workflows: each written with its events, or
not at all."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from activities.buying.dispute_moves import Told, answer, begin, time_has_come, told, waits_for
from activities.buying.scoring import scored_lines
from activities.buying.steps import find_purchase
from activities.buying.versions import approvers_in_force
from contracts.buying import PurchaseOrder
from contracts.buying_terms import BuyingTerms
from contracts.disputing import CarryOut, Standing, Step
from contracts.refusals import Refusal
from contracts.scoring import LineDispute, ObjectToLine, ScoredLine, dispute_id
from contracts.workdays import day_of
from infra.mongo import Mongo, Session
from infra.outbox import outgoing, rows_of

Moved = tuple[LineDispute, list[Told]]
Work = Callable[[LineDispute, BuyingTerms, Session], Awaitable[Moved | None]]
"""None: there was nothing to do, and nothing is written."""


async def object_to(mongo: Mongo, supplier: str, asked: ObjectToLine, by: str, now: datetime) -> LineDispute:
    """Once for each line that was judged. The same objection again changes nothing. Raises Refusal."""

    async def once(session: Session) -> LineDispute:
        order = await find_purchase(mongo, asked.order, session)
        _refuse_unjudged(supplier, order, asked, now)
        name = dispute_id(asked.order, asked.line)
        row = await mongo.score_disputes.find_one({"_id": name}, session=session)
        if row is not None:
            known = LineDispute.from_row(row)
            if known.reason == asked.reason and known.state == "open":
                return known
            raise Refusal(
                "line_disputed",
                f"Line {asked.line} of {asked.order} has been objected to before.",
                remedy="Object to a line once.",
                field="line",
                status=409,
            )
        assert order is not None, "a line that was judged is on an order"
        bare = LineDispute(
            id=name, supplier=supplier, order=asked.order, line=asked.line, reason=asked.reason, by=by, at=now
        )
        made = begin(bare, order.terms, now)
        await mongo.score_disputes.insert_one(made.as_row(), session=session)
        await _tell(mongo, session, made, told(made, "open"), now)
        return made

    return await mongo.transaction(once)


def _refuse_unjudged(supplier: str, order: PurchaseOrder | None, asked: ObjectToLine, now: datetime) -> None:
    lines: list[ScoredLine] = []
    if order is not None and order.supplier == supplier and order.sent_at is not None:
        lines = [one for one in scored_lines([order], {}, day_of(now)) if one.line == asked.line]
    if not lines:
        raise Refusal(
            "unknown_line",
            f"The score has no line {asked.line} of an order {asked.order}.",
            remedy="Send an order and a line as the score shows them.",
            field="order",
            status=404,
        )
    if lines[0].verdict is None:
        raise Refusal(
            "line_not_judged",
            f"The line does not count: {lines[0].left_out}.",
            remedy="Object to lines that count.",
            field="line",
            status=409,
        )


async def find_dispute(mongo: Mongo, dispute: str, session: Session | None = None) -> LineDispute | None:
    row = await mongo.score_disputes.find_one({"_id": dispute}, session=session)
    return LineDispute.from_row(row) if row else None


async def stand(mongo: Mongo, dispute: str) -> Standing:
    """Raises LookupError."""
    known = await find_dispute(mongo, dispute)
    if known is None:
        raise LookupError(f"there is no objection {dispute}")
    return _standing(known)


def _standing(dispute: LineDispute) -> Standing:
    turn = dispute.turn
    return Standing(
        dispute=dispute.id,
        supplier=dispute.supplier,
        order=dispute.order,
        line=dispute.line,
        state=dispute.state,
        waits=waits_for(dispute),
        role=turn.role if turn is not None else None,
        reminders=turn.reminders if turn is not None else 0,
        escalated=turn.place if turn is not None else 0,
        next_at=dispute.next_at,
        step=dispute.step,
    )


async def carry_out(mongo: Mongo, step: CarryOut) -> Standing:
    """Somebody answers. Raises Refusal when the objection stands otherwise than its workflow thought, or to somebody
    whose turn it is not."""

    async def work(known: LineDispute, terms: BuyingTerms, session: Session) -> Moved | None:
        _, approvers = await approvers_in_force(mongo, session)
        return answer(known, terms, approvers, step.command, step.now)

    return await _change(mongo, step, work)


async def tick(mongo: Mongo, step: Step) -> Standing:
    """A moment has come."""

    async def work(known: LineDispute, terms: BuyingTerms, _: Session) -> Moved | None:
        return time_has_come(known, terms, step.now)

    return await _change(mongo, step, work)


async def _change(mongo: Mongo, step: Step, work: Work) -> Standing:
    """Carry a step out once, by the terms of the order that the line is on."""

    async def once(session: Session) -> LineDispute:
        known = await find_dispute(mongo, step.dispute, session)
        if known is None:
            raise LookupError(f"there is no objection {step.dispute}")
        if known.step >= step.number:
            return known
        order = await find_purchase(mongo, known.order, session)
        moved = await work(known, order.terms if order is not None else BuyingTerms(), session)
        if moved is None:
            return known
        changed, told = moved
        changed.step = step.number
        await mongo.score_disputes.replace_one({"_id": known.id}, changed.as_row(), session=session)
        await _tell(mongo, session, changed, told, step.now)
        return changed

    return _standing(await mongo.transaction(once))


async def _tell(mongo: Mongo, session: Session, dispute: LineDispute, told: Sequence[Told], now: datetime) -> None:
    events = [
        outgoing(
            whom,
            f"{dispute.id}:{dispute.step}:{place}",
            "supplier.dispute.v1",
            dispute.supplier,
            now,
            data.model_dump(mode="json", exclude_none=True),
        )
        for place, (whom, data) in enumerate(told)
    ]
    await mongo.outbox.insert_many(rows_of(events, now), session=session)
