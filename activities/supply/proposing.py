"""From series of a run to proposals: first what is moved, then what is bought besides. Written so that it can be
repeated: everything is made of the run's own rows, and gets the same ids."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from activities.supply.available import Sold, bought_of, read_available
from activities.supply.closing import still_running
from activities.supply.flow import Move, Plan, plan_transfers
from activities.supply.opening import read_chunk, read_run
from activities.supply.ordering import lost_before
from activities.supply.planned import Chunk, Key, Planned
from activities.supply.quantity import Quantity, quantity
from activities.supply.reading import read_all_versions, read_places
from activities.supply.rounds import Rounds, Stop, plan_rounds, shares
from activities.supply.sharing import Bought, share_out
from activities.supply.transfers import Policies, Sides, leaves_at, sides, surplus, ways
from contracts.partners import Location
from contracts.replenishing import Made, Region, Run, RunStep
from contracts.supply import REGIONAL, Explanation, Proposal, proposal_id
from contracts.workdays import add_workdays, day_of
from infra.mongo import Collection, Mongo, Session

_FOR = "for"
"""Of an explanation's terms: the series that goods are moved for, where it is not its location's own."""
_WRITTEN_AT_ONCE = 500


@dataclass(slots=True)
class _Worked:
    plan: Plan
    sides: Sides
    rounds: list[Rounds]
    proposals: list[Proposal]


async def propose_transfers(mongo: Mongo, step: RunStep) -> Made:
    """Transfers of the whole run, with the rounds that carry them. Raises Refusal when the run was closed meanwhile."""
    run, region = await read_run(mongo, step.run)
    places = await read_places(mongo, region)
    policies = await read_all_versions(mongo)
    rows = [Planned.from_row(row) async for row in mongo.forecasts.find({"run": run.id})]
    worked = await asyncio.to_thread(_work_out, run, region, places, rows, policies)
    await _write(mongo, mongo.proposals, run.id, [one.as_row() for one in worked.proposals])
    carried = [
        {"_id": f"{run.id}:{source.source}:{number}", "run": run.id, "number": number, **_as_fields(source)}
        for rounds in worked.rounds
        for number, source in enumerate(rounds.rounds, 1)
    ]
    await _write(mongo, mongo.supply_rounds, run.id, carried)
    await mongo.supply_runs.update_one({"_id": run.id}, {"$set": {"transfer_report": _report(worked)}})
    return Made(done=len(rows), made=len(worked.proposals), value=sum(one.value for one in worked.proposals))


async def _write(mongo: Mongo, collection: Collection, run: str, rows: Sequence[dict[str, Any]]) -> None:
    """Rows of a run that goes on, so many in one transaction; those that an earlier try wrote are left as they are."""
    for begin in range(0, len(rows), _WRITTEN_AT_ONCE):
        some = {row["_id"]: row for row in rows[begin : begin + _WRITTEN_AT_ONCE]}

        async def work(session: Session, some: dict[str, dict[str, Any]] = some) -> None:
            await still_running(mongo, session, run)
            known = collection.find({"_id": {"$in": list(some)}}, {"_id": 1}, session=session)
            there = {row["_id"] async for row in known}
            new = [row for name, row in some.items() if name not in there]
            if new:
                await collection.insert_many(new, ordered=False, session=session)

        await mongo.transaction(work)


def _as_fields(one: Any) -> dict[str, Any]:
    return {name: getattr(one, name) for name in ("source", "stops", "km", "hours", "kg", "cost")}


def _report(worked: _Worked) -> dict[str, float | int | str]:
    return {
        "surplus_series": len(worked.sides.gives),
        "short_series": len(worked.sides.takes),
        "units": sum(move.units for move in worked.plan.moves),
        "freight": round(worked.plan.freight),
        "saved": round(worked.plan.saved),
        "ways_closed": worked.plan.closed,
        "rounds": sum(len(one.rounds) for one in worked.rounds),
        "rounds_km": round(sum(one.km for one in worked.rounds), 1),
        "rounds_cost": sum(one.cost for one in worked.rounds),
        "left": sum(len(one.left) for one in worked.rounds),
    }


def _work_out(
    run: Run, region: Region, places: Mapping[str, Location], rows: Sequence[Planned], policies: Policies
) -> _Worked:
    found = sides(rows, policies, region)
    roads, really = ways(region, places, found.gives, found.takes)
    plan = plan_transfers(found.gives, found.takes, roads, found.goods, region.transfers.least_units)
    days = {(way.source, really[way.destination]): way.days for way in roads}
    known = {(row.location, row.sku): row for row in rows}
    rounds = _rounds(region, places, plan, really, {sku: one.kg for sku, one in found.goods.items()})
    borne: Counter[tuple[str, str]] = Counter()
    for one in rounds:
        for source in {each.source for each in one.rounds}:
            weights = _weights(plan, really, source, found)
            for stop, cost in shares(one, weights).items():
                borne[source, stop] += cost
    leaves = leaves_at(region, run.as_of)
    proposals = [
        _transfer(run, region, move, known, policies, really, leaves + timedelta(days=days[move.source, to]), borne)
        for move in plan.moves
        for to in [really[move.destination]]
    ]
    return _Worked(plan, found, rounds, proposals)


def _weights(plan: Plan, really: Mapping[str, str], source: str, found: Sides) -> dict[str, float]:
    kg: Counter[str] = Counter()
    for move in plan.moves:
        if move.source == source:
            kg[really[move.destination]] += move.units * found.goods[move.sku].kg  # type: ignore[assignment]
    return dict(kg)


def _rounds(
    region: Region, places: Mapping[str, Location], plan: Plan, really: Mapping[str, str], kg: Mapping[str, float]
) -> list[Rounds]:
    """For each source, in the order of their ids."""
    loads: dict[str, dict[str, float]] = {}
    for move in plan.moves:
        to = loads.setdefault(move.source, {})
        destination = really[move.destination]
        to[destination] = to.get(destination, 0.0) + move.units * kg[move.sku]
    found = []
    for source in sorted(loads):
        place = places[source]
        points = {name: (places[name].lat, places[name].lon) for name in loads[source]}
        stops = [
            Stop(name, lat, lon, loads[source][name])
            for name, (lat, lon) in sorted(points.items())
            if lat is not None and lon is not None
        ]
        if place.lat is None or place.lon is None or not stops:
            continue
        found.append(plan_rounds(source, (place.lat, place.lon), stops, region.transfers))
    return found


def _transfer(
    run: Run,
    region: Region,
    move: Move,
    known: Mapping[Key, Planned],
    policies: Policies,
    really: Mapping[str, str],
    arrives: datetime,
    borne: Mapping[tuple[str, str], int],
) -> Proposal:
    to, giver = known[move.destination, move.sku], known[move.source, move.sku]
    policy = policies[to.policy, to.policy_version]
    location = really[move.destination]
    why = explain(to, Quantity(move.units, _short(to), "none", 1, policy.transfer_multiple))
    why.surplus, why.saved = float(surplus(giver)), move.saved
    why.terms |= {"freight": move.freight, "source_order_up_to": giver.target.order_up_to}
    why.terms |= {"source_on_hand": giver.position.on_hand, "round_cost": borne.get((move.source, location), 0)}
    if location != move.destination:
        why.terms[_FOR] = move.destination
    value = move.units * to.price
    return Proposal(
        id=proposal_id(run.id, "transfer", move.source, location, move.sku),
        run=run.id,
        region=region.id,
        kind="transfer",
        source=move.source,
        location=location,
        sku=move.sku,
        proposed=move.units,
        quantity=move.units,
        price=to.price,
        currency=to.sourcing.currency if to.sourcing else "CNY",
        value=value,
        due=day_of(arrives, region.time_zone),
        explanation=why,
        small=value < policy.approve_below,
        created_at=run.as_of,
    )


def _short(row: Planned) -> float:
    return max(0.0, row.target.order_up_to - row.position.total)


def explain(row: Planned, units: Quantity, moved: int = 0) -> Explanation:
    """All numbers that made a quantity of a series."""
    return Explanation(
        demand_mean=row.forecast.mean,
        level=row.target.level,
        quantile=row.forecast.at(row.target.level),
        protection_days=row.forecast.protection_days,
        lead_mean=row.lead.mean if row.lead else 0.0,
        lead_deviation=row.lead.deviation if row.lead else 0.0,
        lead_n=row.lead.n if row.lead else 0,
        position=row.position,
        reorder_point=row.target.reorder_point,
        order_up_to=row.target.order_up_to,
        wanted=units.wanted,
        multiple=units.multiple,
        minimum=units.minimum,
        bound=units.bound,
        moved=moved,
        demand_class=row.forecast.demand_class,
        model=row.forecast.model,
        coverage=row.forecast.coverage,
        policy=row.policy,
        policy_version=row.policy_version,
        reasons=row.reasons,
        reasons_zh=row.reasons_zh,
        promotions=row.promotions,
        terms=dict(row.target.terms),
    )


async def propose_purchases(mongo: Mongo, step: RunStep) -> Made:
    """Purchases of one chunk, and its mark, in one transaction. Raises Refusal when the run was closed meanwhile."""
    chunk = await read_chunk(mongo, step.run, step.chunk)
    if chunk.proposed:
        made = mongo.proposals.find({"run": step.run, "chunk": step.chunk}, {"value": 1})
        values = [row["value"] async for row in made]
        return Made(done=len(chunk.series), made=len(values), value=sum(values))
    run, region = await read_run(mongo, step.run)
    policies = await read_all_versions(mongo)
    rows = [Planned.from_row(row) async for row in mongo.forecasts.find({"run": run.id, "chunk": chunk.number})]
    available = await _available(mongo, run, rows, regional=chunk.regional)
    rows += await _others(mongo, chunk, {sku for _, sku in available})
    brought = await _brought(mongo, run.id, region, {row.sku for row in rows}, regional=chunk.regional)
    bought = _bought(region, rows, policies, brought)
    shared = share_out(bought, available)
    proposals = [_purchase(run, region, one) for one in shared if one.row.chunk == chunk.number and one.units.units]

    async def work(session: Session) -> None:
        await still_running(mongo, session, run.id)
        mark = {"_id": chunk.id, "proposed": False}
        marked = await mongo.supply_chunks.update_one(mark, {"$set": {"proposed": True}}, session=session)
        if marked.matched_count and proposals:
            written = [{**one.as_row(), "chunk": chunk.number} for one in proposals]
            await mongo.proposals.insert_many(written, ordered=False, session=session)

    await mongo.transaction(work)
    return Made(done=len(chunk.series), made=len(proposals), value=sum(one.value for one in proposals))


async def _brought(mongo: Mongo, run: str, region: Region, skus: Iterable[str], *, regional: bool) -> Counter[Key]:
    """Units that this run brings already: to a location by transfers; to the region by transfers from outside of it
    and by what its locations buy themselves."""
    units = Counter[Key]()
    query: dict[str, Any] = {"run": run, "sku": {"$in": sorted(skus)}}
    if not regional:
        async for row in mongo.proposals.find({**query, "kind": "transfer"}):
            if _FOR not in row["explanation"]["terms"]:
                units[row["location"], row["sku"]] += row["quantity"]
        return units
    inside = await inside_of(mongo, region)
    whole = f"{REGIONAL}{region.id}"
    async for row in mongo.proposals.find(query, {"kind": 1, "source": 1, "sku": 1, "quantity": 1}):
        if row["kind"] == "purchase" or row["source"] not in inside:
            units[whole, row["sku"]] += row["quantity"]
    return units


async def inside_of(mongo: Mongo, region: Region) -> set[str]:
    """Locations of the region, with its first hub and without the others that lie outside of its divisions."""
    places = await read_places(mongo, region)
    return {one.id for one in places.values() if region.holds(one.division) or one.id == region.hubs[0]}


def _bought(region: Region, rows: Iterable[Planned], policies: Policies, brought: Mapping[Key, int]) -> list[Bought]:
    """What each series would buy if nobody else did."""
    found = []
    for row in rows:
        if row.sourcing is None or row.lead is None:
            continue
        if region.hubs and row.location == region.hubs[0]:
            continue  # It buys for the whole region, of which it is a part.
        policy = policies[row.policy, row.policy_version]
        moved = brought.get((row.location, row.sku), 0)
        # What comes with it, or after it, sells nothing before.
        there = row.position.total - row.position.purchases + row.position.before + moved
        lost = 0.0 if policy.one_season else lost_before(row.forecast, there, row.lead_days)
        units = quantity(row.position, row.target, policy, row.sourcing, moved, lost)
        if units.units:
            row.target.terms["lost_before"] = round(lost, 3)
            found.append(Bought(row, policy, units, moved))
    return found


async def _available(mongo: Mongo, run: Run, rows: Iterable[Planned], *, regional: bool) -> dict[Sold, int]:
    """What suppliers report to have for a chunk. Series of the whole region come last, and get what is left."""
    sources = [row.sourcing for row in rows if row.sourcing is not None]
    found = await read_available(mongo, sources, day_of(run.as_of))
    if not regional or not found:
        return found
    bought = await bought_of(mongo, run.id, found)
    return {key: max(0, units - bought[key]) for key, units in found.items()}


async def _others(mongo: Mongo, chunk: Chunk, skus: set[str]) -> list[Planned]:
    """Series of other chunks that want the same of a supplier who has little."""
    if not skus or chunk.regional:
        return []
    query = {"run": chunk.run, "sku": {"$in": sorted(skus)}, "chunk": {"$ne": chunk.number}}
    rows = [Planned.from_row(row) async for row in mongo.forecasts.find(query)]
    return [row for row in rows if not row.location.startswith(REGIONAL)]


def _purchase(run: Run, region: Region, one: Bought) -> Proposal:
    row, policy, units, moved = one.row, one.policy, one.units, one.moved
    assert row.sourcing is not None and row.lead is not None
    why = explain(row, units, moved)
    why.capacity = policy.shelf_capacity
    location = row.location
    if location.startswith(REGIONAL):
        location, why.terms[_FOR] = region.hubs[0], row.location
    value = units.units * row.sourcing.price
    return Proposal(
        id=proposal_id(run.id, "purchase", row.sourcing.supplier, location, row.sku),
        run=run.id,
        region=region.id,
        kind="purchase",
        source=row.sourcing.supplier,
        location=location,
        sku=row.sku,
        proposed=units.units,
        quantity=units.units,
        price=row.sourcing.price,
        currency=row.sourcing.currency,
        value=value,
        due=add_workdays("CN", day_of(run.as_of, region.time_zone), round(row.lead.mean)),
        explanation=why,
        small=value < policy.approve_below,
        created_at=run.as_of,
    )
