"""What a store's answer does to its parcel. Answers may come twice, out of order, too late or from the wrong store."""

from datetime import datetime, timedelta

from activities.orders.cancelling import agree, insist
from activities.orders.moves import Moves, ease, exclude, withdraw
from contracts.orders import InboxEvent, Item, Parcel, ParcelState
from contracts.stock import Change
from contracts.subjects import RETAILER

_RANK = {
    ParcelState.OFFERED: 0,
    ParcelState.ACCEPTED: 1,
    ParcelState.PACKED: 2,
    ParcelState.SHIPPED: 3,
    ParcelState.DELIVERED: 4,
    ParcelState.RETURNING: 5,
    ParcelState.RETURNED: 6,
}
_SHELF_EMPTY = frozenset({"out_of_stock", "not_found"})
_NOT_SELLABLE = frozenset({"damaged", "mismatch", "worn_display"})
_ENDED = {
    ParcelState.EXPIRED: (
        "answer_too_late",
        "The time to answer had ended and the parcel was given to another store.",
        "Do not ship it. Answer within the time that parcel.offered names in answer_by.",
    ),
    ParcelState.WITHDRAWN: (
        "parcel_withdrawn",
        "The parcel was withdrawn before this answer.",
        "Do not ship it; put the goods back on the shelf.",
    ),
    ParcelState.LOST: (
        "parcel_lost",
        "The parcel was reported as lost, and was paid back or is sent again.",
        "Send the goods back if they turn up.",
    ),
    ParcelState.REJECTED: (
        "parcel_rejected",
        "This store has rejected the parcel before.",
        "Do not ship it. A rejection cannot be taken back.",
    ),
}


def take_reply(moves: Moves, event: InboxEvent, at: datetime) -> None:
    """Apply one answer to its parcel, or refuse it."""
    parcel = next((p for p in moves.order.parcels if p.id == event.parcel), None)
    if parcel is None or parcel.state is ParcelState.HELD:
        _refuse(
            moves,
            event,
            "unknown_parcel",
            "parcel",
            "This order has no such parcel.",
            "Send a parcel id that was offered.",
        )
    elif parcel.location != event.by:
        _refuse(
            moves,
            event,
            "not_your_parcel",
            "parcel",
            "This parcel was offered to another store.",
            "Answer only for parcels on your own stream.",
        )
    elif event.kind.startswith("reply.cancellation_"):
        _answer_request(moves, parcel, event, at)
    elif parcel.state in _ENDED:
        code, detail, remedy = _ENDED[parcel.state]
        _refuse(moves, event, code, "parcel", detail, remedy)
    elif event.kind == "reply.rejected":
        _reject(moves, parcel, event, at)
    else:
        forward(moves, parcel, ParcelState(event.kind.removeprefix("reply.")), event, at)


def forward(moves: Moves, parcel: Parcel, target: ParcelState, event: InboxEvent, at: datetime) -> None:
    """Move a parcel on. An answer that says less than is already known came late or twice, and changes nothing."""
    rank = _RANK[parcel.state]
    if _RANK[target] <= rank:
        return
    if rank < _RANK[ParcelState.SHIPPED] <= _RANK[target]:
        goods = [Change.trusted(sku=i.sku, on_hand=-i.quantity, reserved=-i.quantity) for i in parcel.items]
        moves.post(parcel, "shipped", goods)
    if rank == 0:
        parcel.due = at + timedelta(seconds=parcel.ship_within_s)
        if moves.order.retry_at is None:
            moves.order.backordered_at = None
    parcel.state = target
    if _RANK[target] >= _RANK[ParcelState.SHIPPED]:
        parcel.due = None
        if parcel.request == "cancel_requested":
            parcel.request, parcel.request_due = "cancel_refused", None
        ease(moves.order)
    parcel.tracking = event.data.get("tracking") or parcel.tracking
    moves.note(f"parcel.{target}", at, parcel=parcel.id, location=parcel.location, by=event.by)


def _reject(moves: Moves, parcel: Parcel, event: InboxEvent, at: datetime) -> None:
    if _RANK[parcel.state] >= _RANK[ParcelState.SHIPPED]:
        _refuse(
            moves,
            event,
            "already_shipped",
            "kind",
            f"The parcel is already {parcel.state}.",
            "What has left the store comes back as a return, not as a rejection.",
        )
        return
    reason = str(event.data.get("reason") or "other")
    refused = _refused_items(moves, parcel, event)
    if not refused:
        return
    kept = _without(parcel.items, refused)
    _give_back(moves, parcel, refused, reason, slot=None if kept else parcel.slot)
    _adjust(moves, parcel, refused, reason)
    moves.order.refusals += 1
    exclude(moves.order, parcel.location)
    moves.note("parcel.rejected", at, parcel=parcel.id, location=parcel.location, reason=reason, by=event.by)
    if kept:
        parcel.items = kept
        forward(moves, parcel, ParcelState.ACCEPTED, event, at)
        return
    parcel.state, parcel.reason, parcel.due = ParcelState.REJECTED, reason, None
    if parcel.request == "cancel_requested":
        parcel.request, parcel.request_due = "cancel_accepted", None
    ease(moves.order)


