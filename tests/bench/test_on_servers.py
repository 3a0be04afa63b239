"""The throughput benches in small, on real servers: that they measure what happened, not how fast it was."""

import argparse
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from rich.console import Console

from bench import seen
from bench.floor import floor, prepare
from bench.floor_writer import Stream, Writer, load, repetition
from bench.quick import halves
from bench.recording import TOKEN, Recorded, record
from bench.rig import Rig, rig
from bench.soak import soak
from bench.sustained import life
from bench.synthetic import MODELS, fill, models
from bench.world import Shape, draw
from infra.embedded import Servers
from infra.mongo import Mongo
from infra.nats import connect

QUIET = Console(quiet=True)
SMALL = Shape(locations=20, skus=60)
ORDERS = 40
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
async def one(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    async with rig(draw(SMALL), QUIET, keep=tmp_path_factory.mktemp("bench"), mongo_cache_gb=0.25) as started:
        yield started


@pytest.fixture(scope="module")
async def recorded(one: Rig, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    await halves(one, ORDERS, "warm")
    return await record(one, ORDERS, tmp_path_factory.mktemp("program") / "program.bson")


async def test_the_program_holds_every_write_that_mongodb_counted(recorded: Recorded) -> None:
    for half, phase in (("dispatch", "until dispatched"), ("whole", "whole life")):
        cost = recorded.halves.dispatch.operations
        counted = dict(cost)
        if half == "whole":
            counted = {name: n + recorded.halves.rest.operations[name] for name, n in cost.items()}
        of = recorded.per_order[phase]
        inserted = sum(n for name, n in of.items() if name.startswith("inserted"))
        assert inserted * ORDERS == pytest.approx(counted["inserted documents"], abs=6)
    assert recorded.per_order["until dispatched"]["messages"] >= 2
    assert recorded.per_order["whole life"]["messages"] > recorded.per_order["until dispatched"]["messages"]


async def test_a_repetition_leaves_the_same_documents_as_the_product(
    one: Rig, recorded: Recorded, tmp_path: Path
) -> None:
    ours: MongoClient[dict[str, Any]] = MongoClient(one.system.settings.require("mongo_url"), tz_aware=True)
    async with Servers(one.settings, tmp_path, temporal=False) as servers:
        nats_url, creds = servers.addresses.nats_url, servers.addresses.nats_creds
        target = Mongo(servers.addresses.mongo_url, "floor")
        await prepare(recorded.path, target, servers.addresses, 1)
        _, program = load(recorded.path, 0, whole=True)
        client: MongoClient[dict[str, Any]] = MongoClient(servers.addresses.mongo_url, tz_aware=True)
        writer = Writer(client["floor"], Stream(nats_url, creds, "lane0"))
        for step in repetition(program, 7):
            writer.do(step)
        product = list(ours["tongqu"]["orders"].find({"_id": {"$regex": f"^{TOKEN}-"}}))
        repeated = {row["_id"]: row for row in client["floor"]["orders"].find()}
        assert len(product) == ORDERS
        assert repeated == {row["_id"]: row for row in again(product, "rec0007")}
        for collection in ("outbox", "ledger", "entries", "inbox"):
            own = ours["tongqu"][collection].count_documents({"_id": {"$regex": TOKEN}})
            assert client["floor"][collection].count_documents({"_id": {"$regex": "rec0007"}}) == own > 0
        nats = await connect(nats_url, creds, "test")
        sent = await seen.messages(nats.jetstream())
        assert sum(sent.values()) == round(recorded.per_order["whole life"]["messages"] * ORDERS)
        await nats.close()
        client.close()
        target.close()
    ours.close()


def again(value: Any, token: str) -> Any:
    """What a repetition makes of a value: other ids of orders and batches."""
    if isinstance(value, dict):
        return {key: again(one, token) for key, one in value.items()}
    if isinstance(value, list):
        return [again(one, token) for one in value]
    if isinstance(value, str) and value.startswith("batch-"):
        return token + value[len(token) :]
    return value.replace(TOKEN, token) if isinstance(value, str) else value


async def test_the_bare_minimum_is_found_for_both_phases(recorded: Recorded) -> None:
    found = await floor(recorded.path, QUIET, seconds=1.0)
    assert set(found) == {"dispatched", "delivered"}
    for ceiling in found.values():
        assert ceiling.per_s > 0
        assert ceiling.per_s == max(ceiling.tried.values())
        assert ceiling.cost["cpu_ms"]["mongo"] > 0


async def test_a_load_is_measured_over_the_whole_life(one: Rig) -> None:
    await one.tell(delay_s=(0.1, 0.5), group_s=0.2, hold=False)
    done = await life(one, "load", rate=30, seconds=4, warm_s=0)
    assert done.load.orders == 120
    assert set(done.load.times.dispatched) == set(done.load.times.closed) == set(done.load.sent.placed)
    assert all(ms > 0 for ms in done.load.latencies_ms())
    assert all(done.load.times.closed[order] > at for order, at in done.load.times.dispatched.items())
    result = done.as_json()
    assert result["cost"]["cpu_ms"]["fulfilment"] > 0
    assert result["cost"]["written_bytes"]["mongo"] > 0
    assert result["memory_mib"]["relay"]["peak"] >= result["memory_mib"]["relay"]["start"] > 10
    assert 0 < result["events_per_order"] < 25
    [ended] = await one.mongo.orders.aggregate(
        [{"$match": {"_id": {"$regex": "^load-"}}}, {"$group": {"_id": "$stage", "n": {"$sum": 1}}}]
    ).to_list(None)
    assert ended == {"_id": "closed", "n": 120}


async def test_copies_of_open_orders_look_like_orders_and_disturb_none(one: Rig) -> None:
    rows = await models(one)
    assert len(rows) == MODELS
    assert await fill(one, rows, 3 * MODELS, 1) == 4
    copies = await one.mongo.orders.count_documents({"stage": "dispatched", "_id": {"$regex": "^0000[123]-"}})
    assert copies == 3 * MODELS
    found = await halves(one, ORDERS, "beside")
    assert found.offers == ORDERS
    assert await one.mongo.orders.count_documents({"stage": "dispatched", "_id": {"$regex": "^0000[123]-"}}) == copies


async def test_half_a_minute_of_the_soak_samples_every_process() -> None:
    options = argparse.Namespace(
        **{"minutes": 0.5, "rate": 10.0, "every_s": 1.0, "delay_s": (0.2, 1.0), "locations": 20, "skus": 60, "seed": 7}
    )
    result = await soak(options, QUIET)
    assert result["orders"] >= 300
    assert {"fulfilment", "events", "relay", "gateway", "mongo", "nats", "temporal"} <= set(result["processes"])
    assert len(result["samples"]) >= 15
    for process in result["processes"].values():
        low, high = process["interval"]
        assert low <= process["slope_mib_per_hour"] <= high
        assert process["peak_mib"] >= process["end_mib"] > 0
