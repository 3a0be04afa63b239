"""The process that replenishes is killed in the middle of a run, and of what the run orders: nothing is ordered twice,
and nothing is forgotten."""

import os
import signal
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from activities.supply.deciding import By, decide_where
from activities.supply.watching import today_of
from bench.supply_run import used
from contracts.base import milliseconds
from contracts.replenishing import (
    ORDERING_WORKFLOW,
    TASK_QUEUE,
    WORKFLOW,
    OrderDecision,
    Progress,
    Replenish,
    Where,
    ordering_id,
    run_id,
)
from infra.invariants.stock import check_stock
from infra.mongo import Mongo
from infra.nats import connect
from infra.processes import Process
from infra.settings import Settings
from infra.streams import provision_streams
from infra.temporal import connect as connect_temporal
from tests.supplying import Network, poisson
from tests.support import eventually

STORES = [f"store-{number:02}" for number in range(11)]
SKUS = [f"sku-{number:03}" for number in range(200)]
HISTORY = 30


async def sold_out_network(mongo: Mongo) -> None:
    """2,200 series in three chunks; the first store has too much of a fifth of all goods, the others too little."""
    network = Network(mongo, milliseconds(mongo.clock.now()))
    await network.open(*STORES)
    await network.region(history_days=HISTORY)
    await network.supplier(*SKUS[:100], name="supplier-1", multiple=6)
    await network.supplier(*SKUS[100:], name="supplier-2", minimum=24)
    levels = {store: {sku: 1 + n % 3 for n, sku in enumerate(SKUS)} for store in STORES}
    levels[STORES[0]] |= dict.fromkeys(SKUS[::5], 2_000)
    await network.stock(levels)
    await network.sold({(store, sku): poisson(1 + n % 4, HISTORY, n) for n, sku in enumerate(SKUS) for store in STORES})


async def killed_alone(worker: Process) -> None:
    """SIGKILL to the process and to none of those that it has started: they end with it."""
    pid = worker.pid
    os.kill(pid, signal.SIGKILL)

    async def gone() -> bool:
        return not worker.running and used(pid)[0] == 0

    await eventually(gone, timeout=60, message="what the killed process had started lives on")


def _said(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(str(row[name]) for name in ("kind", "source", "location", "sku", "quantity", "due", "value"))


async def start(client: Client, region: str, number: int, name: str) -> tuple[str, Any]:
    workflow = f"supply-{region}-{name.replace('_', '-')}-{number}"
    handle = await client.start_workflow(
        WORKFLOW, Replenish(region=region), id=workflow, task_queue=TASK_QUEUE, result_type=Progress
    )
    return run_id(workflow), handle


@pytest.mark.timeout(900)
async def test_killed_at_any_step_it_orders_all_of_it_once(settings: Settings, mongo: Mongo, tmp_path: Path) -> None:
    nats = await connect(settings.require("nats_url"), settings.require("nats_creds"), "tests")
    await provision_streams(nats.jetstream())
    await nats.close()
    await mongo.clock.start()
    await sold_out_network(mongo)
    client = await connect_temporal(settings)
    environment = {
        f"TONGQU_{name.upper()}": str(getattr(settings, name))
        for name in (
            "mongo_url",
            "mongo_database",
            "nats_url",
            "nats_creds",
            "nats_keys",
            "temporal_address",
            "data_dir",
        )
    }
    worker = Process.of_module("supply", "workers.supply", log=tmp_path / "supply.log", env=environment)
    worker.start()
    run, handle = await start(client, "east", 1, settings.mongo_database)

    async def forecast() -> int:
        return int(await mongo.supply_chunks.count_documents({"run": run, "forecast": True}))

    await eventually(forecast, timeout=240, message="no chunk was forecast")
    await killed_alone(worker)
    assert await forecast() < 3, "the run was over before the worker was killed"
    worker.start()

    async def proposed() -> int:
        return int(await mongo.proposals.count_documents({"run": run}))

    await eventually(proposed, timeout=240, message="nothing was proposed")
    await killed_alone(worker)
    row = await mongo.supply_runs.find_one({"_id": run})
    assert row is not None and row["state"] == "running", "the run was over before the worker was killed"
    worker.start()
    assert (await handle.result()).forecast == 2_200
    assert await mongo.forecasts.count_documents({"run": run}) == 2_200
    proposals = {one["_id"]: one async for one in mongo.proposals.find({"run": run})}
    assert {one["kind"] for one in proposals.values()} == {"transfer", "purchase"}

    # The same again, which nothing happens to, proposes the same.
    calm, handle = await start(client, "east", 2, settings.mongo_database)
    await handle.result()
    days = {today_of(one["as_of"]) async for one in mongo.supply_runs.find({})}
    same = [one async for one in mongo.proposals.find({"run": calm})]
    assert len(days) > 1 or sorted(map(_said, same)) == sorted(map(_said, proposals.values()))
    run, proposals = calm, {one["_id"]: one for one in same}

    by = By("planner", f"{run}-all", mongo.clock.now())
    assert (await decide_where(mongo, Where(run=run), "approved", by)).decided == len(proposals)
    ordering = await client.start_workflow(
        ORDERING_WORKFLOW,
        OrderDecision(decision=by.decision),
        id=ordering_id(by.decision),
        task_queue=TASK_QUEUE,
        result_type=int,
    )

    async def ordered() -> int:
        return int(await mongo.purchase_orders.count_documents({}))

    await eventually(ordered, timeout=120, message="nothing was ordered")
    worker.kill()
    left = await mongo.proposals.count_documents({"run": run, "state": "approved"})
    assert left, "all was ordered before the worker was killed"
    worker.start()
    await ordering.result()
    await _all_ordered_once(mongo, run, proposals)

    again, handle = await start(client, "east", 3, settings.mongo_database)
    await handle.result()
    days = {today_of(one["as_of"]) async for one in mongo.supply_runs.find({})}
    # Over midnight a day of demand has come to it, and it may well want more.
    assert await mongo.proposals.count_documents({"run": again}) == 0 or len(days) > 1
    await worker.stop(15)


async def _all_ordered_once(mongo: Mongo, run: str, proposals: dict[str, dict[str, Any]]) -> None:
    wanted, bought, moved = Counter[tuple[str, str]](), Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for one in proposals.values():
        wanted[one["location"], one["sku"]] += one["quantity"]
    named: list[str] = []
    async for row in mongo.purchase_orders.find({}):
        named += row["proposals"]
        for line in row["lines"]:
            bought[row["location"], line["sku"]] += line["ordered"]
    async for row in mongo.transfers.find({}):
        for line in row["lines"]:
            named += line["proposals"]
            moved[row["destination"], line["sku"]] += line["held"]
    assert sorted(named) == sorted(proposals)
    assert bought + moved == wanted
    states = {row["state"] async for row in mongo.proposals.find({"run": run}, {"state": 1})}
    assert states == {"ordered"}
    assert await mongo.snapshot(partial(check_stock, mongo)) == []
