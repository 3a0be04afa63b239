"""What a supplier says about an order, and what becomes of the order by it. Pure."""

from collections.abc import Callable, Mapping
from datetime import date

from activities.buying.deadlines import REGION, turn_of
from activities.buying.matching import take_invoice
from activities.buying.moves import Moves, accept_counter, confirm, give_up
from activities.buying.telling import told_changed, told_waits
from contracts.buying import PAPERS_MAX, Counter, CounterLine, InvoiceLine, Notice, PurchaseLine, PurchaseOrder
from contracts.buying_replies import PurchaseReply, PurchaseReplyKind, PurchaseReplyLine, refuse_without_reason
from contracts.money import AMOUNT_MAX
from contracts.purchasing import TakeInvoice
from contracts.refusals import Refusal
from contracts.settlement import WHOLE_BP
from contracts.workdays import day_of, workdays_between


def hear(moves: Moves, reply: PurchaseReply) -> None:
    """Raises Refusal for what cannot be, which then changed nothing."""
    order = moves.order
    if order.ended:
        why = "It was bought elsewhere; do not deliver." if order.state in ("silent", "declined") else "Do not deliver."
        raise _refused("order_ended", f"The purchase order is {order.state}.", why, "order", 409)
    if order.sent_at is None:
        raise _refused("unknown_order", "There is no such purchase order.", "Send the id that you were told.", "order")
    lines = _lines(order, reply)
    _HEARD[reply.kind](moves, reply, lines)
    if order.answered_at is None:
        order.answered_at = moves.now


Lines = Mapping[int, PurchaseReplyLine]


def _lines(order: PurchaseOrder, reply: PurchaseReply) -> Lines:
    found: dict[int, PurchaseReplyLine] = {}
    for place, one in enumerate(reply.lines or []):
        if order.line_of(one.line) is None:
            detail = f"The order has no line {one.line}."
            raise _refused("unknown_line", detail, "Send lines as they were ordered.", f"lines.{place}.line")
        if one.line in found:
            raise _refused(
                "listed_twice", f"Line {one.line} comes twice.", "Send each line once.", f"lines.{place}.line"
            )
        found[one.line] = one
    return found


def _confirmed(moves: Moves, reply: PurchaseReply, lines: Lines) -> None:
    order = moves.order
    _refuse_unless(order, ("sent", "countered"), "confirmed")
    for place, said in enumerate(reply.lines or []):
        line = _line(order, said.line)
        less = said.quantity is not None and said.quantity != line.ordered
        dearer = said.unit_price is not None and said.unit_price > line.unit_price
        later = said.due is not None and said.due > line.due
        if less or dearer or later:
            raise _refused(
                "not_as_ordered",
                f"Line {said.line} is not confirmed as it was ordered.",
                "Send countered with what you offer; the retailer answers it.",
                f"lines.{place}",
            )
    for number, said in lines.items():
        line = _line(order, number)
        line.promised = said.due or line.due
    confirm(moves)


def _declined(moves: Moves, reply: PurchaseReply, lines: Lines) -> None:
    _refuse_unless(moves.order, ("sent", "countered", "confirmed"), "declined")
    refuse_without_reason(reply)
    assert reply.reason is not None
    give_up(moves, "declined", reply.reason)


def _countered(moves: Moves, reply: PurchaseReply, lines: Lines) -> None:
    order = moves.order
    _refuse_unless(order, ("sent", "countered"), "countered")
    if not lines:
        raise _refused("lines_missing", "A counter-offer needs lines.", "Send what is to be otherwise.", "lines")
    offered = [_offer(_line(order, number), said) for number, said in lines.items()]
    rest = [line for line in order.lines if line.line not in lines]
    if not rest and not any(one.quantity for one in offered):
        raise _refused("nothing_offered", "Nothing would be delivered.", "Send declined, with a reason.", "lines")
    order.counter = Counter(reply=reply.id, at=moves.now, note=reply.note, lines=offered)
    if order.offered_value > max(AMOUNT_MAX, order.value):
        detail = f"The order would be worth {order.offered_value}, which is more than {AMOUNT_MAX}."
        raise _refused("too_much", detail, "Send prices in minor units.", "lines")
    if within_terms(order, order.counter):
        accept_counter(moves)
        return
    moves.enter("countered", note=reply.note)
    moves.told += told_waits(order)


def _offer(line: PurchaseLine, said: PurchaseReplyLine) -> CounterLine:
    return CounterLine(
        line=line.line,
        quantity=line.ordered if said.quantity is None else said.quantity,
        unit_price=line.unit_price if said.unit_price is None else said.unit_price,
        due=said.due or line.due,
    )


def within_terms(order: PurchaseOrder, counter: Counter) -> bool:
    """Whether an offer is so close to what was ordered that nobody need look at it: all units, and price and day
    within the order's terms."""
    for offer in counter.lines:
        line = _line(order, offer.line)
        dear = line.unit_price * (WHOLE_BP + order.terms.accept_price_bp) // WHOLE_BP
        later = workdays_between(REGION, line.due, offer.due)
        if offer.quantity != line.ordered or offer.unit_price > dear or later > order.terms.accept_later_days:
            return False
    return True


