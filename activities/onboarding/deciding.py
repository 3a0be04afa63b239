"""How an application's standing changes: each step reads it, changes it and writes it with its events and its line in
the audit, or not at all."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from activities.onboarding.activating import become
from activities.onboarding.checking import amount_said
from activities.onboarding.provisioning import Hands
from activities.onboarding.telling import told_change, told_turn
from contracts.deciding import decided, moved, refuse, reviewed, submitted, withdrawn
from contracts.onboarding import CarryOut, Command, Move, Remind, Standing, Step, doing
from contracts.refusals import Refusal
from contracts.turns import escalated, first_turn, reminded
from infra.audit import audit_row, write_audit
from infra.mongo import Mongo, Session
from infra.outbox import outgoing, rows_of

Told = tuple[str, str, BaseModel]
"""To whom, which type of event, and what it says."""
Row = dict[str, Any]
Change = Callable[[Row, Standing, Session], Awaitable[tuple[Standing, list[Told]]]]
"""Takes the application's document and standing, writes what belongs to the step, and returns how it stands then and
what is to be told."""

_SEEN = {"kind": 1, "region": 1, "standing": 1, "version": 1}
"""Of the document: nothing personal is read for what is decided here."""


class UnknownApplication(LookupError):
    """There is no such application."""

    def __init__(self, application: str) -> None:
        super().__init__(f"there is no application {application}")


async def stand(mongo: Mongo, application: str, session: Session | None = None) -> tuple[Row, Standing]:
    """Raises UnknownApplication."""
    row = await mongo.applications.find_one({"_id": application}, _SEEN, session=session)
    if row is None:
        raise UnknownApplication(application)
    return row, Standing.model_validate(row["standing"])


async def change(mongo: Mongo, step: Step, by: str, did: str, work: Change, **noted: str | None) -> Standing:
    """Carry a step out once. Raises UnknownApplication, and what `work` raises."""

    async def carry_out(session: Session) -> Standing:
        row, before = await stand(mongo, step.application, session)
        if before.step >= step.number:
            return before
        after, events = await work(row, before, session)
        after.step = step.number
        await _write(mongo, row, after, step.now, session)
        await write_audit(
            mongo, [audit_row(step.application, str(step.number), by, did, step.now, **noted)], session=session
        )
        rows = rows_of(_outgoing(step, events), step.now)
        if rows:
            await mongo.outbox.insert_many(rows, session=session)
        return after

    return await mongo.transaction(carry_out)


async def _write(mongo: Mongo, row: Row, standing: Standing, now: datetime, session: Session) -> None:
    update = {"$set": {"standing": standing.model_dump(), "updated_at": now}, "$inc": {"version": 1}}
    await mongo.applications.update_one({"_id": row["_id"]}, update, session=session)


def _outgoing(step: Step, events: Sequence[Told]) -> list[dict[str, Any]]:
    return [
        outgoing(
            whom,
            f"{step.application}:{step.number}:{place}",
            kind,
            step.application,
            step.now,
            data.model_dump(mode="json", exclude_none=True),
        )
        for place, (whom, kind, data) in enumerate(events)
    ]


async def carry_out(hands: Hands, step: CarryOut) -> Standing:
    """Raises Refusal when the application stands otherwise than its workflow thought."""
    command = step.command

    async def work(row: Row, standing: Standing, session: Session) -> tuple[Standing, list[Told]]:
        refuse(standing, command)
        if command.confirm_deposit is not None:
            after = await _confirm(hands, step, command.confirm_deposit.amount, session)
        else:
            after = _after(standing, command)
        return after, told_change(row, standing, after)

    what, note = _noted(command)
    return await change(hands.mongo, step, command.by, doing(command), work, what=what, note=note)


async def _confirm(hands: Hands, step: CarryOut, amount: int, session: Session) -> Standing:
    """With the deposit confirmed, refuted, or one try used up; the checks' verdicts follow."""
    known = await hands.applications.find(step.application, session)
    if known is None:
        raise UnknownApplication(step.application)
    requirements = await hands.book.pinned(known.requirements, session)
    changed, _ = amount_said(known, requirements, amount, step.now)
    standing = (await hands.applications.replace(changed, session)).standing
    return standing if standing.stage == "bank" else standing.model_copy(update={"turn": None})


def _after(standing: Standing, command: Command) -> Standing:
    if command.submit is not None:
        _refuse_incomplete(standing)
        return submitted(standing)
    if command.withdraw is not None:
        return withdrawn(standing)
    if command.review is not None:
        return reviewed(standing, command.review, command.by)
    assert command.decide is not None
    return decided(standing, command.decide, command.by)


def _noted(command: Command) -> tuple[str | None, str | None]:
    """What it was about, and what was said."""
    if command.review is not None:
        return f"{command.review.item}: {command.review.decision}", command.review.comment
    if command.decide is not None:
        return command.decide.decision, command.decide.reason
    return None, command.withdraw.reason if command.withdraw else None


def _refuse_incomplete(standing: Standing) -> None:
    missing = [item.item for item in standing.items if item.state in ("missing", "returned")]
    if missing:
        raise Refusal(
            "items_missing",
            f"These items are not supplied, or not supplied anew: {', '.join(missing[:20])}.",
            remedy="Supply them, then submit.",
            field=missing[0],
            status=409,
            items=missing,
        )


async def move(mongo: Mongo, step: Move) -> Standing:
    """On to the next stage by itself; the partner comes along."""

    async def work(row: Row, standing: Standing, session: Session) -> tuple[Standing, list[Told]]:
        after = moved(standing, step)
        events = told_change(row, standing, after)
        if after.partner is not None and step.to in ("testing", "active"):
            events += await become(mongo, after.partner, step.to, session)
        return after, events

    return await change(mongo, step, "tongqu", f"to {step.to}", work, note=", ".join(step.reasons) or None)


async def remind(mongo: Mongo, step: Remind) -> Standing:
    """Somebody's turn begins; they are reminded of it; or it goes to a role above."""

    async def work(row: Row, standing: Standing, session: Session) -> tuple[Standing, list[Told]]:
        if step.what == "turn":
            turn = first_turn(standing.stage, step.deadlines, step.now)
        else:
            assert standing.turn is not None
            turn = (
                reminded(standing.turn)
                if step.what == "reminder"
                else escalated(standing.turn, step.deadlines, step.now)
            )
        after = standing.model_copy(update={"turn": turn})
        return after, told_turn(after)

    return await change(mongo, step, "tongqu", step.what, work)
