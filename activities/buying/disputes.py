"""Objections of suppliers to lines of their scores, and what became of each; written with their events, or not."""

from datetime import datetime

from activities.buying.scoring import scored_lines
from activities.buying.steps import find_purchase
from contracts.buying import PurchaseOrder
from contracts.buying_events import SupplierDispute
from contracts.partner_events import Bilingual
from contracts.refusals import Refusal
from contracts.scoring import AnswerToLine, LineDispute, ObjectToLine, ScoredLine, dispute_id
from contracts.subjects import RETAILER
from contracts.workdays import day_of
from infra.mongo import Mongo, Session
from infra.outbox import outgoing, rows_of


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
        made = LineDispute(
            id=name, supplier=supplier, order=asked.order, line=asked.line, reason=asked.reason, by=by, at=now
        )
        await mongo.score_disputes.insert_one(made.as_row(), session=session)
        await _tell(mongo, session, made, now)
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


async def answer_to(mongo: Mongo, supplier: str, asked: AnswerToLine, by: str, now: datetime) -> LineDispute:
    """Raises Refusal when no such objection is open."""

    async def once(session: Session) -> LineDispute:
        row = await mongo.score_disputes.find_one({"_id": dispute_id(asked.order, asked.line)}, session=session)
        known = LineDispute.from_row(row) if row is not None and row["supplier"] == supplier else None
        if known is None or known.state != "open":
            raise Refusal(
                "no_open_dispute",
                f"No objection to line {asked.line} of {asked.order} waits for an answer.",
                remedy="Look at the objections that are open first.",
                field="line",
                status=409,
            )
        answered = known.model_copy(
            update={
                "state": "accepted" if asked.accept else "rejected",
                "answer": asked.reason,
                "answered_by": by,
                "answered_at": now,
            }
        )
        await mongo.score_disputes.replace_one({"_id": known.id}, answered.as_row(), session=session)
        await _tell(mongo, session, answered, now)
        return answered

    return await mongo.transaction(once)


_WORDS = {
    "open": ("异议已收到，等待核实。", "Your objection was taken in and is looked at."),
    "accepted": ("异议成立，该行不再计入评分。", "Accepted: the line does not count any more."),
    "rejected": ("异议不成立，该行仍计入评分。", "Not accepted: the line counts as before."),
}


async def _tell(mongo: Mongo, session: Session, dispute: LineDispute, now: datetime) -> None:
    zh, en = _WORDS[dispute.state]
    data = SupplierDispute(
        supplier=dispute.supplier,
        order=dispute.order,
        line=dispute.line,
        state=dispute.state,
        reason=dispute.reason,
        answer=dispute.answer,
        words=Bilingual(zh=zh, en=en),
    ).model_dump(mode="json", exclude_none=True)
    events = [
        outgoing(whom, f"{dispute.id}:{dispute.state}:{place}", "supplier.dispute.v1", dispute.supplier, now, data)
        for place, whom in enumerate((dispute.supplier, RETAILER))
    ]
    await mongo.outbox.insert_many(rows_of(events, now), session=session)
