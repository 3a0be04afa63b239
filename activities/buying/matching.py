"""The three-way match: an invoice follows from what was ordered and from what has come, or somebody decides. Pure.

A line may be invoiced at the agreed price at most, and for the good units that were received and not invoiced before.
An invoice about goods that are still to come waits for them.
"""

from collections import Counter

from activities.buying.moves import Moves, refuse_alone
from activities.buying.telling import told_invoice
from contracts.buying import INVOICE_LINES_MAX, PAPERS_MAX, Invoice, InvoiceLine, Mismatch, PurchaseLine, PurchaseOrder
from contracts.buying_terms import Approvers
from contracts.purchasing import DecideInvoice, TakeInvoice
from contracts.refusals import Refusal

COUNTED = ("matched", "accepted")


def take_invoice(moves: Moves, asked: TakeInvoice) -> None:
    """The same invoice again changes nothing. Raises Refusal."""
    order = moves.order
    known = next((one for one in order.invoices if one.number == asked.number), None)
    if known is not None and known.state != "rejected":
        if (known.total, known.lines) == (asked.total, asked.lines):
            return
        raise Refusal(
            "number_taken",
            f"Another invoice has the number {asked.number}.",
            remedy="Use a number of its own for every invoice.",
            field="number",
            status=409,
        )
    _refuse_wrong(asked)
    if known is not None:
        order.invoices.remove(known)
    lines = sum(len(one.lines) for one in order.invoices) + len(asked.lines)
    if len(order.invoices) >= PAPERS_MAX or lines > INVOICE_LINES_MAX:
        raise Refusal(
            "too_many",
            f"The order has {len(order.invoices)} invoices already.",
            remedy="Put more into one invoice, or ask the retailer to decide about those that wait.",
            field="number",
            status=409,
        )
    invoice = Invoice(number=asked.number, at=moves.now, by=moves.by, total=asked.total, lines=asked.lines)
    order.invoices.append(invoice)
    moves.note("invoiced", asked.number)
    _look_at(moves, invoice)
    settle(moves)


def decide_invoice(moves: Moves, asked: DecideInvoice, approvers: Approvers) -> None:
    """Raises Refusal when no such invoice waits for a decision, or when it is beyond one's limit to pay it with all
    that was accepted of this order without a match: many small invoices are one large one. Who has asked for the order,
    or has taken the invoice in, does not accept it."""
    open_ones = [one for one in moves.order.invoices if one.state == "mismatch"]
    invoice = next((one for one in open_ones if one.number == asked.number), None)
    if invoice is None:
        numbers = ", ".join(one.number for one in open_ones)
        raise Refusal(
            "no_mismatch",
            f"No invoice {asked.number} waits for a decision.",
            remedy=f"Decide about {numbers}." if numbers else "There is nothing to decide.",
            field="number",
            status=409,
        )
    if asked.accept:
        accepted = sum(one.total for one in moves.order.invoices if one.state == "accepted")
        refuse_alone(moves, accepted + invoice.total, approvers, invoice)
    invoice.state = "accepted" if asked.accept else "rejected"
    invoice.decided_by, invoice.reason = moves.by, asked.reason
    moves.note(f"invoice_{invoice.state}", f"{asked.number}: {asked.reason}")
    moves.told += told_invoice(moves.order, invoice)
    settle(moves)


def settle(moves: Moves) -> None:
    """Look again at invoices that wait for goods; when all that came is invoiced, the order is closed."""
    order = moves.order
    for invoice in order.invoices:
        if invoice.state == "waits":
            _look_at(moves, invoice, again=True)
    if order.state == "received" and _all_invoiced(order):
        moves.enter("closed")


def mismatches(order: PurchaseOrder, invoice: Invoice) -> tuple[list[Mismatch], bool]:
    """What does not follow, and whether more goods could make it right."""
    before = invoiced(order, besides=invoice)
    found: list[Mismatch] = []
    may_come = False
    for one in invoice.lines:
        line = order.line_of(one.line)
        if line is None:
            amount = one.quantity * one.unit_price
            found.append(Mismatch(line=one.line, code="unknown_line", invoiced=one.quantity, right=0, amount=amount))
            continue
        if one.unit_price > line.unit_price:
            amount = (one.unit_price - line.unit_price) * one.quantity
            found.append(
                Mismatch(line=one.line, code="price", invoiced=one.unit_price, right=line.unit_price, amount=amount)
            )
        right = max(line.received - before[one.line], 0)
        if one.quantity > right:
            may_come = may_come or one.quantity <= right + line.open
            found.append(_too_many(one, line, right))
    too_many = [one for one in found if one.code == "quantity"]
    return found, bool(too_many) and len(too_many) == len(found) and may_come


def _too_many(one: InvoiceLine, line: PurchaseLine, right: int) -> Mismatch:
    amount = (one.quantity - right) * line.unit_price
    return Mismatch(line=one.line, code="quantity", invoiced=one.quantity, right=right, amount=amount)


def invoiced(order: PurchaseOrder, besides: Invoice | None = None) -> Counter[int]:
    """Units by line that invoices which count are about."""
    units = Counter[int]()
    for invoice in order.invoices:
        if invoice.state in COUNTED and invoice is not besides:
            units.update({one.line: one.quantity for one in invoice.lines})
    return units


def _look_at(moves: Moves, invoice: Invoice, *, again: bool = False) -> None:
    before = invoice.state
    found, may_come = mismatches(moves.order, invoice)
    invoice.mismatches = [] if may_come else found
    invoice.state = "waits" if may_come else "mismatch" if found else "matched"
    if not again or invoice.state != before:
        moves.told += told_invoice(moves.order, invoice)


def _all_invoiced(order: PurchaseOrder) -> bool:
    units = invoiced(order)
    waiting = any(one.state == "mismatch" for one in order.invoices)
    return not waiting and all(units[line.line] >= line.received for line in order.lines)


def _refuse_wrong(asked: TakeInvoice) -> None:
    numbers = [one.line for one in asked.lines]
    for place, number in enumerate(numbers):
        if number in numbers[:place]:
            detail = f"Line {number} comes twice."
            raise Refusal("listed_twice", detail, remedy="Send each line once.", field=f"lines.{place}.line")
    total = sum(one.quantity * one.unit_price for one in asked.lines)
    if total != asked.total:
        raise Refusal(
            "wrong_total",
            f"The lines add up to {total}, not {asked.total}.",
            remedy="Send the total of the lines, in minor units.",
            field="total",
        )
