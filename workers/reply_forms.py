"""The form of what partners send, looked at in one way whether it came over NATS or over HTTP. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from pydantic import BaseModel, ValidationError

from contracts.buying_replies import PURCHASE_REPLY_TYPE, SUPPLY_TYPE, PurchaseReply, SupplyItem, refuse_without_reason
from contracts.case_events import CASE_REPLY_TYPE, CaseReply
from contracts.events import REPLY_TYPE, STOCK_TYPE, Reply, StockCount, StockEvent
from contracts.refusals import Refusal
from contracts.stock import StockUpsert

REPLIES_MAX = 500
_LISTS = {
    REPLY_TYPE: "replies",
    STOCK_TYPE: "counts",
    CASE_REPLY_TYPE: "replies",
    PURCHASE_REPLY_TYPE: "replies",
    SUPPLY_TYPE: "items",
}


class Unreadable(Exception):
    """A message that is no event at all; it goes to the dead letters, because no one can be told."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Received:
    """One message from a partner's subject. `at` is when the stream took it, which is what deadlines look at."""

    partner: str
    sequence: int
    at: datetime
    body: bytes

    @property
    def place(self) -> str:
        """A name for it. A stream that was set back gives the same sequence again, at another time."""
        return f"{self.sequence}@{self.at:%Y%m%dT%H%M%S.%f}"


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    partner: str
    at: datetime
    reply: Reply


@dataclass(frozen=True, slots=True)
class CaseAnswer:
    """What a partner says about a case."""

    partner: str
    at: datetime
    reply: CaseReply

    @property
    def id(self) -> str:
        return f"reply:{self.partner}:{self.reply.case}:{self.reply.id}"

    def refused(self, refusal: Refusal) -> "Refused":
        return Refused(self.partner, self.reply.id, None, refusal.code, "case", refusal.detail, refusal.remedy)


@dataclass(frozen=True, slots=True)
class Refused:
    """`field` is a JSON path in the event."""

    partner: str
    reply: str
    parcel: str | None
    code: str
    field: str
    detail: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Counted:
    """A stock report: counts at the partner's location, by their place in the event. `id` is good for ever."""

    partner: str
    at: datetime
    event: str
    items: Mapping[int, StockUpsert]

    @property
    def id(self) -> str:
        return f"{self.partner}:{self.event}"

    def refused(self, index: int, refusal: Refusal) -> Refused:
        path = f"data.counts.{index}" + (f".{refusal.field}" if refusal.field else "")
        told = (refusal.code, path, refusal.detail, refusal.remedy)
        return Refused(self.partner, f"{self.event}/{index}", None, *told)


@dataclass(frozen=True, slots=True)
class GivenPurchaseReply:
    """What a supplier says about a purchase order."""

    partner: str
    at: datetime
    reply: PurchaseReply


@dataclass(frozen=True, slots=True)
class GivenSupply:
    """What a supplier can do about SKUs, by their place in the event."""

    partner: str
    at: datetime
    event: str
    items: Mapping[int, SupplyItem]

    def refused(self, index: int, code: str, detail: str, remedy: str) -> Refused:
        path = f"data.items.{index}"
        return Refused(self.partner, f"{self.event}/{index}", None, code, path, detail, remedy)


@dataclass(slots=True)
class Said:
    """What one message holds; what is `refused` cannot be taken, and spoils nothing else."""

    answers: list[GivenAnswer] = field(default_factory=list)
    reports: list[Counted] = field(default_factory=list)
    purchases: list[GivenPurchaseReply] = field(default_factory=list)
    supplies: list[GivenSupply] = field(default_factory=list)
    cases: list[CaseAnswer] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


class _Envelope(BaseModel):
    """The outside of a reply event. Its replies are looked at one by one, so that a bad one spoils no other."""

    specversion: str
    id: str
    type: str
    data: dict[str, Any]


def read(message: Received) -> Said:
    """Raises Unreadable when the message is no event."""
    try:
        envelope = _Envelope.model_validate(orjson.loads(message.body))
    except orjson.JSONDecodeError as error:
        raise Unreadable("not_json", f"The message is no JSON: {error}") from error
    except ValidationError as error:
        raise Unreadable("not_an_event", _first(error)) from error
    name = _LISTS.get(envelope.type)
    items = envelope.data.get(name) if name else None
    if not isinstance(items, list) or not 0 < len(items) <= REPLIES_MAX:
        known = " or ".join(f"{kind} with 1 to {REPLIES_MAX} data.{items}" for kind, items in _LISTS.items())
        raise Unreadable("not_an_event", f"Expected type {known}.")
    if envelope.type == PURCHASE_REPLY_TYPE:
        return _about_purchases(message, items)
    if envelope.type == SUPPLY_TYPE:
        return _supply(message, envelope, items)
    if envelope.type == STOCK_TYPE:
        return _report(message, envelope, items)
    return _answers(message, items) if envelope.type == REPLY_TYPE else _of_cases(message, items)


