"""Replenishment over HTTP, on the real servers: master data, a run, decisions, a transfer, and what is refused."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from contracts.base import milliseconds
from infra.keys import Scope, create_key
from infra.mongo import Mongo
from infra.settings import Settings
from infra.temporal import connect
from tests.gateway.running import Api, fresh
from tests.supplying import Network, poisson
from tests.support import eventually
from workers.buying import buying_worker
from workers.supply import forecasters, supply_activities, supply_worker

DAYS = 90


@pytest.fixture
async def worker(gateway_settings: Settings, mongo: Mongo) -> AsyncIterator[None]:
    client = await connect(gateway_settings)

    async def ring(batches: set[str]) -> None:
        pass

    with forecasters() as pool:
        async with (
            supply_worker(client, supply_activities(mongo, ring, pool)),
            buying_worker(client, mongo, ring),
        ):
            yield


def region(**more: Any) -> dict[str, Any]:
    return {"id": fresh("region")[:30].lower(), "divisions": ["5425"], "history_days": DAYS, **more}


async def network(mongo: Mongo, *stores: str) -> tuple[Network, str, str]:
    """Stores of their own division, so that no other test's are in the region; a SKU that one has too many of."""
    made = Network(mongo, milliseconds(mongo.clock.now()))
    tea, cup, supplier = fresh("tea"), fresh("cup"), fresh("supplier")
    await made.open(*stores, division="542521")
    await made.supplier(tea, cup, name=supplier, multiple=6, minimum=12)
    await made.stock({stores[0]: {tea: 900, cup: 5}, stores[1]: {tea: 4, cup: 5}})
    await made.sold(
        {(store, sku): poisson(4, DAYS, n) for n, (store, sku) in enumerate((s, k) for s in stores for k in (tea, cup))}
    )
    return made, tea, cup


async def test_from_a_region_to_goods_on_the_shelf(api: Api, mongo: Mongo, worker: None) -> None:
    full, short = fresh("full"), fresh("short")
    _, tea, cup = await network(mongo, full, short)
    asked = region(transfers={"fixed": 100, "per_km": 10, "vehicle_fixed": 0})
    assert (await api.put("/v1/supply/regions", asked, status=200)).body["version"] == 1
    again = await api.put("/v1/supply/regions", asked, status=200)
    assert again.body["version"] == 1
    started = await api.post("/v1/supply/runs", {"region": asked["id"]}, status=202)
    run = started.body["id"]

    async def done() -> dict[str, Any] | None:
        seen = await api.get(f"/v1/supply/runs/{run}")
        return seen.body if seen.status == 200 and seen.body["state"] != "running" else None

    ended = await eventually(done, timeout=240)
    assert (ended["state"], ended["series"], ended["progress"]["forecast"]) == ("done", 4, 4)
    found = (await api.get(f"/v1/supply/proposals?run={run}", status=200)).body["proposals"]
    by_key = {(one["kind"], one["location"], one["sku"]): one for one in found}
    moved, bought = by_key["transfer", short, tea], by_key["purchase", short, cup]
    rounds = (await api.get(f"/v1/supply/runs/{run}/rounds", status=200)).body["rounds"]
    assert [one["stops"] for one in rounds] == [[short]]

    why = (await api.get(f"/v1/supply/proposals/{bought['id']}/why", status=200)).body
    assert why["proposal"]["id"] == bought["id"] and len(why["history"]) == 84
    page = await api.get(f"/v1/supply/proposals/{bought['id']}/why.html?lang=zh", status=200)
    assert "<svg" in page.body and "采购" in page.body and "<script" not in page.body

    refused = await api.post("/v1/supply/changes", {"proposals": [{"id": bought["id"], "quantity": 13}]}, status=200)
    assert refused.body["refused"][0]["problem"]["code"] == "not_a_multiple"
    changed = await api.post("/v1/supply/changes", {"proposals": [{"id": bought["id"], "quantity": 24}]}, status=200)
    assert changed.body["decided"] == 1
    key = {"Idempotency_Key": uuid.uuid4().hex}
    first = await api.post("/v1/supply/approvals", {"ids": [moved["id"], "none"]}, status=200, **key)
    assert first.body["decided"] == 1 and first.body["refused"][0]["problem"]["code"] == "unknown_proposal"
    assert (
        await api.post("/v1/supply/approvals", {"ids": [moved["id"], "none"]}, status=200, **key)
    ).body == first.body
    twice = await api.post("/v1/supply/approvals", {"ids": [moved["id"]]}, status=200)
    assert twice.body["refused"][0]["problem"]["code"] == "proposal_decided"
    rest = await api.post("/v1/supply/rejections", {"where": {"run": run}, "reason": "Not now."}, status=200)
    assert rest.body["decided"] == len(found) - 2

    async def ordered() -> list[dict[str, Any]]:
        rows = (await api.get(f"/v1/supply/proposals?run={run}&state=ordered", status=200)).body["proposals"]
        return rows if len(rows) == 2 else []

    rows = {one["kind"]: one for one in await eventually(ordered, timeout=60)}
    order = await mongo.purchase_orders.find_one({"_id": rows["purchase"]["ordered_as"]})
    assert order is not None and [line["ordered"] for line in order["lines"]] == [24]

    path = f"/v1/supply/transfers/{rows['transfer']['ordered_as']}"
    early = await api.post(f"{path}/receipt", {"reference": "DN-1"}, status=409)
    assert early.code == "nothing_under_way"
    await api.post(f"{path}/shipment", {}, status=200)
    came = await api.post(f"{path}/receipt", {"reference": "DN-1"}, status=200)
    assert came.body["state"] == "received"
    level = await mongo.stock.find_one({"_id": f"{short}/{tea}"})
    assert level is not None and level["on_hand"] == 4 + moved["quantity"]


