"""Runs of replenishment on the time-skipping server and the real database: proposed, decided, ordered, once."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from activities.supply.closing import close_run, still_running
from activities.supply.deciding import By, decide, decide_where
from activities.supply.explaining import told
from activities.supply.promotions import keep
from activities.supply.proposing import propose_purchases, propose_transfers
from contracts.base import milliseconds
from contracts.buying import TASK_QUEUE as BUYING_QUEUE
from contracts.promotions import PromotionUpsert
from contracts.refusals import Refusal
from contracts.replenishing import (
    ORDERING_WORKFLOW,
    TASK_QUEUE,
    WORKFLOW,
    Changed,
    CloseRun,
    OrderDecision,
    Progress,
    Replenish,
    RunStep,
    Where,
    ordering_id,
    run_id,
)
from contracts.supply import Proposal
from contracts.transfers import REMIND, Command, ReceiveTransfer, ShipTransfer
from infra.invariants.stock import check_stock
from infra.mongo import Mongo, Session
from infra.temporal import strict_sandbox
from tests.databases import Databases
from tests.supplying import SUPPLIER, Network, poisson
from tests.support import eventually
from workers.buying import buying_worker
from workers.supply.forecasters import forecasters
from workers.supply.worker import supply_activities, supply_worker

DAYS = 120


class Desk:
    """Runs, and what people decide on them."""

    def __init__(self, mongo: Mongo, env: WorkflowEnvironment, network: Network) -> None:
        self.mongo = mongo
        self.env = env
        self.network = network
        self._runs = 0

    async def start(self) -> tuple[str, WorkflowHandle[Any, Progress]]:
        self._runs += 1
        workflow = f"supply-east-{self.mongo.db.name.replace('_', '-')}-{self._runs}"
        handle = await self.env.client.start_workflow(
            WORKFLOW, Replenish(region="east"), id=workflow, task_queue=TASK_QUEUE, result_type=Progress
        )
        return run_id(workflow), handle

    async def run(self) -> str:
        run, handle = await self.start()
        await handle.result()
        return run

    async def proposals(self, run: str) -> dict[tuple[str, str, str], Proposal]:
        rows = [Proposal.from_row(row) async for row in self.mongo.proposals.find({"run": run})]
        return {(one.kind, one.location, one.sku): one for one in rows}

    async def order(self, decision: str) -> int:
        made: int = await self.env.client.execute_workflow(
            ORDERING_WORKFLOW,
            OrderDecision(decision=decision),
            id=ordering_id(decision),
            task_queue=TASK_QUEUE,
            result_type=int,
        )
        return made

    def by(self, decision: str) -> By:
        return By("planner", decision, self.network.now)

    async def ordered(self) -> dict[tuple[str, str], int]:
        """Units on purchase orders, by location and SKU."""
        units: dict[tuple[str, str], int] = {}
        async for row in self.mongo.purchase_orders.find({}):
            for line in row["lines"]:
                key = (row["location"], line["sku"])
                units[key] = units.get(key, 0) + line["ordered"]
        return units


@pytest.fixture(scope="module")
def pool() -> Any:
    with forecasters() as made:
        yield made


@pytest.fixture
async def desk(
    databases: Databases, time_skipping_env: WorkflowEnvironment, pool: ProcessPoolExecutor
) -> AsyncIterator[Desk]:
    now: datetime = milliseconds(await time_skipping_env.get_current_time())

    async def ring(batches: set[str]) -> None:
        pass

    client = time_skipping_env.client
    # Time passes as it does outside: else that of silent suppliers goes by while a run is waited for.
    with time_skipping_env.auto_time_skipping_disabled():
        async with (
            databases.lent() as mongo,
            supply_worker(client, supply_activities(mongo, ring, pool), runner=strict_sandbox()),
            buying_worker(client, mongo, ring, BUYING_QUEUE, runner=strict_sandbox()),
        ):
            yield Desk(mongo, time_skipping_env, Network(mongo, now))


async def short_and_full(desk: Desk, **policy: Any) -> None:
    """Two stores that sell alike; one has next to nothing, the other far too much."""
    network = desk.network
    await network.open("full", "short")
    await network.region()
    await network.supplier("tea", "cup", multiple=6, minimum=12)
    if policy:
        await network.policy(**policy)
    await network.stock({"full": {"tea": 900, "cup": 12}, "short": {"tea": 8, "cup": 9}})
    demand = {
        (store, sku): poisson(4, DAYS, n)
        for n, (store, sku) in enumerate((s, k) for s in ("full", "short") for k in ("tea", "cup"))
    }
    await network.sold(demand)


async def test_what_is_short_is_moved_from_surplus_and_the_rest_is_bought(desk: Desk) -> None:
    await short_and_full(desk)
    run, handle = await desk.start()
    progress = await handle.result()
    assert (progress.phase, progress.series, progress.forecast, progress.share) == ("done", 4, 4, 1.0)
    found = await desk.proposals(run)
    moved = found["transfer", "short", "tea"]
    assert (moved.source, moved.state) == ("full", "proposed")
    assert moved.explanation.saved is not None and moved.explanation.saved > 0
    # The store that was short of tea gets it moved, and buys none; of cups nobody has too many.
    assert ("purchase", "short", "tea") not in found
    assert ("purchase", "full", "tea") not in found
    for store in ("full", "short"):
        bought = found["purchase", store, "cup"]
        why = bought.explanation
        assert bought.source == SUPPLIER
        assert bought.quantity % 6 == 0 and bought.quantity >= 12
        # Up to the level, less what will be asked for in vain before the goods come.
        lost = float(why.terms["lost_before"])
        assert lost > 0
        assert why.wanted == pytest.approx(why.order_up_to - why.position.total - lost, abs=1e-3)
        assert bought.quantity >= why.wanted > bought.quantity - 12
        assert {one.level for one in why.coverage} == {0.8, 0.9, 0.95}
    # Lead of five working days, and a week to the next look: about two weeks of four a day.
    assert 40 < found["purchase", "short", "cup"].explanation.demand_mean < 80
    row = await desk.mongo.supply_runs.find_one({"_id": run})
    assert row is not None and row["state"] == "done" and row["transfer_report"]["rounds"] == 1


async def test_what_is_approved_is_ordered_once_and_counts_in_the_next_position(desk: Desk) -> None:
    await short_and_full(desk)
    run = await desk.run()
    done = await decide_where(desk.mongo, Where(run=run), "approved", desk.by("d1"))
    count = len(await desk.proposals(run))
    assert done.decided == count > 0
    assert await desk.order("d1") == 3  # a transfer, and a purchase order for each store
    first = await desk.ordered()
    assert {one.state for one in (await desk.proposals(run)).values()} == {"ordered"}
    # Ordered again, as after a crash whose end nobody knows: nothing new.
    assert await desk.order("d1") == 0
    assert await desk.ordered() == first
    again = await desk.run()
    assert await desk.proposals(again) == {}
    rows = [row async for row in desk.mongo.forecasts.find({"run": again})]
    open_units = {(row["location"], row["sku"]): row["position"]["purchases"] for row in rows}
    assert {key: units for key, units in open_units.items() if units} == first


async def approved_transfer(desk: Desk) -> WorkflowHandle[Any, Any]:
    """Of 20 tea to the location that is short of it."""
    await short_and_full(desk)
    run = await desk.run()
    moved = (await desk.proposals(run))["transfer", "short", "tea"]
    await decide(desk.mongo, [moved.id], "changed", desk.by("d1"), {moved.id: Changed(id=moved.id, quantity=20)})
    await desk.order("d1")
    kept = await desk.mongo.transfers.find_one({"run": run, "state": "approved"})
    assert kept is not None
    return desk.env.client.get_workflow_handle(kept["_id"])


async def test_who_receives_what_left_late_is_not_reminded_of_the_time_before(desk: Desk) -> None:
    handle = await approved_transfer(desk)

    async def reminders() -> int:
        history = await handle.fetch_history()
        asked = [event.activity_task_scheduled_event_attributes.activity_type.name for event in history.events]
        return asked.count(REMIND)

    await desk.env.sleep(timedelta(days=6))
    of_the_source = await reminders()
    assert of_the_source > 1, "it has not shipped"
    await handle.execute_update("command", Command(by="full", ship=ShipTransfer()))
    receipt = {"reference": "DN-1", "lines": [{"sku": "tea", "units": 20}]}
    await handle.execute_update("command", Command.model_validate({"by": "short", "receive": receipt}))
    assert await handle.result() == "received"
    assert await reminders() == of_the_source


async def test_a_transfer_moves_stock_exactly(desk: Desk) -> None:
    handle = await approved_transfer(desk)

    async def levels() -> dict[str, tuple[int, int]]:
        rows = desk.mongo.stock.find({"sku": "tea"})
        return {row["location"]: (row["on_hand"], row["reserved"]) async for row in rows}

    assert await levels() == {"full": (900, 20), "short": (8, 0)}
    assert await desk.mongo.snapshot(partial(check_stock, desk.mongo)) == []
    await handle.execute_update("command", Command(by="full", ship=ShipTransfer()))
    assert await levels() == {"full": (880, 0), "short": (8, 0)}
    lines = [{"sku": "tea", "units": 15, "damaged": 1}]
    receipt = Command(by="short", receive=ReceiveTransfer.model_validate({"reference": "DN-1", "lines": lines}))
    await handle.execute_update("command", receipt)
    # The same delivery note again, from somebody who heard no answer.
    await handle.execute_update("command", receipt)
    assert await levels() == {"full": (880, 0), "short": (23, 0)}
    await handle.execute_update("command", Command.model_validate({"by": "short", "lose": {"reason": "Never came."}}))
    assert await handle.result() == "received"
    kept = await desk.mongo.transfers.find_one({"_id": handle.id})
    assert kept is not None
    assert {name: kept["lines"][0][name] for name in ("shipped", "received", "damaged", "lost")} == {
        "shipped": 20,
        "received": 15,
        "damaged": 1,
        "lost": 4,
    }
    assert await desk.mongo.snapshot(partial(check_stock, desk.mongo)) == []


async def test_a_run_supersedes_what_nobody_decided_on(desk: Desk) -> None:
    await short_and_full(desk)
    run = await desk.run()
    old = await desk.proposals(run)
    again = await desk.run()
    assert {one.state for one in (await desk.proposals(run)).values()} == {"superseded"}
    assert {key: one.quantity for key, one in (await desk.proposals(again)).items()} == {
        key: one.quantity for key, one in old.items()
    }
    first = next(iter(old.values()))
    done = await decide(desk.mongo, [first.id], "approved", desk.by("d1"))
    assert done.decided == 0 and done.refused[first.id].code == "proposal_decided"


async def test_small_values_need_nobody(desk: Desk) -> None:
    await short_and_full(desk, id="default", version=2, approve_below=10**9)
    run = await desk.run()
    handle = desk.env.client.get_workflow_handle(ordering_id(f"{run}:policy"))
    assert await handle.result() > 0
    assert {one.state for one in (await desk.proposals(run)).values()} == {"ordered"}


async def test_each_quantity_explains_itself_in_two_languages(desk: Desk) -> None:
    await short_and_full(desk)
    run = await desk.run()
    bought = (await desk.proposals(run))["purchase", "short", "cup"]
    found = await told(desk.mongo, bought.id)
    assert [step.name for step in found.steps] == [
        "demand",
        "level",
        "lead_time",
        "position",
        "target",
        "lost",
        "wanted",
        "quantity",
    ]
    assert sum(day.sold for day in found.history) == sum(poisson(4, DAYS, 3)[-84:])
    assert found.forecast is not None and found.forecast.at(0.5) < found.forecast.at(0.95)
    assert "9 on hand" in found.steps[3].words.en and "在库 9" in found.steps[3].words.zh
    with pytest.raises(Refusal, match="unknown_proposal"):
        await told(desk.mongo, "none")


async def test_planned_promotions_are_named_where_they_lie_within_the_days(desk: Desk) -> None:
    await short_and_full(desk)
    today, now = desk.network.today, desk.network.now
    days = {"first_day": today + timedelta(days=2), "last_day": today + timedelta(days=4), "skus": ["cup"]}
    near = PromotionUpsert.model_validate({"id": "near", "locations": ["short"], "strength": 0.8, **days})
    far = {**days, "first_day": today + timedelta(days=90), "last_day": today + timedelta(days=91)}
    late = PromotionUpsert.model_validate({"id": "late", **far})
    before = now - timedelta(minutes=1)
    assert await keep(desk.mongo, [near, late], before) == {"near": "created", "late": "created"}
    unknown = PromotionUpsert.model_validate({"id": "unknown", **days})
    await keep(desk.mongo, [unknown], now + timedelta(days=1))  # After the run began.
    found = await desk.proposals(await desk.run())
    why = found["purchase", "short", "cup"].explanation
    assert [(one.promotion, one.version, one.strength) for one in why.promotions] == [("near", 1, 0.8)]
    assert found["purchase", "full", "cup"].explanation.promotions == []
    step = (await told(desk.mongo, found["purchase", "short", "cup"].id)).steps[1]
    assert step.name == "promotions" and f"near ({days['first_day']}–{days['last_day']}, 80%)" in step.words.en
    assert f"{why.model} does not count with what is planned" in step.words.en and "不计入计划促销" in step.words.zh


async def test_a_hub_buys_with_the_promotions_of_the_stores_it_serves(desk: Desk) -> None:
    network, today = desk.network, desk.network.today
    await network.open("hub", "a", "b")
    await network.region(hubs=["hub"])
    await network.supplier("tea", lead_days=3)
    await network.stock({place: {"tea": 1} for place in ("hub", "a", "b")})
    await network.sold({(store, "tea"): poisson(4, DAYS, seed) for seed, store in enumerate(("a", "b"))})
    fields = {"first_day": today + timedelta(days=1), "last_day": today + timedelta(days=3), "skus": ["tea"]}
    fair = PromotionUpsert.model_validate({"id": "fair", "locations": ["a"], **fields})
    await keep(desk.mongo, [fair], network.now - timedelta(minutes=1))
    run = await desk.run()
    rows = {row["location"]: row["promotions"] async for row in desk.mongo.forecasts.find({"run": run})}
    named = {place: [one["promotion"] for one in found] for place, found in rows.items()}
    assert named["@east"] == named["a"] == ["fair"] and named["b"] == []


async def test_what_a_supplier_has_too_little_of_is_shared(desk: Desk) -> None:
    """Both stores want cups; the supplier reports fewer than that, and what was ordered since is gone from it."""
    await short_and_full(desk)
    first = await desk.proposals(await desk.run())
    wanted = {store: first["purchase", store, "cup"].quantity for store in ("full", "short")}
    has = sum(wanted.values()) // 2 // 6 * 6
    report = {"_id": f"{SUPPLIER}:cup", "supplier": SUPPLIER, "sku": "cup", "event": "e", "on_hand": has, "per_week": 0}
    await desk.mongo.supplier_reports.insert_one({**report, "at": desk.network.now - timedelta(minutes=1)})
    run = await desk.run()
    found = await desk.proposals(run)
    got = {store: found["purchase", store, "cup"].quantity for store in wanted}
    assert sum(got.values()) == has and all(12 <= units < wanted[store] for store, units in got.items())
    why = found["purchase", "short", "cup"].explanation
    assert why.bound == "fair_share"
    assert (why.terms["supplier_has"], why.terms["asked_of_supplier"]) == (has, sum(wanted.values()))
    told_of = await told(desk.mongo, found["purchase", "short", "cup"].id)
    assert f"it has {has}" in told_of.steps[-1].words.en
    await decide_where(desk.mongo, Where(run=run, sku="cup"), "approved", desk.by("d1"))
    await desk.order("d1")
    assert ("purchase", "short", "cup") not in await desk.proposals(await desk.run())


async def test_a_minimum_is_weighed_by_what_is_needed(desk: Desk) -> None:
    """Twelve at least are little where a week asks for 28, and no reason to pay twice the price elsewhere."""
    await short_and_full(desk)
    await desk.network.supplier("cup", name="dear", price=4_000)
    bought = (await desk.proposals(await desk.run()))["purchase", "short", "cup"]
    assert bought.source == SUPPLIER
    assert "for 1 needed" not in " ".join(bought.explanation.reasons)


async def test_two_runs_of_a_region_do_not_run_at_once(desk: Desk) -> None:
    await short_and_full(desk)
    await desk.mongo.supply_runs.insert_one({"_id": "other", "region": "east", "state": "running"})
    run, handle = await desk.start()
    with pytest.raises(Exception, match="Workflow execution failed"):
        await handle.result()
    assert await desk.mongo.supply_runs.find_one({"_id": run}) is None


async def test_a_step_that_comes_after_its_run_was_closed_proposes_nothing(desk: Desk) -> None:
    await short_and_full(desk)
    run = await desk.run()
    assert {kind for kind, _, _ in await desk.proposals(run)} == {"transfer", "purchase"}
    await desk.mongo.proposals.delete_many({"run": run})
    await desk.mongo.supply_chunks.update_many({"run": run}, {"$set": {"proposed": False}})
    await desk.mongo.supply_runs.update_one({"_id": run}, {"$set": {"state": "cancelled"}})
    late = RunStep(run=run, region="east", now=desk.network.now, chunk=0)
    for propose in (propose_transfers, propose_purchases):
        with pytest.raises(Refusal, match="run_closed"):
            await propose(desk.mongo, late)
    assert await desk.proposals(run) == {}
    # Where it goes on they are written, and by a try that comes again not twice.
    await desk.mongo.supply_runs.update_one({"_id": run}, {"$set": {"state": "running"}})
    for propose in (propose_transfers, propose_transfers, propose_purchases, propose_purchases):
        assert (await propose(desk.mongo, late)).made > 0
    assert {kind for kind, _, _ in await desk.proposals(run)} == {"transfer", "purchase"}


async def test_what_is_proposed_while_its_run_is_cancelled_is_superseded(desk: Desk) -> None:
    """The run is closed between the look at its state and the end of the transaction."""
    mongo = desk.mongo
    await mongo.supply_runs.insert_one({"_id": "r1", "region": "east", "state": "running"})
    progress = Progress(run="r1", region="east")
    asked = CloseRun(run="r1", region="east", now=desk.network.now, state="cancelled", progress=progress, why="No.")
    closing: list[asyncio.Task[Any]] = []
    at_it = {"currentOp": True, "ns": f"{mongo.db.name}.supply_runs", "op": "update"}

    async def waits() -> bool:
        return bool((await mongo.client.admin.command(at_it))["inprog"])

    async def work(session: Session) -> None:
        await still_running(mongo, session, "r1")
        closing.append(asyncio.create_task(close_run(mongo, asked)))
        await eventually(waits)
        await mongo.proposals.insert_one({"_id": "p1", "run": "r1", "state": "proposed"}, session=session)

    await mongo.transaction(work)
    (closed,) = closing
    await closed
    kept = await mongo.proposals.find_one({"_id": "p1"})
    assert kept is not None and kept["state"] == "superseded"
