"""What comes of a purchase order: in part, early, late, damaged, too much, or something else. Pure.

Good units of what is open go into the stock. Damaged units stay owed by the supplier; what comes beyond the order, or
was never ordered, is written down and not taken in.
"""

from datetime import date

from activities.buying.deadlines import REGION, late_at, turn_of
from activities.buying.matching import settle
from activities.buying.moves import Completed, Moves, confirm
from activities.buying.telling import told_late, told_received, told_waits
from contracts.buying import PurchaseLine, PurchaseOrder, Receipt, ReceivedItem, ReceivedLine
from contracts.buying_events import LateItem
from contracts.purchasing import Receive
from contracts.refusals import Refusal
from contracts.workdays import day_of, workdays_between


def receive(moves: Moves, asked: Receive) -> None:
    """A delivery; one that was taken in before changes nothing. Raises Refusal."""
    order = moves.order
    known = next((one for one in order.receipts if one.reference == asked.reference), None)
    if known is not None:
        _refuse_other(known, asked)
        return
    _refuse_wrong(asked)
    if order.state in ("sent", "countered"):
        # It delivers what it has not answered: that is an answer too.
        confirm(moves)
    today = day_of(moves.now, order.terms.zone)
    lines = [_came(moves, item, today) for item in asked.items]
    receipt = Receipt(reference=asked.reference, at=moves.now, by=moves.by, lines=lines, said=asked.items)
    order.receipts.append(receipt)
    moves.reference = asked.reference
    moves.goods = {one.sku: one.good for one in lines if one.good}
    moves.note("came", asked.reference)
    moves.told += told_received(order, receipt)
    if order.open_lines:
        order.turn = turn_of(order, moves.now)
    elif order.state == "confirmed":
        moves.enter("received")
    settle(moves)


def _came(moves: Moves, item: ReceivedItem, today: date) -> ReceivedLine:
    order = moves.order
    line = next((one for one in order.lines if one.sku == item.sku), None)
    if line is None:
        return ReceivedLine(sku=item.sku, line=None, wrong=item.quantity + item.damaged)
    good = min(item.quantity, line.open)
    line.received += good
    line.damaged += item.damaged
    if good and not line.open:
        moves.completed.append(Completed(line=line.line, sku=line.sku, units=line.received))
    return ReceivedLine(
        sku=item.sku,
        line=line.line,
        good=good,
        damaged=item.damaged,
        excess=item.quantity - good,
        days=workdays_between(REGION, line.promised or line.due, today),
    )


def _refuse_other(known: Receipt, asked: Receive) -> None:
    if known.said != asked.items:
        raise Refusal(
            "reference_taken",
            f"Under {asked.reference} other goods were received.",
            remedy="Use the number of the delivery note, which is another for every delivery.",
            field="reference",
            status=409,
        )


def _refuse_wrong(asked: Receive) -> None:
    skus = [item.sku for item in asked.items]
    for place, item in enumerate(asked.items):
        if item.sku in skus[:place]:
            detail = f"{item.sku} comes twice in this delivery."
            raise Refusal("listed_twice", detail, remedy="Send each SKU once.", field=f"items.{place}.sku")
        if not item.quantity and not item.damaged:
            detail = f"Nothing came of {item.sku}."
            raise Refusal("nothing_came", detail, remedy="Leave it out.", field=f"items.{place}.quantity")


def time_for_delivery(moves: Moves) -> None:
    """Lines that were expected by now are told as late, all of them in one event."""
    order = moves.order
    today = day_of(moves.now, order.terms.zone)
    late = []
    for line in order.open_lines:
        if late_at(line, order.terms) > moves.now:
            continue
        while late_at(line, order.terms) <= moves.now:
            line.late_told += 1
        late.append(_late(line, today))
    if late:
        moves.note("late", ", ".join(f"line {one.line}" for one in late)[:200])
        moves.told += told_late(order, late)
    order.turn = turn_of(order, moves.now)


def _late(line: PurchaseLine, today: date) -> LateItem:
    days = workdays_between(REGION, line.day, today)
    return LateItem(line=line.line, sku=line.sku, open=line.open, expected=line.day, days=days)


def time_for_invoice(moves: Moves) -> None:
    """An invoice is missing, or does not match: told again and again, because goods are there that nobody paid."""
    order: PurchaseOrder = moves.order
    assert order.turn is not None
    reminder = order.turn.reminders + 1
    turn = turn_of(order, moves.now)
    assert turn is not None
    order.turn = turn.model_copy(update={"reminders": reminder})
    moves.note("reminded", "invoice")
    moves.told += told_waits(order, reminder)
