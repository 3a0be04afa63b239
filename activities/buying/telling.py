"""What suppliers and the retailer are told of a purchase order, in both languages. Pure."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel

from contracts.buying import Invoice, PurchaseOrder, PurchaseState, Receipt
from contracts.buying_events import (
    CancelledItem,
    LateItem,
    OrderedItem,
    PurchaseCancelled,
    PurchaseChanged,
    PurchaseElsewhere,
    PurchaseInvoiced,
    PurchaseLate,
    PurchaseOrdered,
    PurchaseReceived,
    PurchaseWaits,
)
from contracts.money import display
from contracts.partner_events import Bilingual
from contracts.subjects import RETAILER

Told = tuple[str, str, BaseModel]
"""To whom, which type of event, and what it says."""

_STATES: dict[PurchaseState, tuple[str, str]] = {
    "approval": ("采购订单等待审批。", "The purchase order waits for approval."),
    "sent": ("采购订单等待供应商答复。", "The purchase order waits for the supplier's answer."),
    "countered": ("供应商提出了不同条件，等待采购方答复。", "The supplier offers it otherwise; we have to answer."),
    "confirmed": ("采购订单已确认，请按期交货。", "The purchase order is confirmed; deliver it in time."),
    "received": ("货物已收齐，请开具发票。", "Nothing more is to come; please send the invoice."),
    "closed": ("订单、收货与发票一致，采购订单已完成。", "Order, receipts and invoices match; it is complete."),
    "cancelled": ("采购订单已取消。", "The purchase order is cancelled."),
    "rejected": ("采购订单未获批准。", "The purchase order was not approved."),
    "expired": ("采购订单在期限内无人审批。", "Nobody approved the purchase order in time."),
    "declined": ("供应商不交付该采购订单。", "The supplier does not deliver the purchase order."),
    "silent": ("供应商在期限内未答复。", "The supplier has not answered in time."),
}


def told_ordered(order: PurchaseOrder, reminder: int = 0) -> list[Told]:
    assert order.turn is not None and order.turn.due is not None
    zh, en = "请确认、拒绝或提出其他条件。", "Please confirm, decline, or offer it otherwise."
    if reminder:
        zh, en = f"提醒：{zh}逾期未答复将改向其他供应商采购。", f"Reminder: {en} Else it is bought elsewhere."
    data = PurchaseOrdered(
        order=order.id,
        location=order.location,
        currency=order.currency,
        lines=[
            OrderedItem(line=one.line, sku=one.sku, quantity=one.wanted, unit_price=one.unit_price, due=one.due)
            for one in order.lines
            if one.open
        ],
        answer_by=order.turn.due,
        reminder=reminder,
        words=Bilingual(zh=zh, en=en),
    )
    return [(order.supplier, "purchase.ordered.v1", data)]


def told_cancelled(order: PurchaseOrder, units: Mapping[int, int], reason: str) -> list[Told]:
    """Nothing for a supplier that was never asked."""
    if order.sent_at is None or not any(units.values()):
        return []
    data = PurchaseCancelled(
        order=order.id,
        lines=[
            CancelledItem(line=one.line, sku=one.sku, quantity=units[one.line])
            for one in order.lines
            if units.get(one.line)
        ],
        reason=reason,
        words=Bilingual(zh="以下数量请不要再交付。", en="Do not deliver these units any more."),
    )
    return [(order.supplier, "purchase.cancelled.v1", data)]


def told_changed(order: PurchaseOrder, note: str | None = None) -> list[Told]:
    """To the retailer, and to a supplier that was asked."""
    zh, en = _STATES[order.state]
    data = PurchaseChanged(
        order=order.id,
        supplier=order.supplier,
        location=order.location,
        state=order.state,
        why=order.why,
        note=note,
        words=Bilingual(zh=zh, en=en),
    )
    told: list[Told] = [(RETAILER, "purchase.changed.v1", data)]
    if order.sent_at is not None:
        told.append((order.supplier, "purchase.changed.v1", data))
    return told


def told_elsewhere(order: PurchaseOrder, nowhere: Sequence[str]) -> list[Told]:
    zh, en = "已改向其他供应商采购。", "It is ordered of other suppliers."
    if nowhere:
        zh, en = "部分商品没有其他供应商，请处理。", "For some of it there is no other supplier; see to it."
    data = PurchaseElsewhere(
        order=order.id,
        supplier=order.supplier,
        location=order.location,
        orders=order.successors,
        nowhere=list(nowhere),
        words=Bilingual(zh=zh, en=en),
    )
    return [(RETAILER, "purchase.elsewhere.v1", data)]


def told_waits(order: PurchaseOrder, reminder: int = 0) -> list[Told]:
    turn = order.turn
    assert turn is not None
    value = display(order.value, order.currency)
    zh, en = {
        "approval": (f"采购订单（{value}）等待 {turn.role} 审批。", f"An order of {value} waits for {turn.role}."),
        "decision": ("供应商的不同条件等待答复。", "A supplier's counter-offer waits for an answer."),
        "invoice": ("货物已收齐，仍缺少相符的发票。", "All goods are there; an invoice that matches is missing."),
        "answer": ("等待供应商答复。", "The supplier has to answer."),
        "delivery": ("等待交货。", "Goods are awaited."),
    }[turn.kind]
    data = PurchaseWaits(
        order=order.id,
        kind=turn.kind,
        role=turn.role,
        value=order.value,
        currency=order.currency,
        due=turn.due,
        reminder=reminder,
        words=Bilingual(zh=zh, en=en),
    )
    return [(RETAILER, "purchase.waits.v1", data)]


def told_received(order: PurchaseOrder, receipt: Receipt) -> list[Told]:
    wrong = any(one.damaged or one.excess or one.wrong for one in receipt.lines)
    zh, en = "已收货。", "Goods were received."
    if wrong:
        zh, en = (
            "已收货，但有差异：破损仍需补交，多送与错送请取回。",
            "Goods were received, and something is wrong: damaged units are still owed, fetch excess and wrong ones.",
        )
    data = PurchaseReceived(
        order=order.id,
        reference=receipt.reference,
        lines=receipt.lines,
        open_units=sum(one.open for one in order.lines),
        words=Bilingual(zh=zh, en=en),
    )
    return [(whom, "purchase.received.v1", data) for whom in (order.supplier, RETAILER)]


def told_late(order: PurchaseOrder, lines: Sequence[LateItem]) -> list[Told]:
    data = PurchaseLate(
        order=order.id,
        supplier=order.supplier,
        location=order.location,
        lines=list(lines),
        words=Bilingual(
            zh="货物逾期未到，请尽快交付或告知新的到货日期。",
            en="Goods have not come in time: deliver them, or say on which day they come.",
        ),
    )
    return [(whom, "purchase.late.v1", data) for whom in (order.supplier, RETAILER)]


_INVOICES = {
    "waits": ("发票已收到，等待收货。", "The invoice is taken in and waits for goods."),
    "mismatch": ("发票与订单或收货不符，等待核对。", "The invoice does not follow from order and receipts."),
    "matched": ("发票与订单及收货相符。", "The invoice matches order and receipts."),
    "accepted": ("发票经人工核对后接受。", "The invoice was accepted by somebody."),
    "rejected": ("发票被退回，请按说明重新开具。", "The invoice was sent back; see the reason."),
}


def told_invoice(order: PurchaseOrder, invoice: Invoice) -> list[Told]:
    zh, en = _INVOICES[invoice.state]
    data = PurchaseInvoiced(
        order=order.id,
        number=invoice.number,
        state=invoice.state,
        total=invoice.total,
        currency=order.currency,
        mismatches=invoice.mismatches,
        reason=invoice.reason,
        words=Bilingual(zh=zh, en=en),
    )
    return [(whom, "purchase.invoice.v1", data) for whom in (order.supplier, RETAILER)]
