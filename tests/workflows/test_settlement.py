"""Settlements on the time-skipping server, the real database and real files."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import orjson
import pytest
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError
from temporalio.testing import WorkflowEnvironment

from contracts.settling import ALL_WORKFLOW, SettleAll
from infra.files import fetch
from infra.invariants import Finding, check
from tests.databases import Databases
from tests.support import eventually
from tests.workflows.settling import APPROVAL, OCTOBER, UNTIL, Desk, code_of
from workers.asyncapi import document
from workers.fulfilment import settlement_worker

DESCRIBED = document()
"""What partners were told to expect."""


@pytest.fixture
async def desk(databases: Databases, time_skipping_env: WorkflowEnvironment) -> AsyncIterator[Desk]:
    name = f"settle_{uuid.uuid4().hex[:8]}"
    async with databases.lent() as mongo, settlement_worker(time_skipping_env.client, mongo, name):
        yield Desk(mongo, time_skipping_env, name)


async def details(settlement: WorkflowHandle[Any, str]) -> str:
    """What the Temporal UI shows of a workflow."""
    metadata = await settlement.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    return str(metadata.current_details)


async def stated(desk: Desk) -> list[Finding]:
    """What `tongqu check` finds wrong with statements."""
    return [finding for finding in await check(desk.mongo, None) if finding.invariant == "settlement.stated"]


async def content(desk: Desk, row: dict[str, Any]) -> dict[str, Any]:
    """The JSON file of a statement's newest revision."""
    kept = await fetch(desk.mongo, row["revisions"][-1]["json_sha256"])
    assert kept is not None
    made: dict[str, Any] = orjson.loads(kept)
    return made


async def test_a_statement_takes_the_periods_entries_in_and_is_approved_and_paid(desk: Desk) -> None:
    await desk.sell("shop", 1_000, 100)
    await desk.sell("shop", 500)
    await desk.sell("other", 7_000)
    late = await desk.sell("shop", 99, at=UNTIL)
    settlement = await desk.settle("shop")
    row = await desk.ready("shop")
    made = await content(desk, row)
    assert [line["amount"] for line in made["lines"]] == [900, 500]
    assert [b["closing"] for b in made["balances"]] == [b["closing"] for b in row["balances"]] == [1_400]
    assert row["revisions"][0]["pages"] == 1
    assert await desk.mongo.entries.count_documents({"cause": late, "statement": None}) == 2
    assert (await desk.approve(settlement)).state == "closed"
    assert (await desk.pay(settlement)).state == "paid"
    assert await settlement.result() == "paid"
    assert await desk.account("partner:shop") == 99
    assert await desk.unbalanced() == []
    told = [event["type"] for event in await desk.told("shop")]
    assert told == ["statement.ready.v1", "statement.closed.v1", "statement.closed.v1"]


async def test_silence_approves_after_reminders(desk: Desk) -> None:
    await desk.sell("shop", 1_000)
    settlement = await desk.settle("shop")
    await desk.ready("shop")
    await desk.env.sleep(timedelta(days=6))
    row = await desk.stands("shop", "closed")
    assert row["approved_by"] == "silence"
    shown = await details(settlement)
    assert "| closing balance | ¥10.00 |" in shown
    assert "**Waits for** payment" in shown
    told = await desk.told("shop")
    assert [e["data"].get("reminder") for e in told if e["type"] == "statement.ready.v1"] == [0, 1, 2, 3, 4]
    await desk.pay(settlement)
    assert await settlement.result() == "paid"


async def test_an_objection_that_is_accepted_makes_a_corrected_revision(desk: Desk) -> None:
    await desk.sell("shop", 1_000, 100)
    cause = await desk.sell("shop", 500, 450)
    settlement = await desk.settle("shop")
    first = await desk.ready("shop")
    assert "silence approves" in await details(settlement)
    await desk.object(settlement, 2)
    assert "answers to the objections to lines 2" in await details(settlement)
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await desk.approve(settlement)
    assert code_of(refused.value) == "dispute_open"
    await desk.answer(settlement, 2, right=450)
    row = await desk.ready("shop", revision=2)
    made = await content(desk, row)
    assert [line["amount"] for line in made["lines"]] == [900, 50, 400]
    assert made["lines"][2]["order"] == cause.split(".")[0]
    assert row["balances"][0]["closing"] == 1_350
    assert await fetch(desk.mongo, first["revisions"][0]["pdf_sha256"]) is not None
    assert await desk.unbalanced() == []
    await desk.approve(settlement)
    await desk.pay(settlement)
    assert await desk.account("partner:shop") == 0
    told = await desk.told("retailer")
    assert [event["type"] for event in told][:2] == ["statement.disputed.v1", "statement.disputed.v1"]
    for event in [*told, *await desk.told("shop")]:
        sent = orjson.loads(orjson.dumps({**event, "sequence": "1"}, option=orjson.OPT_UTC_Z))
        message = DESCRIBED["components"]["messages"][event["type"]]
        jsonschema.validate(sent, {**message["payload"], "components": DESCRIBED["components"]})


async def test_an_objection_that_is_rejected_leaves_the_revision(desk: Desk) -> None:
    await desk.sell("shop", 1_000)
    settlement = await desk.settle("shop")
    await desk.ready("shop")
    await desk.object(settlement, 1)
    await desk.env.sleep(timedelta(days=30))
    assert (await desk.stands("shop", "disputed"))["approved_by"] is None
    assert (await desk.answer(settlement, 1)).state == "ready"
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await desk.object(settlement, 1)
    assert code_of(refused.value) == "line_disputed"
    assert (await desk.approve(settlement)).revision == 1


