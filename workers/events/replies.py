"""Takes partners' answers: checks what can be checked at the door, writes the rest to the inbox, asks for the bell."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from pydantic import BaseModel, ValidationError

from contracts.events import REPLY_TYPE, Reply
from contracts.ids import order_of_parcel
from contracts.orders import TERMINAL, URGENT, InboxEvent, ParcelState
from infra.counting import count_refusals
from infra.mongo import Mongo, PyMongoError, insert_new
from infra.outbox import outgoing, rows_of
from workers.events.bell import Bell

log = logging.getLogger(__name__)
REPLIES_MAX = 500


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
class _Answer:
    partner: str
    at: datetime
    reply: Reply


@dataclass(frozen=True, slots=True)
class _Refused:
    partner: str
    reply: str
    parcel: str | None
    code: str
    field: str
    detail: str
    remedy: str


class _Envelope(BaseModel):
    """The outside of a reply event. Its replies are looked at one by one, so that a bad one spoils no other."""

    specversion: str
    id: str
    type: str
    data: dict[str, Any]


def read(message: Received) -> tuple[list[_Answer], list[_Refused]]:
    """The answers in a message, and those that cannot be taken. Raises Unreadable when it is no event."""
    try:
        envelope = _Envelope.model_validate(orjson.loads(message.body))
    except orjson.JSONDecodeError as error:
        raise Unreadable("not_json", f"The message is no JSON: {error}") from error
    except ValidationError as error:
        raise Unreadable("not_an_event", _first(error)) from error
    replies = envelope.data.get("replies")
    if envelope.type != REPLY_TYPE or not isinstance(replies, list) or not 0 < len(replies) <= REPLIES_MAX:
        raise Unreadable("not_an_event", f"Expected type {REPLY_TYPE} with 1 to {REPLIES_MAX} data.replies.")
    answers, refused = [], []
    for number, raw in enumerate(replies):
        try:
            answers.append(_Answer(message.partner, message.at, Reply.model_validate(raw)))
        except ValidationError as error:
            given = raw if isinstance(raw, dict) else {}
            refused.append(
                _Refused(
                    message.partner,
                    f"{message.place}/{number}",
                    _quoted(given.get("parcel"), 100) or None,
                    "invalid_reply",
                    f"data.replies.{number}",
                    f"{_quoted(given.get('id'), 60) or 'A reply without id'}: {_quoted(_first(error), 300)}",
                    "Correct the named field and send the reply again under a new id.",
                )
            )
    return answers, refused


def _quoted(text: object, most: int) -> str:
    """What somebody sent, fit to be sent on: printable, and not longer than `most` characters."""
    return "".join(c if c.isprintable() else "?" for c in str(text or ""))[:most]


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"


class ReplyDesk:
    """Writes answers down. When `take` returns, every answer is in the inbox or refused, and the message may go."""

    def __init__(self, mongo: Mongo, bell: Bell) -> None:
        self._mongo = mongo
        self._bell = bell

    async def take(self, messages: Sequence[Received]) -> list[Unreadable | None]:
        """Take several messages at once; for each either None (taken) or why it cannot be.

        Raises what the database raises: then nothing is lost, and everything is to be taken again. A message that
        fails for another reason fails alone.
        """
        try:
            return await self._take(messages)
        except PyMongoError:
            raise
        except Exception as error:
            log.exception("%d messages could not be taken together", len(messages))
            if len(messages) == 1:
                return [Unreadable("not_taken", f"{type(error).__name__}: {error}")]
        return [outcome for message in messages for outcome in await self.take([message])]

    async def _take(self, messages: Sequence[Received]) -> list[Unreadable | None]:
        outcomes: list[Unreadable | None] = []
        answers: list[_Answer] = []
        refused: list[_Refused] = []
        for message in messages:
            try:
                good, bad = read(message)
            except Unreadable as error:
                # As it was raised it holds this frame, and with it the body, until the next search for cycles.
                outcomes.append(Unreadable(error.reason, error.detail))
                continue
            answers += good
            refused += bad
            outcomes.append(None)
        refused += await self._write_down(answers)
        await self._refuse(refused, [o.reason for o in outcomes if o is not None])
        return outcomes

    async def _write_down(self, answers: list[_Answer]) -> list[_Refused]:
        ids = {order_of_parcel(answer.reply.parcel) for answer in answers}
        wanted = {"batch": 1, "stage": 1, "parcels.id": 1, "parcels.location": 1, "parcels.state": 1}
        found = self._mongo.orders.find({"_id": {"$in": list(ids)}}, wanted)
        orders = {row["_id"]: row for row in await found.to_list(None)}
        rows, doubtful = [], {}
        for answer in answers:
            order = orders.get(order_of_parcel(answer.reply.parcel))
            refusal = _refusal(answer, order)
            if refusal is not None:
                doubtful[_inbox_id(answer)] = refusal
            elif order is not None and order["stage"] not in TERMINAL:
                rows.append(_inbox_row(answer, order))
        await insert_new(self._mongo.inbox, rows)
        await self._learn_sizes({row["batch"] for row in rows if row["batch"]})
        for row in rows:
            if row["batch"]:
                self._bell.ask(row["batch"], urgent=row["kind"] in URGENT)
        return await self._unknown(doubtful)

    async def _learn_sizes(self, batches: set[str]) -> None:
        if unknown := self._bell.unknown(batches):
            found = self._mongo.batches.find({"_id": {"$in": list(unknown)}}, {"size": 1})
            self._bell.learn({row["_id"]: row["size"] async for row in found})

    async def _unknown(self, doubtful: dict[str, _Refused]) -> list[_Refused]:
        """Without answers that were taken when they came first: their order has gone on, and nobody did wrong."""
        taken = self._mongo.inbox.find({"_id": {"$in": list(doubtful)}}, {"_id": 1}) if doubtful else None
        known = {row["_id"] async for row in taken} if taken is not None else set()
        return [refused for answer, refused in doubtful.items() if answer not in known]

    async def _refuse(self, refused: list[_Refused], unreadable: list[str]) -> None:
        now = self._mongo.clock.now()
        await insert_new(self._mongo.outbox, [_told(r, now) for r in refused])
        await count_refusals(self._mongo, "reply", [*(r.code for r in refused), *unreadable])


def _refusal(answer: _Answer, order: dict[str, Any] | None) -> _Refused | None:
    """Why an answer is not taken, as far as the door can see; the rest is for the state machine to say."""
    reply = answer.reply
    parcel = next((p for p in (order or {}).get("parcels", []) if p["id"] == reply.parcel), None)
    told = (answer.partner, reply.id, reply.parcel)
    if order is None or parcel is None or parcel["state"] == ParcelState.HELD:
        return _Refused(
            *told, "unknown_parcel", "parcel", "There is no such parcel.", "Send the parcel id that you were offered."
        )
    if parcel["location"] != answer.partner:
        return _Refused(
            *told,
            "not_your_parcel",
            "parcel",
            "This parcel was offered to another store.",
            "Answer only for parcels on your own stream.",
        )
    if order["stage"] in TERMINAL and reply.kind == "rejected" and parcel["state"] in ("shipped", "delivered"):
        return _Refused(
            *told,
            "already_shipped",
            "kind",
            f"The parcel is already {parcel['state']}.",
            "What has left the store comes back as a return, not as a rejection.",
        )
    if order["stage"] in TERMINAL and reply.kind.startswith("cancellation_"):
        return None
    if order["stage"] in TERMINAL and parcel["state"] not in ("shipped", "delivered"):
        return _Refused(
            *told,
            "order_closed",
            "parcel",
            f"The order is {order['stage']}; this parcel is {parcel['state']}.",
            "Do not ship it; put the goods back on the shelf.",
        )
    if reply.kind == "rejected" and reply.reason is None:
        return _Refused(
            *told, "reason_missing", "reason", "A rejection needs a reason.", "Send reason, such as out_of_stock."
        )
    return None


def _inbox_id(answer: _Answer) -> str:
    return f"reply:{answer.partner}:{answer.reply.parcel}:{answer.reply.kind}:{answer.reply.id}"


def _inbox_row(answer: _Answer, order: dict[str, Any]) -> dict[str, Any]:
    reply = answer.reply
    return InboxEvent.trusted(
        id=_inbox_id(answer),
        order=order["_id"],
        kind=f"reply.{reply.kind}",
        received_at=answer.at,
        by=answer.partner,
        parcel=reply.parcel,
        data=_said(reply),
    ).unread(order["batch"])


def _said(reply: Reply) -> dict[str, Any]:
    """What the answer adds. Names in the database are texts, so lines are too where they name units."""
    said = reply.model_dump(include={"reason", "lines", "tracking"}, exclude_none=True)
    units = {str(line): number for line, number in (reply.quantities or {}).items()}
    return {**said, "quantities": units} if units else said


def _told(refused: _Refused, now: datetime) -> dict[str, Any]:
    """An outbox row that tells the partner; its id makes the same refusal be told once."""
    event_id = f"refused:{refused.partner}:{refused.reply}:{refused.code}"
    kind = "reply.refused.v1"
    data = {
        "parcel": refused.parcel,
        "reply": refused.reply,
        "code": refused.code,
        "field": refused.field,
        "detail": refused.detail,
        "remedy": refused.remedy,
    }
    (row,) = rows_of([outgoing(refused.partner, event_id, kind, refused.parcel or refused.reply, now, data)], now)
    return row
