"""How a case begins: what is asked becomes a record, unless a live case is about the same matter, which takes it in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from activities.service.firstlevel import known_as
from activities.service.office import promise_for
from contracts.cases import (
    FOUND_BY_SYSTEM,
    PRIORITY_OF,
    CaseEvent,
    CaseKind,
    CaseRecord,
    CustomerOf,
    Found,
    Opening,
    Say,
)
from contracts.refusals import Refusal
from infra.cases import Cases
from infra.mongo import DuplicateKeyError, Mongo, Session
from infra.service_book import read_book

_COMPLAINTS: tuple[CaseKind, ...] = ("complaint", "repeat_complaint")


@dataclass(frozen=True, slots=True)
class Opened:
    """`case`: the new one, or the live one that was about the same matter and takes it in (`merged`)."""

    case: str
    merged: bool


def same_matter(order: str | None, customer: str | None, kind: CaseKind) -> str | None:
    """What two cases of the same matter have in common; null: there is nothing to tell it by. Pure."""
    if order is not None:
        return f"order:{order}"
    return f"customer:{customer}:{kind}" if customer is not None else None


def record_of(case: str, asked: Opening, by: str, at: datetime, order: dict[str, Any] | None) -> CaseRecord:
    """Pure. `order`: the order's document, where one is named."""
    kind: CaseKind = asked.kind or "other"
    parcels = [one for one in (order or {}).get("parcels", []) if one["state"] not in _GIVEN_UP]
    customer = asked.customer or (order or {}).get("customer")
    straight = asked.person or kind in FOUND_BY_SYSTEM or kind == "talk_to_human" or asked.text is None
    return CaseRecord(
        id=case,
        kind=kind,
        region=asked.region or (order or {}).get("division") or "",
        language=asked.language,
        dialect=asked.dialect,
        channel=asked.channel,
        customer=CustomerOf(
            reference=customer,
            name=asked.name,
            phone=asked.phone,
            tier=asked.tier,
            inferred=asked.customer is None and customer is not None,
        ),
        order=asked.order,
        partner=parcels[-1]["location"] if parcels else None,
        parcel=parcels[-1]["id"] if len(parcels) == 1 else None,
        product=asked.product,
        priority=asked.priority or PRIORITY_OF.get(kind, "normal"),
        state="open" if straight else "bot",
        same=same_matter(asked.order, customer, kind),
        opened_at=at,
        opened_by=by,
        due=at,
    )


_GIVEN_UP = frozenset({"rejected", "expired", "withdrawn"})


async def open_case(cases: Cases, case: str, asked: Opening, by: str, at: datetime) -> Opened:
    """Once for an id. Raises Refusal for an order that is not there, or is another customer's. Its workflow is started
    afterwards; should that fail, whoever looks after overdue cases does it."""
    order = await _order(cases.mongo, asked.order)
    _refuse_anothers(asked, order)
    record = await _repeated(cases.mongo, record_of(case, asked, by, at, order))
    words = [] if asked.text is None else [_said(case, asked, by, at)]
    return await _opened(cases, record, words)


async def found_by_system(
    cases: Cases, case: str, found: Found, order: str, at: datetime, *, parcel: str | None, partner: str | None
) -> Opened | None:
    """Once for a cause. None: nothing is known of the order, or the cause was taken in before."""
    mongo = cases.mongo
    if await mongo.cases.find_one({"causes": found.cause}, {"_id": 1}) is not None:
        return None
    row = await _order(mongo, order, missing_ok=True)
    if row is None:
        return None
    asked = Opening(kind=found.kind, order=order, priority=found.priority, channel="tongqu")
    record = record_of(case, asked, "tongqu", at, row)
    more = {"causes": [found.cause], "parcel": parcel or record.parcel, "partner": partner or record.partner}
    told = CaseEvent(
        id=f"found:{found.cause}", case=case, at=at, by="tongqu", what="found", data=found.model_dump(mode="json")
    )
    return await _opened(cases, record.model_copy(update=more), [told])


async def _opened(cases: Cases, record: CaseRecord, events: Sequence[CaseEvent]) -> Opened:
    """In one transaction, with what is said with it. Who loses a race finds the case that has won it."""

    async def work(session: Session) -> Opened:
        if await cases.mongo.cases.find_one({"_id": record.id}, {"_id": 1}, session=session) is not None:
            return Opened(record.id, merged=False)
        live = await _live(cases.mongo, record.same, session)
        if live is None:
            await cases.insert(record, session)
        case = live or record.id
        taken = [one.model_copy(update={"case": case}) for one in events]
        ids = [one.id for one in taken]
        known = {row["_id"] async for row in cases.mongo.case_inbox.find({"_id": {"$in": ids}}, session=session)}
        await cases.write_events([one for one in taken if one.id not in known], session)
        return Opened(case, merged=live is not None)

    while True:
        try:
            return await cases.mongo.transaction(work)
        except DuplicateKeyError:
            if await _live(cases.mongo, record.same, None) is None:
                raise


async def _live(mongo: Mongo, same: str | None, session: Session | None) -> str | None:
    if same is None:
        return None
    row = await mongo.cases.find_one({"same": same}, {"_id": 1}, session=session)
    return str(row["_id"]) if row else None


async def _order(mongo: Mongo, order: str | None, *, missing_ok: bool = False) -> dict[str, Any] | None:
    if order is None:
        return None
    row = await mongo.orders.find_one(
        {"_id": order}, {"division": 1, "customer": 1, "parcels.id": 1, "parcels.location": 1, "parcels.state": 1}
    )
    if row is None and not missing_ok:
        raise _unknown(order)
    return row


def _refuse_anothers(asked: Opening, order: dict[str, Any] | None) -> None:
    """A customer may type any number: another's order cannot be told from one that is not there."""
    whose = (order or {}).get("customer")
    if asked.order is not None and None not in (asked.customer, whose) and asked.customer != whose:
        raise _unknown(asked.order)


def _unknown(order: str) -> Refusal:
    return Refusal("unknown_order", f"There is no order {order}.", remedy="Check the id.", field="order")


async def _repeated(mongo: Mongo, record: CaseRecord) -> CaseRecord:
    """A complaint of a customer who complained not long ago is another matter than the first one was. What the bot has
    first may turn out to be one."""
    reference = record.customer.reference
    if reference is None or (record.kind != "complaint" and record.state != "bot"):
        return record
    before = await mongo.cases.find_one(
        {"customer.reference": reference, "kind": {"$in": list(_COMPLAINTS)}, "_id": {"$ne": record.id}},
        {"opened_at": 1},
        sort=[("opened_at", -1)],
    )
    if before is None:
        return record
    within_s = promise_for(await read_book(mongo), record).policy.limits.repeat_within_s
    if before["opened_at"] < record.opened_at - timedelta(seconds=within_s):
        return record
    known = record.model_copy(update={"complained": before["_id"]})
    return known_as(known, "complaint", state="open") if record.kind == "complaint" else known


def _said(case: str, asked: Opening, by: str, at: datetime) -> CaseEvent:
    words = Say(text=asked.text or "", language=asked.language)
    return CaseEvent(
        id=f"opening:{case}",
        case=case,
        at=at,
        by=by,
        what="say",
        data=words.model_dump(exclude={"text"}),
        text=words.text,
    )
