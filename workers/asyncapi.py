"""`python -m workers.asyncapi > docs/asyncapi.json`: what partners hear and answer, as an AsyncAPI 3 document."""

import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from faststream.nats import NatsBroker
from faststream.specification import AsyncAPI
from pydantic import BaseModel, Field, create_model

from contracts.events import (
    REPLY_TYPE,
    CloudEvent,
    OfferedItem,
    OrderChanged,
    OrderDispatched,
    ParcelOffered,
    ParcelWithdrawn,
    Replies,
    Reply,
    ReplyEvent,
    ReplyRefused,
)
from contracts.subjects import EVENTS, RETAILER, event_subject, partner_consumer, reply_subject

COMMAND = "python -m workers.asyncapi > docs/asyncapi.json"
VERSION = "1.0.0"
"""Of the events, not of the software: a new optional field raises the second number, anything else makes a v2."""

_LOCATION = "{location}"
_CLOUD_EVENTS = "application/cloudevents+json"
_AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_ORDER = "order-01kjt3w9x8c4m2p7q5"
_PARCEL = f"{_ORDER}.p1"
_STORE = "store-hangzhou-1"

_INTRODUCTION = f"""\
Events that Tongqu tells its partners over NATS JetStream, and the answers that partners give.

**Hearing.** Every location has a durable pull consumer `{partner_consumer(_LOCATION)}` on the stream `{EVENTS}`,
made when the location is registered; the retailer's systems have `{partner_consumer(RETAILER)}`. Bind to it, never
make one of your own. Acknowledge an event when you have written it down; it comes again until you do.

**Order and gaps.** `sequence` counts your own events, from 1, without a gap. A number you had before, or an `id` you
know, is the same event again: acknowledge it and do nothing. A number that is left out means that something is
missing: read your stream again from there.

**Answering.** Publish up to 500 answers in one `{REPLY_TYPE}` to `{reply_subject(_LOCATION)}`, with the event's `id`
as header `Nats-Msg-Id`, and wait for the acknowledgement; without one, send the same again. An answer that cannot be
taken comes back to you as `reply.refused.v1`, with the field that was wrong and what to do.

New optional fields may come at any time: ignore what you do not know.
"""


@dataclass(frozen=True)
class _Told:
    """One kind of event that goes out. `data` is the example."""

    type: str
    partner: str
    when: str
    subject: str
    data: BaseModel

    @property
    def address(self) -> str:
        return event_subject(self.partner, self.type)

    @property
    def model(self) -> type[CloudEvent]:
        """The whole event, with its own type and data."""
        words = self.type.removesuffix(".v1").title().replace(".", "")
        return create_model(
            f"{words}Event",
            __base__=CloudEvent,
            __doc__=self.when,
            type=(Literal[self.type], ...),
            sequence=(str, Field(pattern=r"^[1-9][0-9]*$", description="Your own events, counted from 1.")),
            data=(type(self.data), ...),
        )

    @property
    def example(self) -> dict[str, Any]:
        event = self.model(
            id=f"{_ORDER}:4:0", type=self.type, subject=self.subject, time=_AT, sequence="17", data=self.data
        )
        return event.model_dump(mode="json", exclude_none=True)


def _changed(event: str, when: str, stage: str, reason: str | None = None) -> _Told:
    data = OrderChanged(order=_ORDER, stage=stage, reason=reason)
    return _Told(f"order.{event}.v1", RETAILER, when, _ORDER, data)


TOLD: tuple[_Told, ...] = (
    _Told(
        "parcel.offered.v1",
        _LOCATION,
        "Please ship this parcel. Answer `accepted` or `rejected` before `answer_by`: "
        "later it is offered to somebody else.",
        _PARCEL,
        ParcelOffered(
            parcel=_PARCEL,
            order=_ORDER,
            items=[OfferedItem(line=1, sku="tea-longjing-250g", quantity=2)],
            ship_to={
                "name": "王芳",
                "address": "杭州市西湖区文三路 90 号",
                "division": "330106",
                "point": {"lat": 30.2741, "lon": 120.1551, "datum": "WGS84"},
            },
            answer_by=_AT + timedelta(minutes=30),
        ),
    ),
    _Told(
        "parcel.withdrawn.v1",
        _LOCATION,
        "Do not ship this parcel any more; put its goods back on the shelf.",
        _PARCEL,
        ParcelWithdrawn(parcel=_PARCEL, order=_ORDER, reason="no_answer"),
    ),
    _Told(
        "reply.refused.v1",
        _LOCATION,
        "An answer of yours was not taken, and changed nothing. `remedy` says what to do.",
        _PARCEL,
        ReplyRefused(
            parcel=_PARCEL,
            reply=f"{_PARCEL}:accepted",
            code="answer_too_late",
            field="parcel",
            detail="The time to answer had ended and the parcel was given to another store.",
            remedy="Do not ship it. Answer within the time that parcel.offered names in answer_by.",
        ),
    ),
    _Told(
        "order.dispatched.v1",
        RETAILER,
        "Stores were asked to ship the order. `attempt` grows when it is given to others.",
        _ORDER,
        OrderDispatched(order=_ORDER, attempt=1, parcels=[{"parcel": _PARCEL, "location": _STORE}]),
    ),
    _changed(
        "backordered", "Nobody can ship the order now; it waits for stock.", "backordered", "no stock anywhere"
    ),
    _changed("shipped", "Every parcel of the order was handed to a carrier.", "shipped"),
    _changed("delivered", "Every parcel of the order was delivered.", "delivered"),
    _changed("closed", "The order is complete: delivered and paid. Nothing follows.", "closed"),
    _changed("cancelled", "The order is cancelled and its money given back. Nothing follows.", "cancelled", "customer"),
    _changed("attention", "The order waits for a person; `reason` says why.", "accepted", "ship_overdue"),
)

ANSWERED = ReplyEvent(
    specversion="1.0",
    id="0b0e6f0e-6a3f-4c1e-9a54-0d3f6c1c2a11",
    source=_STORE,
    type=REPLY_TYPE,
    time=_AT,
    data=Replies(
        replies=[
            Reply(id=f"{_PARCEL}:accepted", parcel=_PARCEL, kind="accepted"),
            Reply(id=f"{_PARCEL}:shipped", parcel=_PARCEL, kind="shipped", tracking="SF1390276642185"),
        ]
    ),
)
"""An example."""


def document() -> dict[str, Any]:
    """The document, as FastStream describes this bus, with what a partner needs besides."""
    broker = NatsBroker("nats://localhost:4222", description="The event bus; you are told its address.")
    for told in TOLD:
        broker.publisher(told.address, title=told.type, description=told.when, schema=told.model)

    @broker.subscriber(reply_subject(_LOCATION), title=REPLY_TYPE, description=_first_line(ReplyEvent))
    async def replies(event: ReplyEvent) -> None:
        """Only declared here; the event worker takes them."""

    made = AsyncAPI(
        broker,
        title="Tongqu events",
        version=VERSION,
        description=_INTRODUCTION,
        license={"name": "Apache-2.0"},
        schema_version="3.0.0",
    )
    found: dict[str, Any] = json.loads(made.to_specification().to_json())
    examples = {told.type: told.example for told in TOLD}
    examples[REPLY_TYPE] = ANSWERED.model_dump(mode="json", exclude_none=True)
    return _completed(found, examples)
