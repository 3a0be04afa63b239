"""A partner's answers over HTTP: looked at here, and then the same way as those that come over NATS."""

from datetime import datetime
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from nats.errors import Error as NatsError
from nats.js.errors import APIError
from pydantic import BaseModel, TypeAdapter

from contracts.buying_replies import PURCHASE_REPLY_TYPE, SUPPLY_TYPE, PurchaseReplyEvent, SupplyEvent
from contracts.case_events import CASE_REPLY_TYPE, CaseReplyEvent
from contracts.events import REPLY_TYPE, STOCK_TYPE, ReplyEvent, StockEvent
from contracts.refusals import Refusal
from contracts.subjects import reply_subject
from infra.hearing import BusSilent
from infra.keys import Scope
from infra.nats import publish
from infra.streams import MESSAGE_MAX, STREAM_FULL
from workers.buying_catalogue import PURCHASES_ANSWERED, SUPPLY_REPORTED
from workers.case_catalogue import CASE_ANSWERED
from workers.catalogue import ANSWERED, COUNTED
from workers.gateway.answers import JSON, Answer, answer
from workers.gateway.bodies import PartnerEvent
from workers.gateway.body import parse
from workers.gateway.carried import carried_out
from workers.gateway.faults import Fault, refused
from workers.gateway.openapi import answers_with, operation
from workers.gateway.partner.access import Partners, Stream
from workers.gateway.services import Gateway
from workers.reply_forms import Received, Unreadable, read

router = APIRouter(tags=["partner"])
CLOUD_EVENT = "application/cloudevents+json"
_EVENTS: dict[str, TypeAdapter[Any]] = {
    REPLY_TYPE: TypeAdapter(ReplyEvent),
    STOCK_TYPE: TypeAdapter(StockEvent),
    PURCHASE_REPLY_TYPE: TypeAdapter(PurchaseReplyEvent),
    SUPPLY_TYPE: TypeAdapter(SupplyEvent),
    CASE_REPLY_TYPE: TypeAdapter(CaseReplyEvent),
}
_BODY_BYTES = MESSAGE_MAX * 9 // 10
"""Headers go with it."""


class Taken(BaseModel):
    """The event is on the bus under its `id`. An answer that cannot be carried out comes back as `reply.refused.v1`."""

    stream: str
    id: str


@router.post(
    "/v1/partner/replies",
    **operation(
        "Answer, or report stock",
        {202: answers_with(Taken, "On its way, under its id.")},
        scope=Scope.PARTNER,
        body=PartnerEvent,
        examples={
            "answers": ANSWERED.model_dump(mode="json", exclude_none=True),
            "a stock report": COUNTED.model_dump(mode="json", exclude_none=True),
            "a supplier's answers": PURCHASES_ANSWERED.model_dump(mode="json", exclude_none=True),
            "a supplier's report": SUPPLY_REPORTED.model_dump(mode="json", exclude_none=True),
            "about a case": CASE_ANSWERED.model_dump(mode="json", exclude_none=True),
        },
        problems=[429],
    ),
)
async def take_reply(request: Request, caller: Partners, stream: Stream) -> Response:
    """The CloudEvent that is sent over NATS: `parcel.replies.v1`, `stock.counted.v1`, `case.replies.v1`; of suppliers
    `purchase.replies.v1` and `supply.reported.v1`; also as `application/cloudevents+json`. Its form is looked at here:
    all of it or nothing is taken. Send it again under its id until you have an answer: each reply and each report
    counts once by its own id."""

    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        event = checked(stream, body, gateway.mongo.clock.now())
        try:
            await publish(gateway.js, reply_subject(stream), orjson.dumps(body), event)
        except (NatsError, TimeoutError) as error:
            if isinstance(error, APIError) and error.err_code == STREAM_FULL:
                raise _too_many(stream) from error
            raise BusSilent(f"a reply was not taken: {type(error).__name__}") from error
        return answer({"stream": stream, "id": event}, 202)

    return await carried_out(request, caller, work, bytes_max=_BODY_BYTES, kinds=(JSON, CLOUD_EVENT))


def _too_many(stream: str) -> Refusal:
    detail = f"Too many replies of {stream} wait to be taken."
    remedy = "Send it again under its id after the seconds that Retry-After names; put several replies into one event."
    return Refusal("replies_waiting", detail, field="stream", remedy=remedy, status=429, retry_after=5)


def checked(stream: str, body: Any, at: datetime) -> str:
    """The event's id. Raises Refusal, which names everything that is wrong with its form."""
    kind = body.get("type") if isinstance(body, dict) else None
    if not isinstance(kind, str) or kind not in _EVENTS:
        remedy = f"Send one CloudEvent of type {' or '.join(_EVENTS)}."
        raise refused([Fault("type", "not_allowed", "Nothing of this type is taken.", remedy)])
    event: ReplyEvent | StockEvent | CaseReplyEvent | PurchaseReplyEvent | SupplyEvent = parse(_EVENTS[kind], body)
    try:
        said = read(Received(stream, 0, at, orjson.dumps(body)))
    except Unreadable as error:
        raise refused([Fault("", error.reason, error.detail, "Send one CloudEvent as it is documented.")]) from error
    if said.refused:
        raise refused([Fault(one.field, one.code, one.detail, one.remedy) for one in said.refused])
    return event.id
