"""Every event that partners hear, to whom it goes, what it means, and an example."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, Field, create_model

from contracts.events import (
    REPLY_TYPE,
    STOCK_TYPE,
    AddressChanged,
    CancellationAnswered,
    CancellationRequested,
    CloudEvent,
    OfferedItem,
    OrderChanged,
    OrderDispatched,
    OrderRefunded,
    ParcelLabelled,
    ParcelLate,
    ParcelLatePredicted,
    ParcelOffered,
    ParcelWithdrawn,
    Replies,
    RepliesAgain,
    Reply,
    ReplyEvent,
    ReplyRefused,
    ReturnAnnounced,
    ReturnChanged,
    StockCount,
    StockCounts,
    StockEvent,
    WebhookPaused,
)
from contracts.settlement import Balance, Dispute, StatementClosed, StatementDisputed, StatementReady
from contracts.subjects import RETAILER

LOCATION = "{location}"
"""Stands for any location in the address of a channel."""
_AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_ORDER = "order-01kjt3w9x8c4m2p7q5"
_PARCEL = f"{_ORDER}.p1"
_RETURN = f"{_ORDER}.r1"
_STORE = "store-hangzhou-1"
_SHIP_TO = {
    "name": "王芳",
    "address": "杭州市西湖区文三路 90 号",
    "division": "330106",
    "point": {"lat": 30.2741, "lon": 120.1551, "datum": "WGS84"},
}


@dataclass(frozen=True)
class Told:
    """One kind of event that goes out: its type, to whom, what it means, and an example."""

    kind: str
    partner: str
    meaning: str
    subject: str
    data: BaseModel

    @property
    def model(self) -> type[CloudEvent]:
        """The whole event, with its own type and data."""
        fields: dict[str, Any] = {
            "type": (Literal[self.kind], ...),
            "sequence": (str, Field(pattern=r"^[1-9][0-9]*$", description="Your own events, counted from 1.")),
            "data": (type(self.data), ...),
        }
        name = self.kind.removesuffix(".v1").title().replace(".", "")
        return create_model(f"{name}Event", __base__=CloudEvent, __doc__=self.meaning, **fields)

    def example(self) -> dict[str, Any]:
        event = self.model(
            id=f"{_ORDER}:4:0", type=self.kind, subject=self.subject, time=_AT, sequence="17", data=self.data
        )
        return event.model_dump(mode="json", exclude_none=True, by_alias=True)


def _changed(event: str, meaning: str, stage: str, reason: str | None = None) -> Told:
    data = OrderChanged(order=_ORDER, stage=stage, reason=reason)
    return Told(f"order.{event}.v1", RETAILER, meaning, _ORDER, data)


_STATEMENT = f"settlement-{_STORE}-2026-02"
_BALANCE = Balance(currency="CNY", opening=0, amounts={"goods": 136_000, "commission": -13_600}, closing=122_400)
_OBJECTION = Dispute(line=3, reason="退货未到店", by="store-hangzhou", at=_AT)
_STATEMENTS = (
    Told(
        "statement.ready.v1",
        LOCATION,
        "A statement with you is ready, in a revision. Approve it or object to lines before `answer_by`: silence "
        "approves. Told again as a reminder.",
        _STATEMENT,
        StatementReady(
            statement=_STATEMENT,
            period="2026-02",
            revision=1,
            balances=[_BALANCE],
            json_sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            pdf_sha256="60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
            answer_by=_AT + timedelta(days=7),
        ),
    ),
    Told(
        "statement.disputed.v1",
        LOCATION,
        "Lines of a statement that are objected to, and what became of each; also told to the retailer.",
        _STATEMENT,
        StatementDisputed(statement=_STATEMENT, period="2026-02", disputes=[_OBJECTION]),
    ),
    Told(
        "statement.closed.v1",
        LOCATION,
        "A statement is approved, by somebody or by silence; told again when it is paid. Also told to the retailer.",
        _STATEMENT,
        StatementClosed(
            statement=_STATEMENT,
            period="2026-02",
            revision=1,
            balances=[_BALANCE],
            approved_by="store-hangzhou",
        ),
    ),
)

TOLD: tuple[Told, ...] = (
    Told(
        "parcel.offered.v1",
        LOCATION,
        "Please ship this parcel. Answer `accepted` or `rejected` before `answer_by`: "
        "later it is offered to somebody else.",
        _PARCEL,
        ParcelOffered(
            parcel=_PARCEL,
            order=_ORDER,
            items=[OfferedItem(line=1, sku="tea-longjing-250g", quantity=2)],
            ship_to=_SHIP_TO,
            answer_by=_AT + timedelta(minutes=30),
        ),
    ),
    Told(
        "parcel.withdrawn.v1",
        LOCATION,
        "Do not ship this parcel any more; put its goods back on the shelf.",
        _PARCEL,
        ParcelWithdrawn(parcel=_PARCEL, order=_ORDER, reason="no_answer"),
    ),
    Told(
        "parcel.address_changed.v1",
        LOCATION,
        "Send this parcel to another address. A label with the old one is void.",
        _PARCEL,
        AddressChanged(parcel=_PARCEL, order=_ORDER, ship_to=_SHIP_TO),
    ),
    Told(
        "parcel.cancellation_requested.v1",
        LOCATION,
        "May this parcel, which you have accepted, be cancelled? Answer `cancellation_accepted` or "
        "`cancellation_refused` before `answer_by`; later it is cancelled, unless you have packed it.",
        _PARCEL,
        CancellationRequested(parcel=_PARCEL, order=_ORDER, reason="customer", answer_by=_AT + timedelta(hours=4)),
    ),
    Told(
        "parcel.labelled.v1",
        LOCATION,
        "A carrier has been booked for this parcel: put the label on it. Ship it with another carrier, and say so with "
        "`tracking`, and the label is void.",
        _PARCEL,
        ParcelLabelled(
            parcel=_PARCEL,
            order=_ORDER,
            service="yunque/express",
            tracking="YU390276642185",
            label_url="https://carrier.example/labels/YU390276642185",
        ),
    ),
    Told(
        "reply.refused.v1",
        LOCATION,
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
    Told(
        "replies.again.v1",
        LOCATION,
        "The bus was set back to an earlier state. Send every answer again that you have given since `since` (without "
        "it: about every parcel that is open), under its old id. What we have already is recognised and counts once.",
        _STORE,
        RepliesAgain(since=_AT),
    ),
    Told(
        "webhook.paused.v1",
        LOCATION,
        "Nothing is sent to one of your webhooks any more: it said that it is gone, has failed for days, or what comes "
        "next is kept no more. Resume it, or have it sent again from a number that is kept. Also told to the "
        "retailer.",
        "wh-01kjt3w9x8c4m2p7q5",
        WebhookPaused(
            webhook="wh-01kjt3w9x8c4m2p7q5",
            stream=_STORE,
            host="shop.example",
            reason="failing",
            position=41,
            failing_since=_AT - timedelta(days=3),
            status=502,
            detail="Bad Gateway",
        ),
    ),
    Told(
        "order.dispatched.v1",
        RETAILER,
        "Stores were asked to ship the order. `attempt` grows when it is given to others.",
        _ORDER,
        OrderDispatched(order=_ORDER, attempt=1, parcels=[{"parcel": _PARCEL, "location": _STORE}]),
    ),
    Told(
        "parcel.late_predicted.v1",
        RETAILER,
        "By the way it goes, this parcel will be late. Told once, and before the promise has passed.",
        _PARCEL,
        ParcelLatePredicted(
            parcel=_PARCEL,
            order=_ORDER,
            location=_STORE,
            service="yunque/express",
            tracking="YU390276642185",
            tracking_state="collected",
            promised_at=_AT + timedelta(hours=52),
            predicted_at=_AT + timedelta(hours=57),
        ),
    ),
    Told(
        "parcel.late.v1",
        RETAILER,
        "The promise has passed and this parcel has not been delivered. Told once.",
        _PARCEL,
        ParcelLate(parcel=_PARCEL, order=_ORDER, location=_STORE, promised_at=_AT + timedelta(hours=52)),
    ),
    _changed("backordered", "Nobody can ship the order now; it waits for stock.", "backordered", "no stock anywhere"),
    _changed("shipped", "Every parcel of the order was handed to a carrier.", "shipped"),
    _changed("delivered", "Every parcel of the order was delivered.", "delivered"),
    _changed("closed", "The order is complete: delivered and paid. Nothing follows.", "closed"),
    _changed("cancelled", "The order is cancelled and its money given back. Nothing follows.", "cancelled", "customer"),
    *_STATEMENTS,
    Told(
        "order.cancellation_answered.v1",
        RETAILER,
        "The order was to be cancelled, and stores that had accepted keep all (`refused`) or some of it (`partly`).",
        _ORDER,
        CancellationAnswered(order=_ORDER, outcome="partly", reason="customer"),
    ),
    _changed("hold_ended", "Nobody paid in time; the goods are held no more.", "paying", "not_paid_in_time"),
    _changed(
        "payment_refused", "A payment was reported that is not awaited; give it back.", "paying", "wx-1: paid_before"
    ),
    Told(
        "order.refunded.v1",
        RETAILER,
        "Money of an order that had ended was given back. `refunded` is all of it so far, in minor units.",
        _ORDER,
        OrderRefunded(order=_ORDER, refunded=13600, reason="sold_out_before_payment"),
    ),
    Told(
        "return.announced.v1",
        LOCATION,
        "These goods are to come back to you. Say in which condition when they are there.",
        _RETURN,
        ReturnAnnounced.model_validate(
            {
                "return": _RETURN,
                "order": _ORDER,
                "parcel": _PARCEL,
                "items": [{"line": 1, "sku": "tea-longjing-250g", "quantity": 1}],
                "reason": "changed_mind",
            }
        ),
    ),
    Told(
        "return.changed.v1",
        RETAILER,
        "A return has come so far. `amount`, in minor units, is what it takes off the order's price, when known.",
        _RETURN,
        ReturnChanged.model_validate(
            {
                "return": _RETURN,
                "order": _ORDER,
                "parcel": _PARCEL,
                "state": "closed",
                "reason": "changed_mind",
                "amount": 6800,
            }
        ),
    ),
    _changed("address_refused", "The address was not changed: something has left.", "shipped", "already_shipped"),
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

COUNTED = StockEvent(
    specversion="1.0",
    id="5a1c9d8e-0f4b-4b0e-8a55-9f5b6c7d8e22",
    source=_STORE,
    type=STOCK_TYPE,
    time=_AT,
    data=StockCounts(counts=[StockCount(sku="tea-longjing-250g", on_hand=40), StockCount(sku="cup-white", on_hand=0)]),
)
"""An example."""
