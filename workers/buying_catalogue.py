"""Events about purchase orders: to whom each goes, and an example; and what suppliers send."""

from datetime import UTC, date, datetime, timedelta

from contracts.buying import Mismatch, ReceivedLine
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
    SupplierDispute,
)
from contracts.buying_replies import (
    PURCHASE_REPLY_TYPE,
    SUPPLY_TYPE,
    PurchaseReplies,
    PurchaseReply,
    PurchaseReplyEvent,
    PurchaseReplyLine,
    SupplyEvent,
    SupplyItem,
    SupplyItems,
)
from contracts.partner_events import Bilingual
from contracts.subjects import RETAILER
from workers.catalogue import LOCATION, Told

_AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_ORDER = "po-east-2026-03-02-1"
_SUPPLIER = "partner-01kjt3w9x8c4m2p7q5"
_STORE = "store-hangzhou-1"
_SKU = "tea-longjing-250g"
_DUE = date(2026, 3, 13)

OF_PURCHASES: tuple[Told, ...] = (
    Told(
        "purchase.ordered.v1",
        LOCATION,
        "Please deliver this to the location. Answer with `purchase.replies.v1` before `answer_by`: confirmed, "
        "declined or countered; told again as a reminder, and without an answer it is bought elsewhere.",
        _ORDER,
        PurchaseOrdered(
            order=_ORDER,
            location=_STORE,
            currency="CNY",
            lines=[OrderedItem(line=1, sku=_SKU, quantity=240, unit_price=5_200, due=_DUE)],
            answer_by=_AT + timedelta(days=2),
            words=Bilingual(zh="请确认、拒绝或提出其他条件。", en="Please confirm, decline, or offer it otherwise."),
        ),
    ),
    Told(
        "purchase.cancelled.v1",
        LOCATION,
        "Do not deliver these units any more.",
        _ORDER,
        PurchaseCancelled(
            order=_ORDER,
            lines=[CancelledItem(line=1, sku=_SKU, quantity=240)],
            reason="no_answer",
            words=Bilingual(zh="以下数量请不要再交付。", en="Do not deliver these units any more."),
        ),
    ),
    Told(
        "purchase.changed.v1",
        LOCATION,
        "How a purchase order stands from now on. Also told to the retailer, also before the supplier is asked.",
        _ORDER,
        PurchaseChanged(
            order=_ORDER,
            supplier=_SUPPLIER,
            location=_STORE,
            state="confirmed",
            words=Bilingual(
                zh="采购订单已确认，请按期交货。", en="The purchase order is confirmed; deliver it in time."
            ),
        ),
    ),
    Told(
        "purchase.received.v1",
        LOCATION,
        "What came. Damaged units are still owed; excess and wrong goods were not taken in. Also told to the retailer.",
        _ORDER,
        PurchaseReceived(
            order=_ORDER,
            reference="DN-20260312-7",
            lines=[ReceivedLine(sku=_SKU, line=1, good=236, damaged=4, days=-1)],
            open_units=4,
            words=Bilingual(zh="已收货，但有差异。", en="Goods were received, and something is wrong."),
        ),
    ),
    Told(
        "purchase.late.v1",
        LOCATION,
        "Goods that were expected have not come; told again every few working days. Say with `postponed` when they "
        "come. Also told to the retailer.",
        _ORDER,
        PurchaseLate(
            order=_ORDER,
            supplier=_SUPPLIER,
            location=_STORE,
            lines=[LateItem(line=1, sku=_SKU, open=240, expected=_DUE, days=1)],
            words=Bilingual(zh="货物逾期未到。", en="Goods have not come in time."),
        ),
    ),
    Told(
        "purchase.invoice.v1",
        LOCATION,
        "What became of an invoice: it waits for goods, matches, does not follow from order and receipts, or was "
        "decided by somebody. Also told to the retailer.",
        _ORDER,
        PurchaseInvoiced(
            order=_ORDER,
            number="INV-881",
            state="mismatch",
            total=1_252_800,
            currency="CNY",
            mismatches=[Mismatch(line=1, code="price", invoiced=5_220, right=5_200, amount=4_800)],
            words=Bilingual(zh="发票与订单或收货不符。", en="The invoice does not follow from order and receipts."),
        ),
    ),
    Told(
        "supplier.dispute.v1",
        LOCATION,
        "A line of your score that you object to, and what became of it. `answer_by`: the end of the time of those who "
        "have it; `escalated`: how often it was given to the next ones; `why` is `not_answered` when it is accepted "
        "because nobody answered. Also told to the retailer, with `role`, and as a reminder.",
        _SUPPLIER,
        SupplierDispute(
            supplier=_SUPPLIER,
            order=_ORDER,
            line=1,
            state="accepted",
            reason="门店停电，当天拒收。",
            answer="已核实。",
            words=Bilingual(zh="异议成立，该行不再计入评分。", en="Accepted: the line does not count any more."),
        ),
    ),
    Told(
        "purchase.waits.v1",
        RETAILER,
        "Somebody of the retailer's is waited for: to approve, to answer a counter-offer, or to see to an invoice. "
        "Told again as a reminder, and when it was given to the next role.",
        _ORDER,
        PurchaseWaits(
            order=_ORDER,
            kind="approval",
            role="buyer",
            value=1_248_000,
            currency="CNY",
            due=_AT + timedelta(days=1),
            words=Bilingual(zh="采购订单等待审批。", en="An order waits for approval."),
        ),
    ),
    Told(
        "purchase.elsewhere.v1",
        RETAILER,
        "What a supplier does not deliver is ordered of others; of the SKUs `nowhere` nobody else delivers.",
        _ORDER,
        PurchaseElsewhere(
            order=_ORDER,
            supplier=_SUPPLIER,
            location=_STORE,
            orders=[f"{_ORDER}.n1"],
            nowhere=[],
            words=Bilingual(zh="已改向其他供应商采购。", en="It is ordered of other suppliers."),
        ),
    ),
)

PURCHASES_ANSWERED = PurchaseReplyEvent(
    specversion="1.0",
    id="7d1e0c52-0b7a-4b53-9d0c-0c8c7a1f5e33",
    source=_SUPPLIER,
    type=PURCHASE_REPLY_TYPE,
    time=_AT,
    data=PurchaseReplies(
        replies=[
            PurchaseReply(id=f"{_ORDER}:confirmed", order=_ORDER, kind="confirmed"),
            PurchaseReply(
                id=f"{_ORDER}:shipped-1",
                order=_ORDER,
                kind="shipped",
                reference="DN-20260312-7",
                expected=date(2026, 3, 12),
                lines=[PurchaseReplyLine(line=1, quantity=240)],
            ),
        ]
    ),
)
"""An example."""

SUPPLY_REPORTED = SupplyEvent(
    specversion="1.0",
    id="2f6d6a0e-64f5-4b53-8a3e-5b8f9a1c7e44",
    source=_SUPPLIER,
    type=SUPPLY_TYPE,
    time=_AT,
    data=SupplyItems(items=[SupplyItem(sku=_SKU, on_hand=1_200, per_week=600, lead_days=6)]),
)
"""An example."""
