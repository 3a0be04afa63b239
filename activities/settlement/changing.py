"""How a statement changes: each step reads it, changes it and writes it with its entries and events, or not at all."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from activities.settlement.freezing import find_statement, lock_partner
from activities.settlement.statements import lines_of
from contracts.money import display
from contracts.settlement import (
    RETAILER_ACCOUNT,
    Dispute,
    Entry,
    Meaning,
    Statement,
    StatementClosed,
    StatementDisputed,
    StatementReady,
    partner_account,
)
from contracts.settling import Answer, Approve, CarryOut, Object, Paid, Remind, Standing, Step, refuse
from contracts.subjects import RETAILER
from infra.mongo import Mongo, Session
from infra.outbox import outgoing, rows_of

Told = tuple[str, str, BaseModel]
"""To whom, which type of event, and what it says."""
Change = Callable[[Statement, Session], Awaitable[list[Told]]]
"""Changes the statement in place, writes what belongs to it, and returns what is to be told."""


def standing_of(statement: Statement) -> Standing:
    last = statement.revisions[-1] if statement.revisions else None
    corrected = [d for d in statement.disputes if d.state == "accepted" and d.answered_at is not None]
    behind = last is None or any(d.answered_at and d.answered_at > last.at for d in corrected)
    standing = Standing(
        state=statement.state,
        revision=last.number if last else 0,
        lines=last.lines if last else 0,
        balances=[display(balance.closing, balance.currency) for balance in statement.balances],
        payable=any(balance.closing for balance in statement.balances),
        disputes=statement.disputes,
        previous=statement.previous,
        step=statement.step,
    )
    standing.unpublished = behind and not standing.open_disputes and statement.state in ("frozen", "disputed")
    return standing


async def change(mongo: Mongo, step: Step, work: Change) -> Statement:
    """Carry a step out once. Raises LookupError when there is no such statement, and what `work` raises."""

    async def carry_out(session: Session) -> Statement:
        statement = await find_statement(mongo, step.statement, session)
        if statement is None:
            raise LookupError(f"there is no statement {step.statement}")
        if statement.step >= step.number:
            return statement
        events = await work(statement, session)
        statement.step = step.number
        row = statement.as_row()
        await mongo.statements.replace_one({"_id": statement.id}, row, session=session)
        if events:
            await mongo.outbox.insert_many(_outbox(step, statement.id, events), session=session)
        return statement

    return await mongo.transaction(carry_out)


def _outbox(step: Step, statement: str, events: Sequence[Told]) -> list[dict[str, Any]]:
    return rows_of(
        [
            outgoing(
                partner,
                f"{statement}:{step.number}:{number}",
                kind,
                statement,
                step.now,
                data.model_dump(mode="json", exclude_none=True),
            )
            for number, (partner, kind, data) in enumerate(events)
        ],
        step.now,
    )


async def carry_out(mongo: Mongo, step: CarryOut) -> Statement:
    """Raises Refusal when the statement stands otherwise than its workflow thought."""
    command = step.command

    async def work(statement: Statement, session: Session) -> list[Told]:
        await lock_partner(mongo, session, statement.partner)
        refuse(standing_of(statement), command)
        if command.object is not None:
            return _object(statement, command.object, command.by, step.now)
        if command.answer is not None:
            return await _answer(mongo, session, statement, command.answer, command.by, step.now)
        if command.paid is not None:
            return await _pay(mongo, session, statement, command.paid, step.now)
        assert isinstance(command.approve, Approve)
        return _close(statement, command.by, command.approve.note, step.now)

    return await change(mongo, step, work)


def _object(statement: Statement, asked: Object, by: str, at: datetime) -> list[Told]:
    statement.disputes += [Dispute(line=o.line, reason=o.reason, by=by, at=at) for o in asked.lines]
    statement.state = "disputed"
    return _tell_disputes(statement)


async def _answer(
    mongo: Mongo, session: Session, statement: Statement, asked: Answer, by: str, at: datetime
) -> list[Told]:
    dispute = next(d for d in statement.disputes if d.line == asked.line)
    dispute.state = "accepted" if asked.accept else "rejected"
    dispute.answer, dispute.answered_by, dispute.answered_at = asked.reason, by, at
    dispute.correct_amount = asked.correct_amount
    if asked.correct_amount is not None:
        entries = await _correction(mongo, session, statement, asked.line, asked.correct_amount, at)
        if entries:
            await mongo.entries.insert_many(entries, session=session)
    if not standing_of(statement).open_disputes and not standing_of(statement).unpublished:
        statement.state = "ready"
    return _tell_disputes(statement)


async def _correction(
    mongo: Mongo, session: Session, statement: Statement, line: int, right: int, at: datetime
) -> list[dict[str, Any]]:
    """Entries that make a line what it should be; they are this statement's, under the order of the line."""
    rows = mongo.entries.find({"statement": statement.id}, session=session)
    lines = lines_of([Entry.from_row(row) async for row in rows])
    wrong = lines[line - 1]
    cause, amount = f"{statement.id}:line-{line}:corrected", right - wrong.amount
    sides = _both_sides(statement.partner, cause, "correction", amount, wrong.currency, at)
    for entry in sides:
        entry.order, entry.parcel = wrong.order, wrong.parcel
        # Nobody makes a statement for the retailer.
        entry.statement = statement.id if entry.account != RETAILER_ACCOUNT else None
    return [entry.as_row() for entry in sides]