async def test_a_schedule_follows_its_region(api: Api) -> None:
    asked = region(cron="0 3 * * *")
    await api.put("/v1/supply/regions", asked, status=200)

    async def mine() -> dict[str, Any]:
        rows = (await api.get("/v1/supply/schedules", status=200)).body["schedules"]
        return next(one for one in rows if one["region"] == asked["id"])

    assert len((await mine())["next"]) == 5
    paused = await api.post(f"/v1/supply/schedules/{asked['id']}/pause", {}, status=200)
    assert paused.body["paused"] and paused.body["next"] == []
    # Describing it anew does not resume what somebody paused.
    await api.put("/v1/supply/regions", {**asked, "cron": "0 4 * * *"}, status=200)
    assert (await mine())["paused"]
    await api.post(f"/v1/supply/schedules/{asked['id']}/resume", {}, status=200)
    assert not (await mine())["paused"]
    await api.put("/v1/supply/regions", {**asked, "cron": None}, status=200)
    none = await api.post(f"/v1/supply/schedules/{asked['id']}/pause", {}, status=409)
    assert none.code == "no_schedule"


async def test_bad_master_data_is_refused_with_its_field(api: Api) -> None:
    hub = await api.put("/v1/supply/regions", region(hubs=["nowhere"]), status=422)
    assert (hub.code, hub.body["field"]) == ("unknown_location", "hubs.0")
    cron = await api.put("/v1/supply/regions", region(cron="every day"), status=422)
    assert cron.body["field"] == "cron"
    words = await api.put("/v1/supply/regions", region(cron="99 99 * * *"), status=422)
    assert (words.code, words.body["field"]) == ("bad_cron", "cron")
    regions = (await api.get("/v1/supply/regions", status=200)).body["regions"]
    assert not [one for one in regions if one["cron"] == "99 99 * * *"]
    row = {"supplier": "nobody", "sku": "tea", "price": 100, "lead_days": 3}
    rows = await api.put("/v1/supply/sourcing", {"sourcing": [row]}, status=200)
    assert rows.body["results"][0]["problem"]["code"] == "unknown_supplier"
    run = await api.post("/v1/supply/runs", {"region": "none"}, status=404)
    assert run.code == "unknown_region"
    both = await api.post("/v1/supply/approvals", {"ids": ["a"], "where": {"run": "r"}}, status=422)
    assert "ids" in str(both.body)


async def test_policies_are_versions_and_do_not_overlap(api: Api) -> None:
    category = fresh("cat")
    draft = {"id": fresh("policy").lower(), "categories": [category], "service": {"kind": "fill", "value": 0.9}}
    assert (await api.post("/v1/supply/policies", draft, status=201)).body["version"] == 1
    assert (await api.post("/v1/supply/policies", draft, status=200)).body["version"] == 1
    made = await api.post("/v1/supply/policies", {**draft, "review_days": 3}, status=201)
    assert made.body["version"] == 2
    other = await api.post("/v1/supply/policies", {**draft, "id": fresh("other").lower()}, status=409)
    assert other.code == "policy_overlaps"
    first = await api.get(f"/v1/supply/policies/{draft['id']}?version=1", status=200)
    assert first.body["review_days"] == 7


async def test_deciding_needs_its_scope(api: Api, mongo: Mongo) -> None:
    reader = api.with_key(await create_key(mongo, "reader", [Scope.SUPPLY_READ]))
    assert (await reader.get("/v1/supply/runs")).status == 200
    assert (await reader.post("/v1/supply/approvals", {"ids": ["x"]}, status=403)).status == 403
