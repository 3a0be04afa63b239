"""People decide on proposals, in bulk; what was approved under one decision is then ordered together, once."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from activities.supply.reading import find_region, read_all_versions
from activities.supply.transfers import leaves_at
from contracts.base import milliseconds
from contracts.buying import LINES_MAX
from contracts.money import AMOUNT_MAX
from contracts.refusals import Refusal
from contracts.replenishing import Changed, Group, OrderedAs, Orders, Region, Where
from contracts.supply import OrderAsked, OrderLine, Proposal
from contracts.transfers import OpenTransfer, TransferLine
from infra.mongo import Mongo, UpdateOne

Decision = Literal["approved", "rejected", "changed"]
_APPROVED = {"$in": ["approved", "changed"]}
_WRITTEN_AT_ONCE = 1_000
_LINES_AT_ONCE = 2_000
"""Of all orders in one answer: Temporal carries two million bytes at once, and a line may have five hundred."""
_ORDERS_AT_ONCE = 400


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
    """What of a decision is not ordered yet, as orders, as many as one answer carries; `left` are to come. The same
    decision makes the same ids, also when a part of it is ordered already."""
    parts = await _parts(mongo, asked.decision)
    some = list(_carried(parts))
    if not some:
        return Orders()
    ids = [one for part in some for one in part.open]
    proposals = {row["_id"]: Proposal.from_row(row) async for row in mongo.proposals.find({"_id": {"$in": ids}})}
    first = proposals[ids[0]]
    region = await find_region(mongo, first.region)
    if region is None:
        raise LookupError(f"there is no region {first.region}")
    policies = await read_all_versions(mongo)
    limits = {key: policy.limits for key, policy in policies.items()}
    found = Orders(left=len(parts) - len(some))
    for part in some:
        own = [proposals[one] for one in part.open]
        if part.kind == "purchase":
            why = max(own, key=lambda one: (one.value, one.id)).explanation
            found.purchases.append(_purchase(asked.decision, part, own, limits[why.policy, why.policy_version]))
        else:
            found.transfers.append(_transfer(asked, part, own, region))
    return found


class _Part(NamedTuple):
    """Proposals that become one order, or one transfer. `number`: which of those between the same two."""

    kind: str
    source: str
    location: str
    currency: str
    number: int
    open: list[str]
    """Those that are no order yet."""


async def _parts(mongo: Mongo, decision: str) -> list[_Part]:
    """Of all that was decided, also of what is ordered: so a part keeps its number while others become orders."""
    query = {"decision": decision, "state": {"$in": ["approved", "changed", "ordered"]}}
    kept = {"kind": 1, "source": 1, "location": 1, "currency": 1, "state": 1}
    together: dict[tuple[str, str, str, str], list[tuple[str, bool]]] = {}
    async for row in mongo.proposals.find(query, kept).sort("_id", 1):
        key = (row["kind"], row["source"], row["location"], row["currency"])
        together.setdefault(key, []).append((row["_id"], row["state"] != "ordered"))
    cut = (
        _Part(*key, number, [one for one, is_open in rows[begin : begin + LINES_MAX] if is_open])
        for key, rows in sorted(together.items())
        for number, begin in enumerate(range(0, len(rows), LINES_MAX))
    )
    return [part for part in cut if part.open]


def _carried(parts: Sequence[_Part]) -> Iterator[_Part]:
    """As many of the first as one answer carries; at least one."""
    lines = 0
    for place, part in enumerate(parts):
        lines += len(part.open)
        if place and (lines > _LINES_AT_ONCE or place >= _ORDERS_AT_ONCE):
            return
        yield part


def _transfer(asked: Group, part: _Part, own: Sequence[Proposal], region: Region) -> OpenTransfer:
    first = own[0]
    approved_at = first.decided_at or asked.now
    ship_by = leaves_at(region, approved_at)
    latest = max(one.due for one in own)
    arrive_by = datetime.combine(latest + timedelta(days=1), time.min, ZoneInfo(region.time_zone))
    return OpenTransfer(
        id=_id("st", first.run, asked.decision, part.source, part.location, number=part.number),
        run=first.run,
        source=part.source,
        destination=part.location,
        lines=_lines(own),
        by=first.decided_by or "",
        approved_at=approved_at,
        ship_by=ship_by,
        arrive_by=max(arrive_by, ship_by),
    )


def _purchase(decision: str, part: _Part, own: Sequence[Proposal], limits: list[Any]) -> OrderAsked:
    first = own[0]
    assert first.decided_at is not None
    return OrderAsked(
        id=_id("po", first.run, decision, part.source, part.location, part.currency, number=part.number),
        run=first.run,
        supplier=first.source,
        location=first.location,
        currency=first.currency,
        lines=[
            OrderLine(proposal=one.id, sku=one.sku, quantity=one.quantity, price=one.price, due=one.due) for one in own
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


def _id(kind: str, run: str, *whose: str, number: int) -> str:
    """Short enough for an id of a workflow, and the same for the same part of a decision."""
    beyond = f"-{number + 1}" if number else ""
    return f"{kind}-{run}-{hashlib.sha256(':'.join(whose).encode()).hexdigest()[:10]}{beyond}"


async def ordered(mongo: Mongo, done: OrderedAs) -> int:
    """Mark proposals as ordered; those that are keep their order."""
    mark = {"state": "ordered", "ordered_as": done.order}
    for begin in range(0, len(done.proposals), _WRITTEN_AT_ONCE):
        part = done.proposals[begin : begin + _WRITTEN_AT_ONCE]
        await mongo.proposals.update_many({"_id": {"$in": part}, "state": _APPROVED}, {"$set": mark})
    return len(done.proposals)
