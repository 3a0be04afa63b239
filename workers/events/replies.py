"""Takes partners' answers: checks what can be checked at the door, writes the rest to the inbox, asks for the bell.

Stock reports are booked at once, as counts that come over HTTP are.
"""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from activities.stock.desk import Report, StockDesk
from contracts.cases import CaseEvent
from contracts.events import Reply
from contracts.ids import order_of_parcel
from contracts.orders import TERMINAL, URGENT, InboxEvent, ParcelState
from contracts.refusals import Refusal
from infra.cases import Cases
from infra.counting import count_refusals
from infra.mongo import Mongo, PyMongoError, insert_new
from infra.outbox import outgoing, rows_of
from workers.events.bell import Bell
from workers.reply_forms import CaseAnswer, Counted, GivenAnswer, Received, Refused, Unreadable, read

log = logging.getLogger(__name__)


class ReplyDesk:
    """Writes answers down. When `take` returns, every answer is in the inbox or refused, and the message may go."""

    def __init__(self, mongo: Mongo, bell: Bell, cases: Cases) -> None:
        self._mongo = mongo
        self._bell = bell
        self._stock = StockDesk(mongo)
        self._cases = cases

    async def take(self, messages: Sequence[Received]) -> list[Unreadable | None]:
        """Take several messages at once; for each either None (taken) or why it cannot be.

        Raises what the database raises, and Refusal 503 while the stock cannot be booked: then nothing is lost, and
        everything is to be taken again. A message that fails for another reason fails alone.
        """
        try:
            return await self._take(messages)
        except (PyMongoError, Refusal):
            raise
        except Exception as error:
            log.exception("%d messages could not be taken together", len(messages))
            if len(messages) == 1:
                return [Unreadable("not_taken", f"{type(error).__name__}: {error}")]
        return [outcome for message in messages for outcome in await self.take([message])]

    async def _take(self, messages: Sequence[Received]) -> list[Unreadable | None]:
        outcomes: list[Unreadable | None] = []
        answers: list[GivenAnswer] = []
        reports: list[Counted] = []
        said_of_cases: list[CaseAnswer] = []
        refused: list[Refused] = []
        for message in messages:
            try:
                said = read(message)
            except Unreadable as error:
                # As it was raised it holds this frame, and with it the body, until the next search for cycles.
                outcomes.append(Unreadable(error.reason, error.detail))
                continue
            answers += said.answers
            reports += said.reports
            said_of_cases += said.cases
            refused += said.refused
            outcomes.append(None)
        refused += await self._write_down(answers)
        for report in reports:
            refused += await self._book(report)
        refused += await self._of_cases(said_of_cases)
        await self._refuse(refused, [o.reason for o in outcomes if o is not None])
        return outcomes

    async def _of_cases(self, answers: list[CaseAnswer]) -> list[Refused]:
        """Written down for cases that the partner was told of. Whoever rings for cases finds them."""
        ids = sorted({answer.reply.case for answer in answers})
        wanted = {"_id": {"$in": ids}} if ids else {"_id": None}
        rows = self._mongo.cases.find(wanted, {"partners_told": 1, "state": 1})
        known = {row["_id"]: row async for row in rows}
        events, refused = [], []
        for answer in answers:
            row = known.get(answer.reply.case)
            if row is None or answer.partner not in row["partners_told"]:
                refused.append(answer.refused(_UNKNOWN_CASE))
                continue
            event = CaseEvent(
                id=answer.id,
                case=answer.reply.case,
                at=answer.at,
                by=answer.partner,
                what="partner_says",
                text=answer.reply.text,
            )
            events.append(event)
        await self._cases.write_events(events)
        return refused

    async def _book(self, counted: Counted) -> list[Refused]:
        """One transaction for each report. Only what the retailer sells can be counted by partners."""
        if not await self._mongo.locations.find_one({"_id": counted.partner}, {"_id": 1}):
            nowhere = Refusal(
                "unknown_location",
                f"{counted.partner} is no location.",
                remedy="Report stock on the stream of the location where it lies.",
            )
            return [counted.refused(index, nowhere) for index in counted.items]
        skus = sorted({item.sku for item in counted.items.values()})
        known = {row["_id"] async for row in self._mongo.skus.find({"_id": {"$in": skus}}, {"_id": 1})}
        items = {index: item for index, item in counted.items.items() if item.sku in known}
        report = Report(counted.id, counted.partner, counted.at)
        booked = await self._stock.book(items, counted.id, report)
        for batch in booked.batches:
            self._bell.ask(batch, urgent=True)
        unknown = {
            index: Refusal(
                "unknown_sku",
                f"There is no SKU {item.sku}.",
                remedy="Send the SKU as the retailer has it; what is new to it cannot be counted yet.",
                field="sku",
            )
            for index, item in counted.items.items()
            if index not in items
        }
        return [counted.refused(index, refusal) for index, refusal in (unknown | booked.taking.refused).items()]

    async def _write_down(self, answers: list[GivenAnswer]) -> list[Refused]:
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

    async def _unknown(self, doubtful: dict[str, Refused]) -> list[Refused]:
        """Without answers that were taken when they came first: their order has gone on, and nobody did wrong."""
        taken = self._mongo.inbox.find({"_id": {"$in": list(doubtful)}}, {"_id": 1}) if doubtful else None
        known = {row["_id"] async for row in taken} if taken is not None else set()
        return [refused for answer, refused in doubtful.items() if answer not in known]

    async def _refuse(self, refused: list[Refused], unreadable: list[str]) -> None:
        now = self._mongo.clock.now()
        await insert_new(self._mongo.outbox, [_told(r, now) for r in refused])
        await count_refusals(self._mongo, "reply", [*(r.code for r in refused), *unreadable])