def _postponed(moves: Moves, reply: PurchaseReply, lines: Lines) -> None:
    """The lines stay open as they are: what is late is not ordered again."""
    order = moves.order
    _refuse_unless(order, ("confirmed",), "postponed")
    if not lines:
        raise _refused("lines_missing", "Which lines are postponed?", "Send lines, each with line and due.", "lines")
    today = day_of(moves.now, order.terms.zone)
    for place, said in enumerate(reply.lines or []):
        line = _line(order, said.line)
        _refuse_no_day(said.due, today, f"lines.{place}.due")
        if not line.open:
            detail = f"Nothing is open of line {said.line}."
            raise _refused("nothing_open", detail, "Leave the line out.", f"lines.{place}.line", 409)
    for number, said in lines.items():
        line = _line(order, number)
        line.expected, line.late_told = said.due, 0
    order.why = "postponed"
    order.turn = turn_of(order, moves.now)
    moves.note("postponed", reply.note)
    moves.told += told_changed(order, reply.note)


def _shipped(moves: Moves, reply: PurchaseReply, lines: Lines) -> None:
    """A supplier that ships what it has not answered confirms by that."""
    order = moves.order
    _refuse_unless(order, ("sent", "confirmed"), "shipped")
    if not lines or reply.reference is None:
        field = "lines" if not lines else "reference"
        raise _refused(
            f"{field}_missing",
            "A shipping notice names its delivery note, and units by line.",
            "Send reference, and lines with line and quantity.",
            field,
        )
    _refuse_second_notice(order, reply.reference)
    _refuse_too_many(len(order.notices), "delivery notes")
    for place, said in enumerate(reply.lines or []):
        line = _line(order, said.line)
        if not said.quantity or said.quantity > line.open:
            raise _refused(
                "not_open",
                f"{line.open} units of line {said.line} are open.",
                "Send how many of them are on their way, at least one.",
                f"lines.{place}.quantity",
            )
    if reply.expected is not None:
        _refuse_no_day(reply.expected, day_of(moves.now, order.terms.zone), "expected")
    if order.state == "sent":
        confirm(moves)
    units = {str(number): said.quantity or 0 for number, said in lines.items()}
    for number, said in lines.items():
        line = _line(order, number)
        line.shipped += said.quantity or 0
        if reply.expected is not None:
            line.expected, line.late_told = reply.expected, 0
    order.notices.append(
        Notice(reference=reply.reference, at=moves.now, expected=reply.expected, tracking=reply.tracking, units=units)
    )
    order.turn = turn_of(order, moves.now)
    order.why = "shipped"
    moves.note("shipped", reply.reference)
    moves.told += told_changed(order, reply.note)


def _invoiced(moves: Moves, reply: PurchaseReply, lines: Lines) -> None:
    _refuse_unless(moves.order, ("confirmed", "received"), "invoiced")
    if not lines or reply.reference is None:
        field = "lines" if not lines else "reference"
        remedy = "Send reference, and lines with line, quantity and unit_price."
        raise _refused(f"{field}_missing", "An invoice has a number and lines.", remedy, field)
    made: list[InvoiceLine] = []
    for place, said in enumerate(reply.lines or []):
        if not said.quantity or said.unit_price is None:
            detail = f"Line {said.line} has no quantity or no price."
            raise _refused("missing", detail, "Send both.", f"lines.{place}")
        made.append(InvoiceLine(line=said.line, quantity=said.quantity, unit_price=said.unit_price))
    total = sum(one.quantity * one.unit_price for one in made)
    if total > AMOUNT_MAX:
        detail = f"The lines add up to {total}, which is more than {AMOUNT_MAX}."
        raise _refused("too_much", detail, "Send prices in minor units; split what is larger.", "lines")
    take_invoice(moves, TakeInvoice(number=reply.reference, total=total, lines=made))


def _refuse_too_many(known: int, what: str) -> None:
    """What nobody can end would make the order too large to be written, and so stop it."""
    if known >= PAPERS_MAX:
        detail = f"The order has {known} {what} already."
        raise _refused("too_many", detail, "Send larger deliveries, or ask the retailer.", "reference", 409)


def _refuse_second_notice(order: PurchaseOrder, reference: str) -> None:
    if any(notice.reference == reference for notice in order.notices):
        raise _refused(
            "reference_taken",
            f"{reference} was told before.",
            "Use a reference of its own for every delivery.",
            "reference",
            409,
        )


def _refuse_no_day(due: date | None, today: date, field: str) -> None:
    if due is None or due < today:
        raise _refused("bad_day", "A day that is still to come is needed.", "Send the day of arrival.", field)


def _refuse_unless(order: PurchaseOrder, states: tuple[str, ...], kind: PurchaseReplyKind) -> None:
    if order.state not in states:
        detail = f"The purchase order is {order.state} already."
        remedies = {"confirmed": "Send postponed, shipped or declined.", "countered": "Wait for our answer."}
        remedy = remedies.get(order.state, "There is nothing to be said about it now.")
        raise _refused(f"not_{kind}_now", detail, remedy, "kind", 409)


def _line(order: PurchaseOrder, number: int) -> PurchaseLine:
    line = order.line_of(number)
    assert line is not None
    return line


def _refused(code: str, detail: str, remedy: str, field: str, status: int = 422) -> Refusal:
    return Refusal(code, detail, remedy=remedy, field=field, status=status)


_HEARD: Mapping[PurchaseReplyKind, Callable[[Moves, PurchaseReply, Lines], None]] = {
    "confirmed": _confirmed,
    "declined": _declined,
    "countered": _countered,
    "postponed": _postponed,
    "shipped": _shipped,
    "invoiced": _invoiced,
}