def _both_sides(partner: str, cause: str, meaning: Meaning, amount: int, currency: str, at: datetime) -> list[Entry]:
    """Entries for an amount that is due to the partner from the retailer; none for nothing."""
    sides = ((partner_account(partner), amount), (RETAILER_ACCOUNT, -amount))
    return [
        Entry(
            id=f"{cause}:{currency}:{number}",
            cause=cause,
            account=account,
            meaning=meaning,
            amount=signed,
            currency=currency,
            at=at,
        )
        for number, (account, signed) in enumerate(sides)
        if signed
    ]


async def _pay(mongo: Mongo, session: Session, statement: Statement, asked: Paid, at: datetime) -> list[Told]:
    """The next statement shows it, between its opening and its closing balance."""
    cause = f"{statement.id}:paid"
    rows = [
        entry.as_row()
        for balance in statement.balances
        for entry in _both_sides(statement.partner, cause, "payout", -balance.closing, balance.currency, at)
    ]
    if rows:
        await mongo.entries.insert_many(rows, session=session)
    statement.state, statement.paid_at, statement.reference = "paid", at, asked.reference
    return _tell_closed(statement)


def _close(statement: Statement, by: str, note: str | None, at: datetime) -> list[Told]:
    statement.state, statement.approved_by, statement.note, statement.closed_at = "closed", by, note, at
    return _tell_closed(statement)


def _tell_closed(statement: Statement) -> list[Told]:
    data = StatementClosed(
        statement=statement.id,
        period=statement.period,
        revision=statement.revisions[-1].number,
        balances=statement.balances,
        approved_by=str(statement.approved_by),
        paid_at=statement.paid_at,
        reference=statement.reference,
    )
    return [(partner, "statement.closed.v1", data) for partner in (statement.partner, RETAILER)]


def _tell_disputes(statement: Statement) -> list[Told]:
    data = StatementDisputed(statement=statement.id, period=statement.period, disputes=statement.disputes)
    return [(partner, "statement.disputed.v1", data) for partner in (statement.partner, RETAILER)]


def tell_ready(statement: Statement, answer_by: datetime, reminder: int = 0) -> list[Told]:
    last = statement.revisions[-1]
    data = StatementReady(
        statement=statement.id,
        period=statement.period,
        revision=last.number,
        balances=statement.balances,
        json_sha256=last.json_sha256,
        pdf_sha256=last.pdf_sha256,
        answer_by=answer_by,
        reminder=reminder,
    )
    return [(statement.partner, "statement.ready.v1", data)]


async def remind(mongo: Mongo, step: Remind) -> Statement:
    async def work(statement: Statement, session: Session) -> list[Told]:
        if standing_of(statement).open_disputes:
            return [told for told in _tell_disputes(statement) if told[0] == RETAILER]
        return tell_ready(statement, step.answer_by, step.reminder)

    return await change(mongo, step, work)
