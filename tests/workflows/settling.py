"""A world for settlements: entries of one partner or several, and statements that are approved or objected to."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from contracts.settlement import Approval, Entry, Meaning, statement_id
from contracts.settling import WORKFLOW, Answer, Approve, Command, Object, Objection, Paid, Settle, Standing
from infra.mongo import Mongo
from tests.support import eventually

APPROVAL = Approval(remind_after_s=86_400, auto_approve_after_s=5 * 86_400)
OCTOBER = datetime(2026, 10, 1, tzinfo=UTC)
UNTIL = datetime(2026, 11, 1, tzinfo=UTC)


class Desk:
    """The retailer's settlement desk and its partners. `prefix` keeps ids of tests apart."""

    def __init__(self, mongo: Mongo, env: WorkflowEnvironment, task_queue: str) -> None:
        self.mongo = mongo
        self.env = env
        self.task_queue = task_queue
        self._numbers = itertools.count(1)

    @property
    def client(self) -> Client:
        return self.env.client

    async def sell(
        self, partner: str, amount: int, commission: int = 0, *, at: datetime | None = None, currency: str = "CNY"
    ) -> str:
        """Entries as they are written when a parcel leaves; the cause."""
        number = next(self._numbers)
        order = f"order-{number}"
        cause = f"{order}.p1:shipped"
        moment = at or OCTOBER + timedelta(hours=number)
        sides: list[tuple[str, Meaning, int]] = [
            ("customer", "sale", -amount),
            (f"partner:{partner}", "goods", amount),
            (f"partner:{partner}", "commission", -commission),
            ("commission", "commission", commission),
        ]
        for place, (account, meaning, signed) in enumerate(side for side in sides if side[2]):
            entry = Entry(
                id=f"{cause}:{place}",
                cause=cause,
                order=order,
                parcel=f"{order}.p1",
                account=account,
                meaning=meaning,
                amount=signed,
                currency=currency,
                at=moment,
            )
            await self.mongo.entries.insert_one(entry.as_row())
        return cause

    async def settle(
        self, partner: str, period: str = "2026-10", until: datetime = UNTIL, approval: Approval = APPROVAL
    ) -> WorkflowHandle[Any, str]:
        statement = statement_id(partner, period)
        start = Settle(statement=statement, partner=partner, period=period, until=until, approval=approval)
        return await self.client.start_workflow(
            WORKFLOW, start, id=statement, task_queue=self.task_queue, result_type=str
        )

    async def ready(self, partner: str, period: str = "2026-10", revision: int = 1, **more: Any) -> dict[str, Any]:
        return await self.stands(partner, "ready", period, lambda row: len(row["revisions"]) == revision, **more)

    async def stands(
        self, partner: str, state: str, period: str = "2026-10", also: Any = None, **more: Any
    ) -> dict[str, Any]:
        """Wait until a statement stands so; its document."""

        async def look() -> dict[str, Any] | None:
            row = await self.mongo.statements.find_one({"_id": statement_id(partner, period)})
            return row if row and row["state"] == state and (also is None or also(row)) else None

        row: dict[str, Any] | None = await eventually(look, message=f"{partner} {period} never was {state}", **more)
        assert row is not None
        return row

    async def approve(self, settlement: WorkflowHandle[Any, str], by: str = "shop") -> Standing:
        return await self._update(settlement, "approve", Command(by=by, approve=Approve()))

    async def object(self, settlement: WorkflowHandle[Any, str], *lines: int) -> Standing:
        asked = Object(lines=[Objection(line=line, reason="not ours") for line in lines])
        return await self._update(settlement, "dispute", Command(by="shop", object=asked))

    async def answer(self, settlement: WorkflowHandle[Any, str], line: int, right: int | None = None) -> Standing:
        """Accept, when it is said what is right; else reject."""
        answer = Answer(line=line, accept=right is not None, reason="looked at", correct_amount=right)
        return await self._update(settlement, "answer_dispute", Command(by="desk", answer=answer))

    async def pay(self, settlement: WorkflowHandle[Any, str]) -> Standing:
        return await self._update(settlement, "paid", Command(by="desk", paid=Paid(reference="bank-1")))

    async def _update(self, settlement: WorkflowHandle[Any, str], name: str, command: Command) -> Standing:
        standing: Standing = await settlement.execute_update(name, command, result_type=Standing)
        return standing

    async def told(self, partner: str) -> list[dict[str, Any]]:
        rows = self.mongo.outbox.find({"events.partner": partner}).sort([("at", 1), ("key", 1)])
        events = [event async for row in rows for event in row["events"] if event["partner"] == partner]
        return [orjson.loads(event["body"]) for event in events]

    async def account(self, account: str) -> int:
        return sum([row["amount"] async for row in self.mongo.entries.find({"account": account})])

    async def unbalanced(self) -> list[str]:
        """Causes whose entries do not add up to zero."""
        rows = self.mongo.entries.aggregate([{"$group": {"_id": "$cause", "sum": {"$sum": "$amount"}}}])
        return [row["_id"] async for row in rows if row["sum"]]


def code_of(error: BaseException) -> str | None:
    """The refusal's code in the error of an update."""
    cause = error.__cause__
    return cause.type if isinstance(cause, ApplicationError) else None
