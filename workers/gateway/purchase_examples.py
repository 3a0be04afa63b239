"""Examples of requests about purchase orders, for the OpenAPI document. They are valid."""

from typing import Any

_ORDER = "po-east-2026-03-02-1"
ASKED: dict[str, Any] = {
    "supplier": "partner-01kjt3w9x8c4m2p7q5",
    "location": "store-hangzhou-01",
    "lines": [{"sku": "tea-250g", "quantity": 240, "unit_price": 5200, "due": "2030-03-13"}],
    "reason": "opening of the store",
}
APPROVAL: dict[str, Any] = {"note": "as planned"}
REJECTION: dict[str, Any] = {"reason": "the season is over"}
COUNTER_ANSWER: dict[str, Any] = {"accept": False, "reason": "we need all of it", "elsewhere": True}
RECEIPT: dict[str, Any] = {
    "reference": "DN-20260312-7",
    "items": [{"sku": "tea-250g", "quantity": 236, "damaged": 4}],
}
INVOICE: dict[str, Any] = {
    "number": "INV-881",
    "total": 1_227_200,
    "lines": [{"line": 1, "quantity": 236, "unit_price": 5200}],
}
INVOICE_DECISION: dict[str, Any] = {"number": "INV-881", "accept": True, "reason": "agreed by phone"}
CANCELLATION: dict[str, Any] = {"reason": "it comes too late", "lines": [1]}
TERMS: dict[str, Any] = {
    "levels": [{"up_to": 500_000}, {"up_to": 5_000_000, "role": "buyer"}, {"role": "purchasing_lead"}],
    "four_eyes_above": 1_000_000,
    "accept_later_days": 1,
    "objections": {"roles": ["buyer", "purchasing_lead"], "answer_work_s": 201_600},
}
APPROVERS: dict[str, Any] = {
    "approvers": [
        {"name": "wang", "roles": ["buyer"], "up_to": 2_000_000},
        {"name": "li", "roles": ["buyer"]},
        {"name": "zhao", "roles": ["purchasing_lead", "purchasing_director"]},
    ]
}
OBJECTION: dict[str, Any] = {"order": _ORDER, "line": 1, "reason": "门店停电，当天拒收。"}
OBJECTION_ANSWER: dict[str, Any] = {**OBJECTION, "accept": True, "reason": "已核实。"}