@pytest.mark.parametrize(
    ("what", "code"),
    [
        (lambda desk, s: desk.object(s, 2), "unknown_line"),
        (lambda desk, s: desk.object(s, 1, 1), "line_twice"),
        (lambda desk, s: desk.answer(s, 1), "no_open_dispute"),
        (lambda desk, s: desk.pay(s), "statement_not_closed"),
    ],
)
async def test_what_does_not_fit_is_refused_and_changes_nothing(desk: Desk, what: Any, code: str) -> None:
    await desk.sell("shop", 1_000)
    settlement = await desk.settle("shop")
    before = await desk.ready("shop")
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await what(desk, settlement)
    assert code_of(refused.value) == code
    assert await desk.ready("shop") == before


async def test_of_commands_at_once_each_sees_what_the_one_before_it_did(desk: Desk) -> None:
    await desk.sell("shop", 1_000)
    settlement = await desk.settle("shop")
    await desk.ready("shop")
    outcomes = await asyncio.gather(
        desk.approve(settlement), desk.object(settlement, 1), desk.approve(settlement), return_exceptions=True
    )
    codes = [code_of(one) for one in outcomes if isinstance(one, BaseException)]
    row = await desk.stands("shop", "closed" if "statement_closed" in codes else "disputed")
    assert len(codes) == 2
    assert set(codes) == ({"statement_closed"} if row["state"] == "closed" else {"dispute_open"})
    if row["state"] == "disputed":
        await desk.answer(settlement, 1)
        await desk.approve(settlement)
    payments = await asyncio.gather(desk.pay(settlement), desk.pay(settlement), return_exceptions=True)
    refused = [code_of(one) for one in payments if isinstance(one, BaseException)]
    assert refused == ["statement_paid"]
    assert await settlement.result() == "paid"
    assert await desk.mongo.entries.count_documents({"meaning": "payout"}) == 2


async def test_the_next_period_opens_with_what_was_not_paid_and_takes_its_payment_over(desk: Desk) -> None:
    await desk.sell("shop", 1_000)
    october = await desk.settle("shop")
    await desk.ready("shop")
    await desk.approve(october)
    await desk.sell("shop", 70, at=UNTIL)
    november = await desk.settle("shop", "2026-11", UNTIL + timedelta(days=30))
    row = await desk.ready("shop", "2026-11")
    assert [(b["opening"], b["closing"]) for b in row["balances"]] == [(1_000, 1_070)]
    assert await stated(desk) == []
    assert await october.result() == "carried"
    await desk.approve(november)
    await desk.pay(november)
    assert await desk.account("partner:shop") == 0
    assert await stated(desk) == []
    await desk.mongo.entries.update_one({"account": "partner:shop", "amount": 70}, {"$inc": {"amount": 1}})
    assert [finding.count for finding in await stated(desk)] == [1]


async def test_a_payment_after_the_cut_off_is_in_the_next_statement_and_not_paid_twice(desk: Desk) -> None:
    await desk.sell("shop", 1_000)
    october = await desk.settle("shop")
    await desk.ready("shop")
    await desk.approve(october)
    await desk.pay(october)
    paid_at = (await desk.stands("shop", "paid"))["paid_at"]
    await desk.settle("shop", "2026-10-31", UNTIL)
    row = await desk.ready("shop", "2026-10-31")
    assert paid_at > UNTIL
    assert [(b["opening"], b["closing"]) for b in row["balances"]] == [(1_000, 0)]


async def test_a_statement_waits_until_the_one_before_it_is_closed(desk: Desk) -> None:
    await desk.sell("shop", 1_000)
    october = await desk.settle("shop")
    await desk.ready("shop")
    await desk.settle("shop", "2026-11", UNTIL + timedelta(days=30))
    await desk.env.sleep(timedelta(hours=1))
    assert await desk.mongo.statements.count_documents({}) == 1
    await desk.approve(october)
    await desk.env.sleep(timedelta(hours=1))
    await desk.ready("shop", "2026-11")


async def test_currencies_are_kept_apart(desk: Desk) -> None:
    await desk.sell("shop", 1_000)
    await desk.sell("shop", 300, 30, currency="BRL")
    settlement = await desk.settle("shop")
    row = await desk.ready("shop")
    assert {b["currency"]: b["closing"] for b in row["balances"]} == {"BRL": 270, "CNY": 1_000}
    await desk.approve(settlement)
    await desk.pay(settlement)
    assert await desk.account("partner:shop") == 0


async def test_all_partners_that_have_entries_are_settled_with_once(desk: Desk) -> None:
    for partner in ("a", "b", "c"):
        await desk.sell(partner, 100, at=OCTOBER)
    await desk.sell("late", 100, at=UNTIL)
    for number in (1, 2):
        asked = SettleAll(period="2026-10", until=UNTIL, approval=APPROVAL)
        started = await desk.client.execute_workflow(
            ALL_WORKFLOW, asked, id=f"{desk.task_queue}-{number}", task_queue=desk.task_queue, result_type=int
        )
        if number == 1:
            assert started == 3

    async def three() -> bool:
        return await desk.mongo.statements.count_documents({"state": "ready"}) == 3

    await eventually(three)
    assert await desk.mongo.statements.count_documents({}) == 3


async def test_the_schedules_run_settles_the_month_that_ended_last(desk: Desk) -> None:
    now = await desk.env.get_current_time()
    await desk.sell("shop", 100, at=now - timedelta(days=40))
    await desk.client.execute_workflow(ALL_WORKFLOW, SettleAll(), id=desk.task_queue, task_queue=desk.task_queue)

    async def made() -> dict[str, Any] | None:
        return await desk.mongo.statements.find_one({"state": "ready"})

    row = await eventually(made)
    assert row is not None
    assert row["until"] <= now < row["until"] + timedelta(days=31)