def _answers(message: Received, replies: list[Any]) -> Said:
    said = Said()
    for number, raw in enumerate(replies):
        try:
            said.answers.append(GivenAnswer(message.partner, message.at, Reply.model_validate(raw)))
        except ValidationError as error:
            given = raw if isinstance(raw, dict) else {}
            refused = Refused(
                message.partner,
                f"{message.place}/{number}",
                _quoted(given.get("parcel"), 100) or None,
                "invalid_reply",
                f"data.replies.{number}",
                f"{_quoted(given.get('id'), 60) or 'A reply without id'}: {_quoted(_first(error), 300)}",
                "Correct the named field and send the reply again under a new id.",
            )
            said.refused.append(refused)
    return said


def _about_purchases(message: Received, replies: list[Any]) -> Said:
    said = Said()
    for number, raw in enumerate(replies):
        try:
            reply = PurchaseReply.model_validate(raw)
            refuse_without_reason(reply)
            said.purchases.append(GivenPurchaseReply(message.partner, message.at, reply))
        except Refusal as refusal:
            path = f"data.replies.{number}.{refusal.field}"
            told = (refusal.code, path, refusal.detail, refusal.remedy)
            said.refused.append(Refused(message.partner, reply.id, None, *told))
        except ValidationError as error:
            name = _quoted(raw.get("id") if isinstance(raw, dict) else None, 60) or f"{message.place}/{number}"
            detail = _quoted(_first(error), 300)
            remedy = "Correct the named field and send the reply again under a new id."
            path = f"data.replies.{number}"
            said.refused.append(Refused(message.partner, name, None, "invalid_reply", path, detail, remedy))
    return said


def _supply(message: Received, envelope: _Envelope, raw_items: list[Any]) -> Said:
    items: dict[int, SupplyItem] = {}
    given = GivenSupply(message.partner, message.at, _quoted(envelope.id, 200), items)
    said = Said(supplies=[given])
    named: set[str] = set()
    for index, raw in enumerate(raw_items):
        try:
            item = SupplyItem.model_validate(raw)
        except ValidationError as error:
            remedy = "Correct the named field and send the item again in a new report."
            said.refused.append(given.refused(index, "invalid_item", _quoted(_first(error), 300), remedy))
            continue
        if item.sku in named:
            detail = f"{item.sku} comes twice in this report."
            said.refused.append(given.refused(index, "listed_twice", detail, "Send one item for each SKU."))
            continue
        named.add(item.sku)
        items[index] = item
    return said


def _of_cases(message: Received, replies: list[Any]) -> Said:
    said = Said()
    for number, raw in enumerate(replies):
        try:
            said.cases.append(CaseAnswer(message.partner, message.at, CaseReply.model_validate(raw)))
        except ValidationError as error:
            given = raw if isinstance(raw, dict) else {}
            refused = Refused(
                message.partner,
                f"{message.place}/{number}",
                None,
                "invalid_reply",
                f"data.replies.{number}",
                f"{_quoted(given.get('id'), 60) or 'A reply without id'}: {_quoted(_first(error), 300)}",
                "Correct the named field and send the reply again under a new id.",
            )
            said.refused.append(refused)
    return said


def _report(message: Received, envelope: _Envelope, counts: list[Any]) -> Said:
    """A report is good for ever by its id, so the id must be one."""
    outside = {"specversion": envelope.specversion, "id": envelope.id, "source": "", "type": envelope.type}
    try:
        StockEvent.model_validate({**outside, "data": {"counts": [{"sku": "any", "on_hand": 0}]}})
    except ValidationError as error:
        raise Unreadable("not_an_event", _first(error)) from error
    items: dict[int, StockUpsert] = {}
    counted = Counted(message.partner, message.at, envelope.id, items)
    said = Said(reports=[counted])
    named: set[str] = set()
    for index, raw in enumerate(counts):
        try:
            items[index] = _count(message.partner, raw, named)
        except Refusal as refusal:
            said.refused.append(counted.refused(index, refusal))
    return said


def _count(location: str, raw: Any, named: set[str]) -> StockUpsert:
    """Raises Refusal."""
    try:
        count = StockCount.model_validate(raw)
    except ValidationError as error:
        remedy = "Correct the named field and send the count again in a new report."
        raise Refusal("invalid_count", _quoted(_first(error), 300), remedy=remedy) from error
    if count.sku in named:
        detail = f"{count.sku} is counted twice in this report."
        raise Refusal("listed_twice", detail, remedy="Send one count for each SKU.", field="sku")
    named.add(count.sku)
    return StockUpsert(location=location, sku=count.sku, quantity=count.on_hand)


def _quoted(text: object, most: int) -> str:
    """What somebody sent, fit to be sent on: printable, and not longer than `most` characters."""
    return "".join(c if c.isprintable() else "?" for c in str(text or ""))[:most]


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
