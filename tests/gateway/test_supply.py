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
from workers.supply.forecasters import forecasters
from workers.supply.worker import supply_activities, supply_worker

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


async def test_promotions_are_planned_changed_and_withdrawn(api: Api, mongo: Mongo) -> None:
    sku, store, category = fresh("tea"), fresh("store"), fresh("cat")
    await Network(mongo, milliseconds(mongo.clock.now())).open(store)
    await api.put("/v1/skus", {"skus": [{"sku": sku, "category": category}]}, status=200)
    plan = {"id": fresh("promo").lower(), "first_day": "2027-03-01", "last_day": "2027-03-03", "skus": [sku]}

    async def put(*rows: dict[str, Any]) -> list[dict[str, Any]]:
        found = await api.put("/v1/supply/promotions", {"promotions": list(rows)}, status=200)
        results: list[dict[str, Any]] = found.body["results"]
        return results

    async def listed(query: str) -> list[tuple[int, str, bool]]:
        rows = (await api.get(f"/v1/supply/promotions?sku={sku}{query}", status=200)).body["promotions"]
        return [(one["version"], one["last_day"], one["active"]) for one in rows]

    changed = {**plan, "last_day": "2027-03-02", "locations": [store], "divisions": ["33"], "categories": [category]}
    said = [(await put(one))[0]["outcome"] for one in (plan, plan, changed)]
    assert said == ["created", "unchanged", "updated"]
    assert await listed("") == [(2, "2027-03-02", True)]
    assert await listed("&day=2027-03-02") == [(2, "2027-03-02", True)] and await listed("&day=2027-03-03") == []
    assert (await put({**changed, "active": False}))[0]["outcome"] == "updated"
    assert await listed("") == [(3, "2027-03-02", False)] and await listed("&day=2027-03-02") == []
    kept = [row async for row in mongo.promotions.find({"promotion": plan["id"]}).sort("version", 1)]
    assert [row["replaced_at"] for row in kept] == [kept[1]["at"], kept[2]["at"], None]

    await put(*({**plan, "id": f"{plan['id']}-{number}"} for number in range(3)))
    page = (await api.get(f"/v1/supply/promotions?sku={sku}&limit=2", status=200)).body
    rest = (await api.get(f"/v1/supply/promotions?sku={sku}&limit=2&cursor={page['next']}", status=200)).body
    ids = [one["promotion"] for one in (*page["promotions"], *rest["promotions"])]
    assert ids == [plan["id"], *(f"{plan['id']}-{number}" for number in range(3))] and rest["next"] is None


async def test_promotions_of_what_does_not_exist_are_refused_one_by_one(api: Api, mongo: Mongo) -> None:
    sku = fresh("tea")
    await api.put("/v1/skus", {"skus": [{"sku": sku}]}, status=200)
    name = fresh("promo").lower()
    good = {"id": name, "first_day": "2027-03-01", "last_day": "2027-03-01", "skus": [sku]}
    bad: list[tuple[dict[str, Any], str, str]] = [
        ({"skus": [sku, "nothing-such"]}, "unknown_sku", "skus.1"),
        ({"categories": ["no such kind"]}, "unknown_category", "categories.0"),
        ({"locations": ["nowhere"]}, "unknown_location", "locations.0"),
        ({"divisions": ["33", "99"]}, "division_unknown", "divisions.1"),
        ({"strength": 1.5}, "too_large", "strength"),
        ({"last_day": "2027-02-28"}, "too_early", "last_day"),
        ({"last_day": "2072-03-01"}, "too_late", "last_day"),
        ({"first_day": "1 March"}, "bad_format", "first_day"),
        ({"skus": []}, "missing", "skus"),
        ({"id": f"{name}-good"}, "listed_twice", "id"),
    ]
    rows = [{**good, "id": f"{name}-{number}", **fields} for number, (fields, _, _) in enumerate(bad)]
    done = await api.put("/v1/supply/promotions", {"promotions": [{**good, "id": f"{name}-good"}, *rows]}, status=200)
    assert (done.body["accepted"], done.body["refused"]) == (1, len(bad))
    problems = [one["problem"] for one in done.body["results"][1:]]
    assert [(one["code"], one["field"]) for one in problems] == [(code, field) for _, code, field in bad]
    assert all(one["remedy"] for one in problems)
    assert await mongo.promotions.count_documents({"promotion": {"$regex": f"^{name}"}}) == 1


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
    assert (await reader.get("/v1/supply/promotions")).status == 200
    row = {"id": "p", "first_day": "2027-03-01", "last_day": "2027-03-01", "skus": ["tea"]}
    assert (await reader.put("/v1/supply/promotions", {"promotions": [row]}, status=403)).status == 403
    assert (await reader.post("/v1/supply/approvals", {"ids": ["x"]}, status=403)).status == 403