def _answer_request(moves: Moves, parcel: Parcel, event: InboxEvent, at: datetime) -> None:
    """Whether the store gives the parcel up. The same answer again changes nothing; what has left has left."""
    answered = "cancel_accepted" if event.kind == "reply.cancellation_accepted" else "cancel_refused"
    if parcel.request == "cancel_requested" and answered == "cancel_accepted":
        agree(moves, parcel, at, event.by)
        ease(moves.order)
    elif parcel.request == "cancel_requested":
        insist(moves, parcel, at, event.by)
    elif parcel.request != answered:
        _refuse(
            moves,
            event,
            "nothing_asked" if parcel.request == "none" else "answered_before",
            "kind",
            f"Nothing is asked about this parcel; it is {parcel.state}.",
            "Answer only parcel.cancellation_requested, once and in time. Reject the parcel if you cannot ship it.",
        )


def _refused_items(moves: Moves, parcel: Parcel, event: InboxEvent) -> list[Item]:
    """What a rejection names: whole lines, units of lines, or everything. Empty when it was refused itself."""
    held = {item.line: item for item in parcel.items}
    units = {int(line): int(number) for line, number in (event.data.get("quantities") or {}).items()}
    lines = set(event.data.get("lines") or ([] if units else held))
    if not lines | units.keys() <= held.keys():
        remedy = "Name lines of the parcel's items."
        field = "lines" if not lines <= held.keys() else "quantities"
        _refuse(moves, event, "unknown_line", field, "The parcel has no such line.", remedy)
        return []
    over = [line for line, number in units.items() if number > held[line].quantity]
    if over:
        detail = f"Line {over[0]} of the parcel has {held[over[0]].quantity} units; {units[over[0]]} were refused."
        _refuse(moves, event, "too_many_units", "quantities", detail, "Send how many of the parcel's units you refuse.")
        return []
    wanted = {line: held[line].quantity if line in lines else units[line] for line in lines | units.keys()}
    return [item.model_copy(update={"quantity": wanted[item.line]}) for item in parcel.items if item.line in wanted]


def _without(items: list[Item], refused: list[Item]) -> list[Item]:
    gone = {item.line: item.quantity for item in refused}
    left = [item.model_copy(update={"quantity": item.quantity - gone.get(item.line, 0)}) for item in items]
    return [item for item in left if item.quantity > 0]


def _give_back(moves: Moves, parcel: Parcel, items: list[Item], reason: str, slot: str | None) -> None:
    """`slot`: the hour of the store's capacity that is free again, when nothing of the parcel stays."""
    changes = [Change(sku=i.sku, reserved=-i.quantity) for i in items]
    moves.post(parcel, "released", changes, reason=reason, slot=slot)


def _adjust(moves: Moves, parcel: Parcel, items: list[Item], reason: str) -> None:
    """The shelf is not as we thought. Out of stock: nothing more is promised from there until it is counted."""
    if reason in _SHELF_EMPTY:
        # Once for each SKU, however many lines it has: a shelf is emptied of what is there before.
        skus = dict.fromkeys(item.sku for item in items)
        moves.post(parcel, "adjusted", [Change(sku=sku) for sku in skus], reason=reason, empty=True)
    elif reason in _NOT_SELLABLE:
        moves.post(parcel, "adjusted", [Change(sku=i.sku, on_hand=-i.quantity) for i in items], reason=reason)


def expire(moves: Moves, parcel: Parcel, at: datetime) -> None:
    """The store did not answer in time: take the parcel away and do not ask this store again."""
    withdraw(moves, parcel, "no_answer", at, ParcelState.EXPIRED, by="timer")
    moves.order.refusals += 1
    exclude(moves.order, parcel.location)


def _refuse(moves: Moves, event: InboxEvent, code: str, field: str, detail: str, remedy: str) -> None:
    moves.refused.append(code)
    moves.note("reply.refused", event.received_at, parcel=event.parcel, reason=code, by=event.by)
    if event.by != RETAILER:
        moves.tell(
            event.by,
            "reply.refused.v1",
            event.parcel or moves.order.id,
            parcel=event.parcel,
            reply=event.id,
            code=code,
            field=field,
            detail=detail,
            remedy=remedy,
        )
