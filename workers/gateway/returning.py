"""Opens returns and writes down what is said about them; a return's own workflow takes it from there."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from activities.orders.policies import Policies, policy_for
from contracts.orders import ParcelState
from contracts.refusals import Refusal
from contracts.returns import (
    AWAITED,
    Return,
    ReturnEntry,
    ReturnEvent,
    ReturnLine,
    ReturnReceipt,
    ReturnRequest,
    ReturnState,
)
from infra.mongo import DuplicateKeyError, Mongo
from workers.gateway.accept import OrderDocument
from workers.gateway.faults import Fault, refused

_TRIES = 20
ReturnDocument = dict[str, Any]


async def find_return(mongo: Mongo, returned: str) -> ReturnDocument:
    """Raises Refusal 404."""
    found = await mongo.returns.find_one({"_id": returned})
    if found is None:
        remedy = "Check the id; the order's returns are listed under it."
        raise Refusal("unknown_return", f"There is no return {returned}.", remedy=remedy, field="id", status=404)
    return dict(found)


def parcel_of(order: OrderDocument, asked: ReturnRequest) -> dict[str, Any]:
    """The parcel that a return is about. Raises Refusal when nothing of it can come back for this reason."""
    allowed = {
        "lost": (ParcelState.SHIPPED, ParcelState.DELIVERED),
        "refused_at_door": (ParcelState.SHIPPED,),
    }.get(asked.reason, (ParcelState.DELIVERED,))
    parcel: dict[str, Any] | None = next((p for p in order["parcels"] if p["id"] == asked.parcel), None)
    if parcel is None:
        ids = ", ".join(p["id"] for p in order["parcels"]) or "none"
        detail = f"Order {order['_id']} has no parcel {asked.parcel}."
        raise refused([Fault("parcel", "unknown_parcel", detail, f"Name one of its parcels: {ids}.")])
    if parcel["state"] not in allowed:
        raise Refusal(
            "not_returnable",
            f"Parcel {asked.parcel} is {parcel['state']}; for the reason {asked.reason} it must be "
            f"{' or '.join(allowed)}.",
            remedy="Cancel what has not been shipped; wait for what is under way, or report it as lost.",
            field="parcel",
            status=409,
        )
    return parcel


async def open_return(
    mongo: Mongo, policies: Policies, order: OrderDocument, asked: ReturnRequest, by: str, request: str, at: datetime
) -> ReturnDocument:
    """Write a return down, once for a request. Two requests at once take the next number by turns, so that each sees
    the units of the other. Raises Refusal for units that are not there or come back already."""
    policy = policy_for(await policies.in_force(), order["channel"], order["division"])
    for _ in range(_TRIES):
        known = [dict(row) async for row in mongo.returns.find({"order": order["_id"]})]
        # Read after the returns: units that are booked in between are then counted twice, and not left out.
        order = dict(await mongo.orders.find_one({"_id": order["_id"]}) or order)
        parcel = parcel_of(order, asked)
        mine = next((row for row in known if row["request"] == request), None)
        if mine is not None:
            return mine
        number = sum(row["request"] is not None for row in known) + 1
        opened = Return(
            id=f"{order['_id']}.r{number}",
            order=order["_id"],
            parcel=parcel["id"],
            location=parcel["location"],
            lines=_lines(parcel, asked, known),
            reason=asked.reason,
            state=ReturnState.REQUESTED,
            by=by,
            opened_at=at,
            approve_until=_delivered_at(order, parcel["id"]) + timedelta(seconds=policy.return_window_s),
            request=request,
            timeline=[ReturnEntry(at=at, what="return.requested", reason=asked.reason, by=by)],
        )
        row = opened.as_row()
        try:
            await mongo.returns.insert_one(row)
        except DuplicateKeyError:
            continue
        return row
    raise Refusal("busy", "Many returns of this order are being opened.", remedy="Send it again.", status=409)


def _lines(parcel: dict[str, Any], asked: ReturnRequest, known: list[ReturnDocument]) -> list[ReturnLine]:
    held = {item["line"]: item for item in parcel["items"]}
    coming = Counter[int]()
    for row in known:
        if row["parcel"] == parcel["id"] and (row["state"] in AWAITED or _unbooked(row)):
            coming.update({line["line"]: line["quantity"] for line in row["lines"]})
    left = {line: item["quantity"] - item.get("returned", 0) - coming[line] for line, item in held.items()}
    units = dict(asked.quantities or {})
    lines = asked.lines if asked.lines is not None else [] if units else [line for line in held if left[line] > 0]
    faults = []
    for field, named in (("lines", lines), ("quantities", list(units))):
        for line in named:
            wanted = units.get(line, 1)
            if line not in held:
                faults.append(
                    Fault(field, "unknown_line", f"The parcel has no line {line}.", "Name the parcel's lines.")
                )
            elif wanted > left[line]:
                detail = f"Of line {line} {left[line]} units can come back, {wanted} were named."
                remedy = "Name fewer units; others have come back, or are on their way."
                faults.append(Fault(field, "too_many_units", detail, remedy))
    if faults or not (lines or units):
        raise refused(faults or [Fault("parcel", "too_many_units", "All of it comes back already.", "Open no other.")])
    wanted_units = {line: left[line] for line in lines} | units
    return [ReturnLine(line=line, sku=held[line]["sku"], quantity=number) for line, number in wanted_units.items()]


def _unbooked(row: ReturnDocument) -> bool:
    """Received, but not yet marked in the order."""
    return row["state"] == ReturnState.RECEIVED and row["amount"] is None


def _delivered_at(order: OrderDocument, parcel: str) -> datetime:
    delivered: list[datetime] = [
        entry["at"]
        for entry in order["timeline"]
        if entry["what"] == "parcel.delivered" and entry.get("parcel") == parcel
    ]
    return max(delivered, default=order["placed_at"])


def check_receipt(returned: ReturnDocument, receipt: ReturnReceipt) -> None:
    """Raises Refusal unless every line is accounted for, to the unit."""
    awaited = {line["line"]: line["quantity"] for line in returned["lines"]}
    faults = []
    for place, row in enumerate(receipt.lines):
        found = row.sellable + row.damaged + row.missing
        if row.line not in awaited:
            remedy = f"Name the lines {', '.join(map(str, awaited))}."
            faults.append(Fault(f"lines.{place}.line", "unknown_line", "This line was not to come back.", remedy))
        elif found != awaited[row.line]:
            detail = f"{found} units are accounted for, {awaited[row.line]} were to come back."
            faults.append(
                Fault(f"lines.{place}", "wrong_sum", detail, "Let sellable, damaged and missing add up to it.")
            )
    left_out = awaited.keys() - {row.line for row in receipt.lines}
    if left_out or len({row.line for row in receipt.lines}) != len(receipt.lines):
        detail = f"Not exactly one row for each line; without one: {sorted(left_out)}."
        faults.append(Fault("lines", "missing", detail, "Send one row for each line that was to come back."))
    if faults:
        raise refused(faults)


def refuse_unless(returned: ReturnDocument, kind: str, *states: ReturnState) -> None:
    """Raises Refusal when the return is past the states in which this can be said."""
    if returned["state"] not in states:
        raise Refusal(
            "return_moved_on",
            f"Return {returned['_id']} is {returned['state']}; it cannot be {kind} any more.",
            remedy="See the return; nothing was changed.",
            status=409,
        )


def refuse_unapproved(returned: ReturnDocument) -> None:
    """Raises Refusal for a return that waits for a person; what is within the policy's time needs none."""
    until = returned["approve_until"]
    approved = until is not None and returned["opened_at"] <= until
    approved |= any(event["kind"] == "approved" for event in returned["unread"])
    if returned["state"] == ReturnState.REQUESTED and not approved:
        raise Refusal(
            "not_approved",
            f"Return {returned['_id']} was asked for too late, and nobody has approved it yet.",
            remedy="Let it be approved first.",
            status=409,
        )


async def tell_return(mongo: Mongo, returned: str, event: ReturnEvent) -> None:
    """Leave an event with the return, once for its id. The version grows, so that no step overlooks it."""
    row = {**event.model_dump(exclude_none=True)}
    unseen = {"_id": returned, "unread.id": {"$ne": event.id}}
    await mongo.returns.update_one(unseen, {"$push": {"unread": row}, "$inc": {"version": 1}})
