"""A case on the time-skipping server: nothing is forgotten, whoever is silent."""

import asyncio
import itertools
from datetime import datetime
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus

from activities.service import carrying
from activities.service.carrying import CaseActivities
from activities.service.opening import found_by_system, open_case
from contracts.cases import CaseEvent, CaseRecord, Found, Opening, new_case_id
from contracts.service_policy import DEFAULT, ServicePolicy, ServicePolicyDraft
from infra.mongo import Session
from infra.service_book import POLICIES, keep
from tests.service.casemaking import MONDAY, hire, team
from tests.service.world import Floor
from tests.support import eventually

FIRST = team("first-east", 1, "lin", "wang")
SECOND = team("experts", 2, "chen")
THIRD = team("leads", 3, "zhao")


class TestLife:
    async def test_it_is_given_to_somebody_answered_resolved_rated_and_closed(self, floor: Floor) -> None:
        await hire(floor.mongo, FIRST)
        case = await floor.open(customer="c-1", text="包裹破损了")
        record = await floor.record(case)
        assert record.assignee in ("lin", "wang") and record.team == "first-east"
        assert record.messages == 1
        by = record.assignee
        assert not await floor.happens(case, "reply", by, text="非常抱歉，马上处理。")
        assert (await floor.record(case)).state == "waiting_customer"
        assert not await floor.happens(case, "say", "app", text="好的")
        assert not await floor.happens(case, "resolve", by, text="已补发")
        assert not await floor.happens(case, "rate", "app", score=5)
        process = floor.env.client.get_workflow_handle(case)
        await floor.passes(days=8)
        assert await process.result() == "closed"
        words = [one.text for one in await floor.cases.messages(case)]
        assert words[:4] == ["包裹破损了", "非常抱歉，马上处理。", "好的", "已补发"]
        loads = {row["_id"]: row["open"] async for row in floor.mongo.service_loads.find({})}
        assert loads == {by: 0}
        history = await process.fetch_history()
        assert len(history.events) <= 60, "a life of five things that were done"

    async def test_words_are_sealed_and_in_no_history(self, floor: Floor) -> None:
        case = await floor.open(customer="c-1", name="王小明", phone="13800001111", text="我叫王小明，手机13800001111")
        await floor.happens(case, "note", text="王小明的投诉")
        rows = [row async for row in floor.mongo.db["case_messages"].find({})]
        rows += [row async for row in floor.mongo.db["case_inbox"].find({})]
        rows += [row async for row in floor.mongo.db["cases"].find({})]
        rows += [row async for row in floor.mongo.db["outbox"].find({})]
        history = await floor.env.client.get_workflow_handle(case).fetch_history()
        for found in (str(rows), history.to_json()):
            assert "王小明" not in found and "13800001111" not in found

    async def test_one_that_nobody_touches_climbs_to_the_top_and_every_breach_is_told(self, floor: Floor) -> None:
        await hire(floor.mongo, FIRST, SECOND, THIRD)
        case = await floor.open(customer="c-1")
        await floor.passes(days=4)

        async def at_the_top() -> bool:
            return (await floor.record(case)).level == 3

        await eventually(at_the_top, timeout=60)
        record = await floor.record(case)
        assert record.assignee == "zhao"
        breached = {data["clock"] for data in await floor.told(case, "case.clock.v1") if data["percent"] == 100}
        assert breached >= {"first_response", "resolution"}
        assert record.clocks.resolution is not None and record.clocks.resolution.breached_at is not None

    async def test_silence_gives_it_to_somebody_else(self, floor: Floor) -> None:
        await hire(floor.mongo, FIRST)
        case = await floor.open(priority="low", customer="c-1")
        first = (await floor.record(case)).assignee
        await floor.passes(hours=24)

        async def moved() -> bool:
            return first in (await floor.record(case)).passed

        await eventually(moved, timeout=60)
        assert first != (await floor.record(case)).assignee

    async def test_a_refusal_changes_nothing_and_says_what_to_do(self, floor: Floor) -> None:
        case = await floor.open(customer="c-1")
        refused = await floor.happens(case, "compensate", amount=100, reason="late")
        assert (refused["code"], refused["status"]) == ("no_order", 409)
        assert (await floor.record(case)).compensations == []

    async def test_more_than_one_step_does_is_done_at_once_and_waits_for_no_grid(
        self, floor: Floor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(carrying, "_EVENTS_AT_ONCE", 1)
        monkeypatch.setattr(carrying, "_ROUNDS", 1)
        case = await floor.open(customer="c-1")
        at = await floor.now()
        words = [CaseEvent(id=f"w{n}", case=case, at=at, by="app", what="say", text=f"{n}") for n in range(8)]
        await floor.cases.write_events(words)
        process = await floor.look(case)

        async def all_taken() -> bool:
            return (await floor.record(case)).messages == 8

        await eventually(all_taken, timeout=60)
        history = await process.fetch_history()
        timers = [one for one in history.events if one.HasField("timer_fired_event_attributes")]
        assert not timers


class TestSteps:
    async def test_a_short_step_is_carried_within_the_task_of_its_workflow(self, floor: Floor) -> None:
        await hire(floor.mongo, FIRST)
        case = await floor.open(customer="c-1")
        history = await floor.env.client.get_workflow_handle(case).fetch_history()
        assert not [one for one in history.events if one.HasField("activity_task_scheduled_event_attributes")]
        assert len(history.events) <= 11, "an update has two of them, and the version of the workflow two"

    async def test_one_that_fails_there_is_tried_until_it_works(
        self, floor: Floor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        step, tries = CaseActivities._step, itertools.count(1)

        async def lame(self: CaseActivities, case: str, now: datetime) -> CaseRecord:
            if next(tries) < 3:
                raise ConnectionError("the database is away")
            return await step(self, case, now)

        monkeypatch.setattr(CaseActivities, "_step", lame)
        case = await floor.open(customer="c-1")
        assert (await floor.record(case)).taken_up
        history = await floor.env.client.get_workflow_handle(case).fetch_history()
        (apart,) = [one for one in history.events if one.HasField("activity_task_started_event_attributes")]
        assert apart.activity_task_started_event_attributes.attempt == 2


class TestSameMatter:
    async def test_duplicates_merge_also_in_a_race(self, floor: Floor) -> None:
        asked = Opening.model_validate({"kind": "complaint", "customer": "c-7", "person": True, "text": "催"})
        now = await floor.now()
        opened = await asyncio.gather(*(open_case(floor.cases, new_case_id(), asked, "app", now) for _ in range(8)))
        (case,) = {one.case for one in opened}
        assert [one.merged for one in opened].count(False) == 1
        await floor.look(case)
        assert (await floor.record(case)).messages == 8

    async def test_a_request_that_is_repeated_opens_one_case(self, floor: Floor) -> None:
        asked = Opening.model_validate({"kind": "complaint", "person": True, "text": "催"})
        case, now = new_case_id(), await floor.now()
        for _ in range(3):
            assert (await open_case(floor.cases, case, asked, "app", now)).case == case
        await floor.look(case)
        assert (await floor.record(case)).messages == 1

    async def test_a_second_complaint_after_the_first_was_closed_is_a_repeated_one(self, floor: Floor) -> None:
        first = await floor.open(customer="c-9", text="坏了")
        await floor.happens(first, "resolve")
        await floor.passes(days=8)
        second = await floor.open(customer="c-9", text="又坏了")
        record = await floor.record(second)
        assert (record.kind, record.follows, record.priority) == ("repeat_complaint", first, "high")

    async def test_how_soon_is_again_is_said_by_the_policy(self, floor: Floor) -> None:
        first = await floor.open(customer="c-9", text="坏了")
        await floor.happens(first, "resolve")
        await floor.passes(days=8)
        limits = DEFAULT.limits.model_copy(update={"repeat_within_s": 7 * 86_400})
        draft = {**DEFAULT.model_dump(exclude={"version", "at"}), "limits": limits.model_dump()}

        async def work(session: Session) -> ServicePolicy:
            return await keep(floor.mongo, POLICIES, ServicePolicyDraft.model_validate(draft), MONDAY, session)

        await floor.mongo.transaction(work)
        later = await floor.record(await floor.open(customer="c-9", text="又坏了"))
        assert (later.kind, later.follows) == ("complaint", None)
        asked = await floor.record(await floor.open("other", customer="c-9", text="在吗", person=False))
        assert asked.complained == later.id, "the bot has it, and does not know yet what it is about"

    async def test_what_the_system_finds_joins_the_customers_case(self, floor: Floor) -> None:
        order: dict[str, Any] = {"_id": "order-5", "division": "330106", "customer": "c-5", "parcels": []}
        await floor.mongo.orders.insert_one(order)
        case = await floor.open("order_status", order="order-5", priority="low")
        found = Found(kind="late_missed", cause="evt-1", priority="high", note="2 days")
        for _ in range(2):
            told = await found_by_system(
                floor.cases, new_case_id(), found, "order-5", await floor.now(), parcel="order-5.p1", partner="near"
            )
            assert told is None or told.case == case
        await floor.look(case)
        record = await floor.record(case)
        assert (record.causes, record.priority) == (["evt-1"], "high")


class TestSurvival:
    async def test_a_workflow_that_is_gone_is_started_again_and_goes_on(self, floor: Floor) -> None:
        await hire(floor.mongo, FIRST)
        case = await floor.open(customer="c-1", text="?")
        before = await floor.record(case)
        process = floor.env.client.get_workflow_handle(case)
        await process.terminate("lost")
        assert not await floor.happens(case, "reply", before.assignee or "", text="…")
        after = await floor.record(case)
        assert (after.messages, after.state, after.clocks.resolution and after.clocks.resolution.started_at) == (
            2,
            "waiting_customer",
            before.clocks.resolution and before.clocks.resolution.started_at,
        )

    async def test_a_closed_case_can_still_be_rated(self, floor: Floor) -> None:
        case = await floor.open(customer="c-1")
        await floor.happens(case, "resolve")
        await floor.passes(days=8)
        process = floor.env.client.get_workflow_handle(case)

        async def over() -> bool:
            return (await process.describe()).status is WorkflowExecutionStatus.COMPLETED

        await eventually(over, timeout=60)
        assert not await floor.happens(case, "rate", "app", score=2)
        assert (await floor.happens(case, "say", "app", text="?"))["code"] == "case_closed"


async def test_cases_that_come_at_once_are_spread_and_counted(floor: Floor) -> None:
    await hire(floor.mongo, team("first-east", 1, "a", "b", "c", "d"))
    cases = await asyncio.gather(*(floor.open(customer=f"c-{number}") for number in range(12)))
    held = [(await floor.record(case)).assignee for case in cases]
    loads = {row["_id"]: row["open"] async for row in floor.mongo.service_loads.find({})}
    assert loads == {one: held.count(one) for one in ("a", "b", "c", "d")}
    assert max(loads.values()) - min(loads.values()) <= 3
