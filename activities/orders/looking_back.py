"""Reads what a decision was made on: the stock that it saw, by the ledger, and the version of its policy."""

from collections.abc import Sequence
from typing import Any

from activities.orders.network import Network
from activities.orders.verdicts import Hindsight, demand_then
from contracts.carriers import Carrier
from contracts.orders import OrderState
from contracts.partners import Location
from contracts.refusals import Refusal
from contracts.routing import Decision, Policy
from contracts.skus import Article
from contracts.stock import slots_since
from infra.mongo import Mongo, Session


async def look_back(mongo: Mongo, order: OrderState, decision: Decision) -> Hindsight:
    """Everything that the decision was made on. Raises Refusal when its policy is not kept any more."""
    policy = await policy_then(mongo, decision.policy)
    demand = demand_then(order, decision, await carried_then(mongo, order.id, decision), policy)
    skus = sorted({sku for _, sku, _ in demand.lines})
    return Hindsight(
        decision=decision,
        demand=demand,
        seen=await stock_seen(mongo, decision, skus),
        parcels=await parcels_by(mongo, {"slot": {"$gte": slots_since(decision.at)}, **seen_by(decision)}),
        policy=policy,
        network=await network_now(mongo, skus),
    )


async def network_now(mongo: Mongo, skus: Sequence[str] | None = None) -> Network:
    """Locations, carriers and articles (of all SKUs, or of some) as they are now."""
    articles = {} if skus is None else {"_id": {"$in": list(skus)}}
    counter = await mongo.counters.find_one({"_id": "network"})
    return Network(
        [Location.from_row(row) async for row in mongo.locations.find({}).sort("_id", 1)],
        version=counter["version"] if counter else 0,
        carriers=[Carrier.from_row(row) async for row in mongo.carriers.find({}).sort("_id", 1)],
        articles={row["_id"]: Article.from_row(row) async for row in mongo.skus.find(articles)},
    )


async def parcels_by(mongo: Mongo, rows: dict[str, Any]) -> dict[tuple[str, str], int]:
    """Parcels that count against capacities by the ledger rows of a query, by location and slot."""
    counted = {"$cond": [{"$eq": ["$kind", "reserved"]}, 1, {"$cond": [{"$eq": ["$kind", "released"]}, -1, 0]}]}
    group = {"_id": {"location": "$location", "slot": "$slot"}, "parcels": {"$sum": counted}}
    found = mongo.ledger.aggregate([{"$match": rows}, {"$group": group}], allowDiskUse=True)
    return {(row["_id"]["location"], row["_id"]["slot"]): row["parcels"] async for row in found}


def seen_by(decision: Decision) -> dict[str, Any]:
    """The ledger rows that the decision knew, as a query: whole versions, and the first rows of the next one."""
    return {
        "$or": [
            {"version": {"$lte": decision.stock_version}},
            {"version": decision.stock_version + 1, "row": {"$lt": decision.stock_rows}},
        ]
    }


def unseen_by(decision: Decision) -> dict[str, Any]:
    """All other rows of the ledger."""
    return {
        "$or": [
            {"version": {"$gt": decision.stock_version + 1}},
            {"version": decision.stock_version + 1, "row": {"$gte": decision.stock_rows}},
        ]
    }


async def stock_seen(mongo: Mongo, decision: Decision, skus: Sequence[str]) -> dict[tuple[str, str], int]:
    """Available units by location and SKU: the ledger's rows up to the decision, added up; or, where that is less to
    read, today's levels without the rows since. Both are the same, as `tongqu check` sees to."""

    async def work(session: Session) -> dict[tuple[str, str], int]:
        counter = await mongo.counters.find_one({"_id": "stock"}, session=session)
        some = {"changes.sku": {"$in": list(skus)}}
        if counter is None or counter["version"] > 2 * decision.stock_version:
            return await available_by(mongo, {**some, **seen_by(decision)}, skus, session)
        since = await available_by(mongo, {**some, **unseen_by(decision)}, skus, session)
        seen = {key: -units for key, units in since.items()}
        async for row in mongo.stock.find({"sku": {"$in": list(skus)}}, session=session):
            key = (row["location"], row["sku"])
            seen[key] = seen.get(key, 0) + row["on_hand"] - row["reserved"]
        return {key: units for key, units in seen.items() if units}

    return await mongo.snapshot(work)


async def available_by(
    mongo: Mongo, rows: dict[str, Any], skus: Sequence[str] | None = None, session: Session | None = None
) -> dict[tuple[str, str], int]:
    """Units that the ledger rows of a query leave available, by location and SKU; of all SKUs, or of some."""
    on_hand, reserved = {"$ifNull": ["$changes.on_hand", 0]}, {"$ifNull": ["$changes.reserved", 0]}
    pipeline: list[dict[str, Any]] = [{"$match": rows}, {"$unwind": "$changes"}]
    if skus is not None:
        pipeline.append({"$match": {"changes.sku": {"$in": list(skus)}}})
    pipeline += [
        {
            "$group": {
                "_id": {"location": "$location", "sku": "$changes.sku"},
                "units": {"$sum": {"$subtract": [on_hand, reserved]}},
            }
        },
        {"$match": {"units": {"$ne": 0}}},
    ]
    found = mongo.ledger.aggregate(pipeline, session=session, allowDiskUse=True)
    return {(row["_id"]["location"], row["_id"]["sku"]): row["units"] async for row in found}


async def carried_then(mongo: Mongo, order: str, decision: Decision) -> dict[str, int]:
    """Units by SKU that parcels of the order held or had shipped when it was decided on.

    Their rows' ids begin with the parcel's, and those of no other order's do, because an order's id carries no dot.
    """
    carried: dict[str, int] = {}
    of_parcels = {"_id": {"$gte": f"{order}.p", "$lt": f"{order}.q"}}
    query = {**of_parcels, "kind": {"$in": ["reserved", "released", "shipped"]}, **seen_by(decision)}
    async for row in mongo.ledger.find(query):
        for change in row["changes"]:
            shipped = -change.get("on_hand", 0) if row["kind"] == "shipped" else 0
            carried[change["sku"]] = carried.get(change["sku"], 0) + change.get("reserved", 0) + shipped
    return carried


async def policy_then(mongo: Mongo, named: str) -> Policy:
    """`<id>@<version>`, as decisions name it. Raises Refusal when it is not kept and not built in."""
    policy, _, version = named.rpartition("@")
    row = await mongo.policies.find_one({"id": policy, "version": int(version)})
    if row is not None:
        return Policy.model_validate(row)
    built_in = Policy()
    if named == f"{built_in.id}@{built_in.version}":
        return built_in
    remedy = "It can be told what was decided, but not reckoned anew."
    raise Refusal("unknown_policy", f"The policy {named} is not kept any more.", remedy=remedy, status=409)
