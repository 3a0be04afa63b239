"""Objections to lines of scores on the time-skipping server and the real database: their clock, and what a crash
leaves."""

from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle, WorkflowUpdateFailedError

from activities.buying import disputes
from activities.buying.disputes import object_to
from activities.buying.scoring import score_of
from activities.buying.sources import disputes_of, orders_of
from activities.buying.versions import keep_approvers
from contracts.buying_terms import Approver, Approvers
from contracts.disputing import Command, Standing, workflow_id
from contracts.failures import refusal_of
from contracts.scoring import LineDispute, ObjectToLine, dispute_id
from contracts.workdays import day_of
from infra.invariants import check
from infra.mongo import Mongo, Session
from tests.support import eventually
from tests.workflows.buying import Purchasing
from tests.workflows.test_buying import buying

__all__ = ["buying"]
NAMED = Approvers(approvers=[Approver(name="li", roles=["buyer"]), Approver(name="zhao", roles=["purchasing_lead"])])


async def objected(buying: Purchasing, *, carried: bool = True) -> tuple[str, WorkflowHandle[Any, str]]:
    """A line that came late, and the supplier's objection to it; not `carried`: nobody has started its workflow yet."""
    await keep_approvers(buying.mongo, NAMED, "tests", await buying.now())
    supplier = await buying.supplier("sup-a", 100)
    order = (await buying.order(supplier)).id
    await buying.says(order, "confirmed")
    await buying.stands(order, "confirmed")
    for _ in range(7):
        await buying.pass_days(2)
    await buying.receive(order, "dn-1", ("tea", 10))
    asked = ObjectToLine(order=order, line=1, reason="门店停电")
    made = await object_to(buying.mongo, supplier, asked, supplier, await buying.now())
    if carried:
        await buying.starter.once()
    name = dispute_id(order, 1)
    assert made.id == name and made.next_at is not None
    return name, buying.client.get_workflow_handle(workflow_id(name), result_type=str)


async def silence(buying: Purchasing, process: WorkflowHandle[Any, str]) -> str:
    """Days pass, a few at a time, until it has ended; the outcome."""
    for _ in range(30):
        if (await process.describe()).status is not WorkflowExecutionStatus.RUNNING:
            return await process.result()
        await buying.pass_days(1)
    raise AssertionError("nobody answered for a month, and it still waits")


async def kept(mongo: Mongo, dispute: str) -> LineDispute:
    row = await mongo.score_disputes.find_one({"_id": dispute})
    assert row is not None
    return LineDispute.from_row(row)


async def told(buying: Purchasing, whom: str) -> list[tuple[str, Any, Any, int, int]]:
    found = await buying.told(whom, "supplier.dispute.v1")
    return [(one["state"], one.get("why"), one.get("role"), one["reminder"], one["escalated"]) for one in found]


async def left_out(buying: Purchasing) -> list[str | None]:
    now = await buying.now()
    orders, known = await orders_of(buying.mongo, ["sup-a"], now), await disputes_of(buying.mongo, ["sup-a"])
    return [one.left_out for one in score_of("sup-a", orders["sup-a"], known, day_of(now))[1]]


async def test_nobody_answers_so_it_is_reminded_escalates_and_is_accepted(buying: Purchasing) -> None:
    name, process = await objected(buying)
    assert await silence(buying, process) == "accepted"
    dispute = await kept(buying.mongo, name)
    assert (dispute.why, dispute.answered_by, dispute.turn, dispute.step) == ("not_answered", "timer", None, 4)
    assert await told(buying, "sup-a") == [
        ("open", None, None, 0, 0),
        ("open", None, None, 0, 1),
        ("accepted", "not_answered", None, 0, 0),
    ]
    assert await told(buying, "retailer") == [
        ("open", None, "buyer", 0, 0),
        ("open", None, "buyer", 1, 0),
        ("open", None, "purchasing_lead", 0, 1),
        ("open", None, "purchasing_lead", 1, 1),
        ("accepted", "not_answered", None, 0, 0),
    ]
    assert await left_out(buying) == ["disputed"]
    assert not await check(buying.mongo, None)