_UNKNOWN_CASE = Refusal(
    "unknown_case",
    "There is no such case, or it does not concern you.",
    remedy="Send the id of a case that you were told of with case.opened.v1.",
)


def _refusal(answer: GivenAnswer, order: dict[str, Any] | None) -> Refused | None:
    """Why an answer is not taken, as far as the door can see; the rest is for the state machine to say."""
    reply = answer.reply
    parcel = next((p for p in (order or {}).get("parcels", []) if p["id"] == reply.parcel), None)
    told = (answer.partner, reply.id, reply.parcel)
    if order is None or parcel is None or parcel["state"] == ParcelState.HELD:
        return Refused(
            *told, "unknown_parcel", "parcel", "There is no such parcel.", "Send the parcel id that you were offered."
        )
    if parcel["location"] != answer.partner:
        return Refused(
            *told,
            "not_your_parcel",
            "parcel",
            "This parcel was offered to another store.",
            "Answer only for parcels on your own stream.",
        )
    if order["stage"] in TERMINAL and reply.kind == "rejected" and parcel["state"] in ("shipped", "delivered"):
        return Refused(
            *told,
            "already_shipped",
            "kind",
            f"The parcel is already {parcel['state']}.",
            "What has left the store comes back as a return, not as a rejection.",
        )
    if order["stage"] in TERMINAL and reply.kind.startswith("cancellation_"):
        return None
    if order["stage"] in TERMINAL and parcel["state"] not in ("shipped", "delivered"):
        return Refused(
            *told,
            "order_closed",
            "parcel",
            f"The order is {order['stage']}; this parcel is {parcel['state']}.",
            "Do not ship it; put the goods back on the shelf.",
        )
    if reply.kind == "rejected" and reply.reason is None:
        return Refused(
            *told, "reason_missing", "reason", "A rejection needs a reason.", "Send reason, such as out_of_stock."
        )
    return None


def _inbox_id(answer: GivenAnswer) -> str:
    return f"reply:{answer.partner}:{answer.reply.parcel}:{answer.reply.kind}:{answer.reply.id}"


def _inbox_row(answer: GivenAnswer, order: dict[str, Any]) -> dict[str, Any]:
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


def _told(refused: Refused, now: datetime) -> dict[str, Any]:
    """An outbox row that tells the partner; its id makes the same refusal be told once."""
    event_id = f"refused:{refused.partner}:{refused.reply}:{refused.code}"
    kind = "reply.refused.v1"
    data = {
        "parcel": refused.parcel or "",
        "reply": refused.reply,
        "code": refused.code,
        "field": refused.field,
        "detail": refused.detail,
        "remedy": refused.remedy,
    }
    (row,) = rows_of([outgoing(refused.partner, event_id, kind, refused.parcel or refused.reply, now, data)], now)
    return row
