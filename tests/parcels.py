"""An order that costs nothing, whose parcel goes from the store `near` by a carrier: for labels and tracking."""

from datetime import datetime
from typing import Any

from activities.carriers.predicting import remaining_of
from activities.orders.moves import Moves
from contracts.carriers import Alternative, LabelAnswer, LabelIntent, LabelOutcome, Scan, TrackingState
from contracts.ids import scan_event_id
from contracts.orders import InboxEvent, OrderState, Parcel
from tests.builders import NOW, event, network, order, reply
from tests.shop import Shop

SERVICE, NUMBER, DAYS = "qinglu/economy", "QL001", 2
ORDER = "order-1"


class Carried:
    """`shop` has one order; what is said without a moment is said at NOW."""

    def __init__(
        self, *, promised_at: datetime | None = None, service: str | None = SERVICE, price: int = 0, **shop: Any
    ) -> None:
        self.shop = Shop(network("near", "far"), {"near": {"tea": 5}, "far": {"tea": 5}}, **shop)
        self.shop.place(order(("tea", 1), price=price))
        self.shop.step(NOW, orders=[ORDER])
        self.parcel().service, self.parcel().promised_at = service, promised_at

    def order(self) -> OrderState:
        return self.shop.orders[ORDER]

    def parcel(self) -> Parcel:
        return self.order().parcels[-1]

    def label(self) -> LabelIntent:
        label = self.parcel().label
        assert label is not None
        return label

    def step(self, at: datetime, *events: InboxEvent) -> Moves:
        return self.shop.step(at, *events, orders=[ORDER])[ORDER]

    def answer(self, kind: str, at: datetime = NOW, **more: Any) -> Moves:
        return self.step(at, reply(kind, self.parcel(), at=at, **more))

    def carrier_answers(self, status: str = "done", at: datetime = NOW, **more: Any) -> Moves:
        """To the open label; `alternatives`: (service, price)."""
        return self.step(at, label_event(self.label(), status, at, **more))

    def labelled(self, at: datetime = NOW) -> Moves:
        self.answer("accepted", at)
        return self.carrier_answers(at=at)

    def scanned(self, state: TrackingState, at: datetime, *, heard_at: datetime | None = None) -> Moves:
        return self.step(heard_at or at, scan_event(self.parcel(), state, at, heard_at or at))

    def needs(self) -> str | None:
        """Why a person must look at the order."""
        attention = self.order().attention
        return attention.code if attention else None

    def what(self) -> list[str]:
        """States of the parcel and its tracking."""
        return [self.parcel().state, str(self.parcel().tracking_state)]


def label_event(
    label: LabelIntent,
    status: str,
    at: datetime,
    *,
    alternatives: tuple[tuple[str, int], ...] = (),
    number: str = NUMBER,
    **more: Any,
) -> InboxEvent:
    booked = status == "done" and label.operation == "book"
    outcome = {
        "key": label.key,
        "operation": label.operation,
        "status": status,
        **({"tracking": number, "label_url": f"https://labels/{number}", "price": 700} if booked else {}),
        **more,
    }
    answer = LabelAnswer(
        outcome=LabelOutcome.model_validate(outcome),
        alternatives=[Alternative(service=service, price=price) for service, price in alternatives],
        remaining_s=remaining_of(DAYS) if booked else {},
    )
    return event("label.outcome", ORDER, by="carrier", at=at, **answer.model_dump())


def scan_event(parcel: Parcel, state: TrackingState, at: datetime, heard_at: datetime) -> InboxEvent:
    scan = Scan(id=f"{state}-{at:%d%H%M}", carrier="qinglu", state=state, at=at, place="hub")
    told = event("tracking", ORDER, by="qinglu", at=heard_at, parcel=parcel.id)
    return told.model_copy(update={"id": scan_event_id("qinglu", NUMBER, scan.id), "data": scan.model_dump()})


def told(moves: Moves, kind: str) -> list[dict[str, Any]]:
    return [tell.data for tell in moves.tells if tell.type == kind]
