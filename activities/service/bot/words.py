"""All that the first level says, in both languages."""

import json
from functools import cache
from pathlib import Path

from contracts.applications import Language
from contracts.bot import Intent

_SAID = Path(__file__).with_name("said.json")

INTENT_NAMES: dict[Language, dict[Intent, str]] = {
    "zh": {
        "order_status": "查询订单进度", "delivery_eta": "查询什么时候送到", "cancel_order": "取消订单",
        "change_address": "修改收货信息", "return_request": "退换货", "refund_status": "查询退款进度",
        "price_protection": "申请价格保护", "invoice": "开发票", "nearest_outlet": "查找附近的网点",
        "opening_hours": "查询营业时间", "complaint": "投诉或反映问题", "talk_to_human": "找人工客服",
        "other": "其他问题",
    },
    "en": {
        "order_status": "see how far your order is", "delivery_eta": "know when it will arrive",
        "cancel_order": "cancel an order", "change_address": "change where an order goes",
        "return_request": "return or exchange something", "refund_status": "see how a refund is coming along",
        "price_protection": "get a price difference back", "invoice": "get an invoice",
        "nearest_outlet": "find the nearest outlet", "opening_hours": "know when we are open",
        "complaint": "make a complaint", "talk_to_human": "speak to a person", "other": "ask something else",
    },
}  # fmt: skip


def said(kind: str, language: Language, **values: str) -> str:
    """A sentence with its `{name}` filled in. Raises KeyError for what has no words."""
    return sentences()[kind][language].format_map(values).strip()


@cache
def sentences() -> dict[str, dict[Language, str]]:
    """By kind and language, out of said.json."""
    found: dict[str, dict[Language, str]] = json.loads(_SAID.read_text("utf-8"))
    return found
