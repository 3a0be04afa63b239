"""People decide on proposals, in bulk; what was approved under one decision is then ordered together, once."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from activities.supply.reading import find_region, read_all_versions
from activities.supply.transfers import leaves_at
from contracts.base import milliseconds
from contracts.money import AMOUNT_MAX
from contracts.refusals import Refusal
from contracts.replenishing import Changed, Group, OrderedAs, Orders, Where
from contracts.supply import OrderAsked, OrderLine, Proposal
from contracts.transfers import OpenTransfer, TransferLine
from infra.mongo import Mongo, UpdateOne

Decision = Literal["approved", "rejected", "changed"]
_APPROVED = {"$in": ["approved", "changed"]}
_WRITTEN_AT_ONCE = 1_000


class Decided(NamedTuple):
    """`refused`: by proposal, why nothing was done with it. The others are decided."""

    decided: int
    refused: dict[str, Refusal]


class By(NamedTuple):
    """Whose decision, under which id: the same id again changes nothing."""

    name: str
    decision: str
    at: datetime
    reason: str | None = None


async def decide_where(mongo: Mongo, where: Where, state: Decision, by: By) -> Decided:
    """All undecided proposals of a run that fit. Raises Refusal while the run is not done."""
    await _refuse_unfinished(mongo, [where.run])
    query: dict[str, Any] = {"run": where.run, "state": "proposed"}
    query |= where.model_dump(include={"kind", "location", "source", "sku"}, exclude_none=True)
    if where.value_at_most is not None:
        query["value"] = {"$lte": where.value_at_most}
    await mongo.proposals.update_many(query, {"$set": _fields(state, by)})
    return Decided(await mongo.proposals.count_documents({"decision": by.decision}), {})


async def decide(
    mongo: Mongo, ids: Sequence[str], state: Decision, by: By, changes: Mapping[str, Changed] | None = None
) -> Decided:
    """Proposals by their ids; each for itself. `changes`: other quantities, by id."""
    rows = {row["_id"]: row async for row in mongo.proposals.find({"_id": {"$in": list(ids)}})}
    await _refuse_unfinished(mongo, sorted({row["run"] for row in rows.values()}))
    refused: dict[str, Refusal] = {}
    writes: list[UpdateOne] = []
    for number in dict.fromkeys(ids):
        row = rows.get(number)
        if row is None:
            refused[number] = _unknown(number)
        elif row["state"] == "proposed":
            fields = _fields(state, by)
            if changes is not None:
                asked = changes[number]
                wrong = _wrong_quantity(row, asked.quantity)
                if wrong is not None:
                    refused[number] = wrong
                    continue
                fields |= {"quantity": asked.quantity, "value": asked.quantity * row["price"]}
                fields |= {"reason": asked.reason or by.reason}
            writes.append(UpdateOne({"_id": number, "state": "proposed"}, {"$set": fields}))
        elif row.get("decision") != by.decision:
            refused[number] = _decided(row)
    if writes:
        await mongo.proposals.bulk_write(writes, ordered=False)
    taken = {row["_id"] async for row in mongo.proposals.find({"decision": by.decision}, {"_id": 1})}
    for number in rows.keys() - taken - refused.keys():
        # Somebody else was quicker.
        row = await mongo.proposals.find_one({"_id": number})
        refused[number] = _decided(row) if row is not None else _unknown(number)
    return Decided(len(taken), refused)


def _fields(state: Decision, by: By) -> dict[str, Any]:
    fields = {"state": state, "decision": by.decision, "decided_by": by.name, "decided_at": milliseconds(by.at)}
    return fields if by.reason is None else {**fields, "reason": by.reason}


def _wrong_quantity(row: Mapping[str, Any], units: int) -> Refusal | None:
    """What the supplier would not take; a transfer takes any quantity, and what is there of it."""
    if units * row["price"] > AMOUNT_MAX:
        detail = f"{units} units cost {units * row['price']}, more than {AMOUNT_MAX}."
        return Refusal("too_much", detail, remedy="Send fewer.", field="quantity")
    why = row["explanation"]
    multiple, minimum = why["multiple"], why["minimum"]
    if row["kind"] != "purchase" or (units % multiple == 0 and units >= minimum):
        return None
    least = -(-max(units, minimum, 1) // multiple) * multiple
    detail = f"{row['source']} sells {row['sku']} in multiples of {multiple}, and not less than {minimum}."
    return Refusal("not_a_multiple", detail, remedy=f"Send {least}, for example.", field="quantity")


def _unknown(number: str) -> Refusal:
    remedy = "Send the id of a proposal, as GET /v1/supply/proposals lists them."
    return Refusal("unknown_proposal", f"There is no proposal {number}.", remedy=remedy, field="id", status=404)


def _decided(row: Mapping[str, Any]) -> Refusal:
    if row["state"] == "superseded":
        detail, remedy = "A later run has looked at it anew.", "Decide on what that run proposes."
    else:
        detail, remedy = f"It is {row['state']} already.", "There is nothing left to decide."
    return Refusal("proposal_decided", detail, remedy=remedy, field="id", status=409)


async def _refuse_unfinished(mongo: Mongo, runs: Sequence[str]) -> None:
    known = {row["_id"]: row["state"] async for row in mongo.supply_runs.find({"_id": {"$in": list(runs)}})}
    for run in runs:
        if run not in known:
            remedy = "Send the id of a run, as GET /v1/supply/runs lists them."
            raise Refusal("unknown_run", f"There is no run {run}.", remedy=remedy, field="where.run", status=404)
        if known[run] == "running":
            detail = f"The run {run} is not done yet."
            raise Refusal("run_not_done", detail, remedy="Try again when it is.", status=409, retry_after=5)


async def group(mongo: Mongo, asked: Group) -> Orders:
    """What of a decision is not ordered yet, as orders. The same decision makes the same ids."""
    query = {"decision": asked.decision, "state": _APPROVED}
    proposals = [Proposal.from_row(row) async for row in mongo.proposals.find(query).sort("_id", 1)]
    if not proposals:
        return Orders()
    region = await find_region(mongo, proposals[0].region)
    if region is None:
        raise LookupError(f"there is no region {proposals[0].region}")
    policies = await read_all_versions(mongo)
    limits = {key: policy.limits for key, policy in policies.items()}
    orders: dict[tuple[str, str, str, str], list[Proposal]] = {}
    for one in proposals:
        orders.setdefault((one.kind, one.source, one.location, one.currency), []).append(one)
    found = Orders()
    for (kind, source, location, _), parts in sorted(orders.items()):
        if kind == "purchase":
            largest = max(parts, key=lambda one: (one.value, one.id))
            why = largest.explanation
            found.purchases.append(_purchase(asked.decision, parts, limits[why.policy, why.policy_version]))
        else:
            ship_by = leaves_at(region, parts[0].decided_at or asked.now)
            latest = max(one.due for one in parts)
            arrive_by = datetime.combine(latest + timedelta(days=1), time.min, ZoneInfo(region.time_zone))
            found.transfers.append(
                OpenTransfer(
                    id=_id("st", parts[0].run, asked.decision, source, location),
                    run=parts[0].run,
                    source=source,
                    destination=location,
                    lines=_lines(parts),
                    by=parts[0].decided_by or "",
                    approved_at=parts[0].decided_at or asked.now,
                    ship_by=ship_by,
                    arrive_by=max(arrive_by, ship_by),
                )
            )
    return found


def _purchase(decision: str, parts: Sequence[Proposal], limits: list[Any]) -> OrderAsked:
    first = parts[0]
    assert first.decided_at is not None
    return OrderAsked(
        id=_id("po", first.run, decision, first.source, first.location, first.currency),
        run=first.run,
        supplier=first.source,
        location=first.location,
        currency=first.currency,
        lines=[
            OrderLine(proposal=one.id, sku=one.sku, quantity=one.quantity, price=one.price, due=one.due)
            for one in parts
        ],
        limits=limits,
        by=first.decided_by or "",
        at=first.decided_at,
    )


def _lines(parts: Sequence[Proposal]) -> list[TransferLine]:
    lines: dict[str, TransferLine] = {}
    for one in parts:
        line = lines.setdefault(one.sku, TransferLine(sku=one.sku, asked=0))
        line.asked += one.quantity
        line.proposals.append(one.id)
    return [lines[sku] for sku in sorted(lines)]


def _id(kind: str, run: str, *whose: str) -> str:
    """Short enough for an id of a workflow, and the same for the same decision, source and location."""
    return f"{kind}-{run}-{hashlib.sha256(':'.join(whose).encode()).hexdigest()[:10]}"


async def ordered(mongo: Mongo, done: OrderedAs) -> int:
    """Mark proposals as ordered; those that are keep their order."""
    mark = {"state": "ordered", "ordered_as": done.order}
    for begin in range(0, len(done.proposals), _WRITTEN_AT_ONCE):
        part = done.proposals[begin : begin + _WRITTEN_AT_ONCE]
        await mongo.proposals.update_many({"_id": {"$in": part}, "state": _APPROVED}, {"$set": mark})
    return len(done.proposals)
