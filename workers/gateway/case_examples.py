"""Examples of what is said about cases."""

from typing import Any

from contracts.cases import Doing

OPENING: dict[str, Any] = {
    "customer": "c-20481",
    "order": "shop-100042",
    "channel": "app",
    "text": "我的快递到哪了？",
}
COMPLAINT: dict[str, Any] = {
    "kind": "complaint",
    "customer": "c-20481",
    "order": "shop-100042",
    "text": "等了一周还没到，太慢了！",
    "priority": "high",
}
COMMANDS: dict[Doing, dict[str, Any]] = {
    "say": {"text": "还没有收到。"},
    "rate": {"score": 5},
    "reply": {"text": "非常抱歉，我们已联系门店，今天寄出。"},
    "note": {"text": "已致电门店，店长答应今天发货。"},
    "assign": {"assignee": "lin"},
    "escalate": {"reason": "the customer asks for a lead"},
    "prioritise": {"priority": "urgent", "reason": "medicine"},
    "ask_partner": {"text": "When will the parcel be handed over?"},
    "compensate": {"amount": 1000, "reason": "two days late"},
    "decide": {"number": 1, "approve": True},
    "correct": {"action": "reroute", "reason": "the store is closed"},
    "resolve": {"code": "solved", "fault": "partner", "text": "已为您补发，请留意物流。"},
    "reopen": {"reason": "the customer has called"},
    "merge": {"into": "case-01kjt3w9x8c4m2p7q5"},
}