async def test_the_temporal_ui_tells_whom_it_waits_for_and_until_when(buying: Purchasing) -> None:
    name, process = await objected(buying)
    standing = await eventually(lambda: process.query("standing", result_type=Standing), timeout=60)
    assert standing.role == "buyer"

    async def shown() -> str | None:
        history = await process.fetch_history()
        timers = [one for one in history.events if one.HasField("timer_started_event_attributes")]
        return timers[-1].user_metadata.summary.data.decode() if timers else None

    summary = await eventually(shown, timeout=60)
    dispute = await kept(buying.mongo, name)
    assert summary is not None and dispute.turn is not None
    assert f"an answer by buyer; looked at again at {dispute.turn.due:%Y-%m-%d %H:%M} UTC" in summary


async def test_an_answer_ends_it_once_and_by_those_whose_turn_it_is(buying: Purchasing) -> None:
    name, process = await objected(buying)

    async def says(by: str) -> Standing:
        command = Command(by=by, accept=False, reason="There is a photograph of the shelf.")
        standing: Standing = await process.execute_update("command", command, result_type=Standing)
        return standing

    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await says("sun")
    refusal = refusal_of(caught.value.cause)
    assert refusal is not None and refusal.code == "other_role"
    assert (await kept(buying.mongo, name)).state == "open"
    assert (await says("li")).state == "rejected"
    assert await process.result() == "rejected"
    assert (await told(buying, "sup-a"))[-1] == ("rejected", None, None, 0, 0)
    assert await left_out(buying) == [None]


async def test_each_step_may_die_before_and_after_its_commit(
    buying: Purchasing, monkeypatch: pytest.MonkeyPatch
) -> None:
    died: set[str] = set()
    inside, transaction = disputes._tell, buying.mongo.transaction

    def die(place: str) -> None:
        if place not in died:
            died.add(place)
            raise RuntimeError(place)

    async def writing(mongo: Mongo, session: Session, dispute: LineDispute, *more: Any) -> None:
        await inside(mongo, session, dispute, *more)
        if dispute.step:
            die(f"in {dispute.step}")

    async def committed(work: Any) -> Any:
        done = await transaction(work)
        if isinstance(done, LineDispute) and done.step:
            die(f"after {done.step}")
        return done

    monkeypatch.setattr(disputes, "_tell", writing)
    monkeypatch.setattr(buying.mongo, "transaction", committed)
    _, process = await objected(buying)
    assert await silence(buying, process) == "accepted"
    assert len(died) == 8, "before and after each of four steps"
    assert len(await told(buying, "retailer")) == 5
    assert len(await told(buying, "sup-a")) == 3


async def test_what_was_due_while_nobody_carried_it_is_done_at_once(buying: Purchasing) -> None:
    name, process = await objected(buying, carried=False)
    first = await kept(buying.mongo, name)
    assert first.turn is not None and first.turn.role == "buyer"
    while await buying.now() < first.turn.due:
        await buying.pass_days(1)
    await buying.starter.once()

    async def escalated() -> LineDispute | None:
        dispute = await kept(buying.mongo, name)
        return dispute if dispute.turn is not None and dispute.turn.role == "purchasing_lead" else None

    dispute = await eventually(escalated, timeout=60)
    assert dispute is not None and dispute.started
    assert await told(buying, "sup-a") == [("open", None, None, 0, 0), ("open", None, None, 0, 1)]
    standing = await process.query("standing", result_type=Standing)
    assert standing.next_at == dispute.next_at


async def test_one_of_before_gets_its_time_from_now_on(buying: Purchasing) -> None:
    name, _ = await objected(buying, carried=False)
    old = {"turn": "", "next_at": "", "started": "", "step": "", "why": ""}
    await buying.mongo.score_disputes.update_one({"_id": name}, {"$unset": old})
    await buying.pass_days(2)
    now = await buying.now()
    await buying.starter.once()

    async def in_turn() -> LineDispute | None:
        dispute = await kept(buying.mongo, name)
        return dispute if dispute.turn is not None else None

    dispute = await eventually(in_turn, timeout=60)
    assert dispute is not None and dispute.turn is not None and dispute.turn.due > now + timedelta(days=7)
