"""The activities of a settlement. Each may be repeated at any time: what was done is found done."""

import asyncio

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.heartbeat import heartbeats
from activities.settlement.changing import Told, carry_out, change, remind, standing_of, tell_ready
from activities.settlement.document import pages_of, pdf_of
from activities.settlement.freezing import find_partners, find_statement, freeze
from activities.settlement.statements import balances_of, json_of, lines_of
from contracts.failures import failure_of
from contracts.refusals import Refusal
from contracts.settlement import Entry, Revision, Statement, StatementContent
from contracts.settling import (
    CARRY_OUT,
    FREEZE,
    PARTNERS,
    PUBLISH,
    REMIND,
    CarryOut,
    FindPartners,
    Found,
    Freeze,
    Publish,
    Remind,
    Standing,
)
from infra.files import keep
from infra.mongo import Mongo, Session


class SettlementActivities:
    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo

    @activity.defn(name=PARTNERS)
    async def partners(self, asked: FindPartners) -> Found:
        """Everybody to be settled with, and the period in full."""
        async with heartbeats():
            return await find_partners(self._mongo, asked)

    @activity.defn(name=FREEZE)
    async def freeze(self, asked: Freeze) -> Standing:
        """Take the entries in, or say which statement must be closed before."""
        async with heartbeats():
            frozen = await freeze(self._mongo, asked)
        return Standing(waits_for=frozen) if isinstance(frozen, str) else standing_of(frozen)

    @activity.defn(name=PUBLISH)
    async def publish(self, step: Publish) -> Standing:
        """Make the next revision and its files, and tell the partner.

        The files are kept under their sums before the statement names them: a crash in between leaves nothing that
        anybody sees, and the next try makes the same bytes.
        """
        async with heartbeats():
            statement = await find_statement(self._mongo, step.statement)
            if statement is None:
                raise ApplicationError(f"there is no statement {step.statement}", non_retryable=True)
            if statement.step >= step.number:
                return standing_of(statement)
            content = await self._content(statement, len(statement.revisions) + 1)
            as_json = json_of(content)
            pdf = await asyncio.to_thread(pdf_of, content)
            revision = Revision(
                number=content.revision,
                at=step.now,
                lines=len(content.lines),
                json_sha256=await keep(self._mongo, as_json),
                json_bytes=len(as_json),
                pdf_sha256=await keep(self._mongo, pdf),
                pdf_bytes=len(pdf),
                pages=pages_of(pdf),
            )

            async def work(known: Statement, session: Session) -> list[Told]:
                known.revisions.append(revision)
                known.balances, known.state = content.balances, "ready"
                return tell_ready(known, step.answer_by)

            return standing_of(await change(self._mongo, step, work))

    async def _content(self, statement: Statement, revision: int) -> StatementContent:
        rows = self._mongo.entries.find({"statement": statement.id}).sort("_id", 1)
        lines = lines_of([Entry.from_row(row) async for row in rows])
        place = await self._mongo.locations.find_one({"_id": statement.partner}, {"name": 1})
        return StatementContent(
            statement=statement.id,
            revision=revision,
            partner=statement.partner,
            partner_name=place["name"] if place else statement.partner,
            period=statement.period,
            until=statement.until,
            balances=balances_of(statement.opening, lines),
            lines=lines,
        )

    @activity.defn(name=CARRY_OUT)
    async def carry_out(self, step: CarryOut) -> Standing:
        """What somebody wants done. A refusal is not tried again."""
        try:
            return standing_of(await carry_out(self._mongo, step))
        except Refusal as refusal:
            raise failure_of(refusal) from refusal

    @activity.defn(name=REMIND)
    async def remind(self, step: Remind) -> Standing:
        return standing_of(await remind(self._mongo, step))
