"""Examples for the OpenAPI document. Those of requests are valid: tests send them."""

from datetime import UTC, datetime
from typing import Any

import orjson

from activities.orders.accept import order_document
from contracts.orders import OrderPlacement
from workers.gateway.answers import to_json
from workers.gateway.views import Workflows, order_view


def _rate(first_price: int, step_price: int, days: int) -> dict[str, Any]:
    return {"first_g": 1000, "first_price": first_price, "step_g": 1000, "step_price": step_price, "days": days}


ORDER: dict[str, Any] = {
    "id": "shop-100042",
    "channel": "online",
    "currency": "CNY",
    "lines": [
        {"line": 1, "sku": "tea-250g", "quantity": 2, "unit_price": 6800},
        {"line": 2, "sku": "cup-white", "quantity": 1, "unit_price": 3900},
    ],
    "discount": 500,
    "shipping_fee": 1000,
    "total": 18000,
    "payment": {"method": "prepaid"},
    "ship_to": {
        "name": "王芳",
        "address": "杭州市西湖区文三路 90 号",
        "division": "330106",
        "point": {"lat": 30.2741, "lon": 120.1551, "datum": "GCJ02"},
    },
}
CARD_ORDER: dict[str, Any] = {
    "channel": "online",
    "currency": "BRL",
    "lines": [{"line": 1, "sku": "tea-250g", "quantity": 1, "unit_price": 4990}],
    "total": 4990,
    "payment": {"method": "card", "token": "tok_1f9c"},
    "ship_to": {"division": "BR-SP", "point": {"lat": -23.5505, "lon": -46.6333, "datum": "WGS84"}},
}
LATER_ORDER: dict[str, Any] = {**ORDER, "id": "shop-100043", "payment": {"method": "later"}, "customer": "c-20481"}
PAYMENT: dict[str, Any] = {"amount": 18000, "reference": "wx-4200002811"}
GOODWILL: dict[str, Any] = {"key": "case-01kjt3w9x8c4m2p7q5:1", "amount": 1000, "reason": "two days late"}
ADDRESS: dict[str, Any] = {
    "ship_to": {
        "name": "王芳",
        "address": "宁波市鄞州区百丈东路 200 号",
        "division": "330212",
        "point": {"lat": 29.8683, "lon": 121.5764, "datum": "GCJ02"},
    }
}
RETURN: dict[str, Any] = {"parcel": "shop-100042.p1", "quantities": {"1": 1}, "reason": "changed_mind"}
LOST: dict[str, Any] = {"parcel": "shop-100042.p1", "reason": "lost", "wish": "replacement"}
SENDING: dict[str, Any] = {"tracking": "SF1390276642185"}
RETURN_RECEIPT: dict[str, Any] = {"lines": [{"line": 1, "sellable": 1}]}
ORDERS: dict[str, Any] = {"orders": [ORDER, CARD_ORDER]}
LOCATIONS: dict[str, Any] = {
    "locations": [
        {
            "id": "store-hangzhou-01",
            "kind": "store",
            "name": "杭州西湖店",
            "division": "330106",
            "point": {"lat": 30.2594, "lon": 120.1302, "datum": "GCJ02"},
            "channels": ["online", "store"],
            "accept_within_s": 1800,
            "time_zone": "Asia/Shanghai",
            "hours": {
                "monday": [{"opens": "09:00", "closes": "21:00"}],
                "saturday": [{"opens": "10:00", "closes": "12:30"}, {"opens": "13:30", "closes": "22:00"}],
                "closed": ["2027-02-06"],
            },
            "cut_off": "17:30",
            "capacity_per_day": 200,
            "capacity_per_hour": 30,
            "safety_stock": 1,
            "channel_buffers": {"online": 2},
            "ships_to": ["33", "3101"],
        },
        {"id": "warehouse-wuhan", "kind": "warehouse", "name": "武汉仓", "division": "420100"},
    ]
}
STOCK: dict[str, Any] = {
    "items": [
        {"location": "store-hangzhou-01", "sku": "tea-250g", "kind": "count", "quantity": 40},
        {
            "location": "warehouse-wuhan",
            "sku": "cup-white",
            "kind": "receipt",
            "quantity": 500,
            "reference": "delivery-note-8812",
        },
    ]
}
ORDER_RESULTS: dict[str, Any] = {
    "accepted": 1,
    "refused": 1,
    "results": [
        {"index": 0, "status": 202, "id": "shop-100042"},
        {
            "index": 1,
            "status": 422,
            "problem": {
                "type": "urn:tongqu:problem:unknown-sku",
                "title": "Unknown sku",
                "status": 422,
                "detail": "There is no SKU tea-250.",
                "code": "unknown_sku",
                "field": "lines.0.sku",
                "remedy": "Correct the SKU, or make it known with PUT /v1/skus or PUT /v1/stock.",
            },
        },
    ],
}
LOCATION_RESULTS: dict[str, Any] = {
    "accepted": 2,
    "refused": 0,
    "network_version": 7,
    "results": [
        {"index": 0, "status": 200, "id": "store-hangzhou-01", "outcome": "updated"},
        {"index": 1, "status": 201, "id": "warehouse-wuhan", "outcome": "created"},
    ],
}
STOCK_RESULTS: dict[str, Any] = {
    "accepted": 1,
    "refused": 0,
    "stock_version": 5120,
    "results": [
        {
            "index": 0,
            "status": 200,
            "location": "store-hangzhou-01",
            "sku": "tea-250g",
            "on_hand": 40,
            "reserved": 3,
            "available": 37,
            "outcome": "booked",
        }
    ],
}
SKUS: dict[str, Any] = {
    "skus": [
        {"sku": "tea-250g", "name": "龙井 250 g", "weight_g": 320, "volume_cm3": 1100, "category": "tea"},
        {"sku": "cup-white", "name": "白瓷杯", "weight_g": 280, "volume_cm3": 900},
    ]
}
CARRIERS: dict[str, Any] = {
    "carriers": [
        {
            "id": "shun",
            "name": "顺达快递",
            "services": [
                {
                    "id": "shun/express",
                    "name": "次日达",
                    "zones": [
                        {"zone": "same province", "same": 2},
                        {"zone": "delta", "origin": "33", "destination": "31"},
                        {"zone": "elsewhere"},
                    ],
                    "rates": {
                        "same province": _rate(1200, 200, 1),
                        "delta": _rate(1400, 300, 1),
                        "elsewhere": _rate(2300, 800, 3),
                    },
                    "surcharges": [{"destination": "54", "price": 2000, "days": 2}],
                }
            ],
        }
    ]
}
POLICY: dict[str, Any] = {
    "id": "pearl-river",
    "regions": ["44", "81", "82"],
    "rule": "cost",
    "max_parcels": 3,
    "radius_km": 800,
    "promise_s": 172800,
    "lateness_per_day": 800,
}
UPSERT_RESULTS: dict[str, Any] = {
    "accepted": 1,
    "refused": 1,
    "network_version": 8,
    "results": [
        {"index": 0, "status": 201, "id": "tea-250g", "outcome": "created"},
        {
            "index": 1,
            "status": 422,
            "problem": {
                "type": "urn:tongqu:problem:too-small",
                "title": "Too small",
                "status": 422,
                "detail": "Input should be greater than or equal to 1.",
                "code": "too_small",
                "field": "weight_g",
                "remedy": "Send 1 or more.",
            },
        },
    ],
}
REASON: dict[str, Any] = {"reason": "customer_changed_mind"}


def placed() -> dict[str, Any]:
    """The answer to ORDER, as the gateway makes it."""
    at = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    document = order_document(OrderPlacement.model_validate(ORDER), ORDER["id"], at)
    view: dict[str, Any] = orjson.loads(to_json(order_view(document, Workflows(None, "default"))))
    return view


RULES: dict[str, Any] = {
    "rules": [
        {"id": "sellers", "terms": "marketplace", "location_kind": "seller", "percent_bp": 1000, "per_parcel": 50},
        {"id": "sellers-tea", "terms": "marketplace", "category": "tea", "percent_bp": 800, "region": "33"},
        {"id": "advice", "terms": "sales", "percent_bp": 300, "valid_from": "2026-10-01T00:00:00+08:00"},
        {"id": "packing", "terms": "handling", "location_kind": "store", "per_parcel": 300},
        {"id": "freight", "terms": "freight", "location_kind": "seller", "percent_bp": 5000, "on_return": "keep"},
    ]
}
RULE_RESULTS: dict[str, Any] = {
    "accepted": 1,
    "refused": 0,
    "results": [{"index": 0, "status": 201, "id": "sellers", "version": 1, "outcome": "created"}],
}
SETTLEMENTS: dict[str, Any] = {"period": "2026-10", "partners": ["store-hangzhou-01"]}
APPROVAL: dict[str, Any] = {"note": "无误"}
OBJECTION: dict[str, Any] = {"lines": [{"line": 3, "reason": "退货未到店"}]}
DISPUTE_ANSWER: dict[str, Any] = {"line": 3, "accept": True, "reason": "核对无误", "correct_amount": 12600}
PAID: dict[str, Any] = {"reference": "bank-2026-11-05-0017"}
REVIEW_ITEM: dict[str, Any] = {"item": "food_licence", "decision": "return", "comment": "许可证已过期，请上传新证。"}
DECISION: dict[str, Any] = {"decision": "approve"}
SUSPENSION: dict[str, Any] = {"reason": "门店装修"}
RESUMPTION: dict[str, Any] = {"note": "装修完成"}
TERMINATION: dict[str, Any] = {"reason": "合同到期不再续约", "when_done": True}
RENEWAL: dict[str, Any] = {}
DOCUMENT_REVIEW: dict[str, Any] = {"requirement": "food_licence", "decision": "accept"}
APPLICATION: dict[str, Any] = {"kind": "franchise", "region": "330106", "categories": ["food", "household"]}
APPLICATION_FIELDS: dict[str, Any] = {
    "company": {
        "name": "杭州西湖百货有限公司",
        "credit_code": "91330100799655058B",
        "legal_representative": "王伟",
        "address": "杭州市西湖区文三路 100 号",
        "established_on": "2015-04-01",
    },
    "contact": {"name": "李娜", "phone": "13900000000", "email": "lina@example.com"},
    "territory": {"prefixes": ["330106"], "exclusive": False},
    "declarations": ["truthfulness"],
}
DOCUMENT_FACTS: dict[str, Any] = {
    "name": "杭州西湖百货有限公司",
    "credit_code": "91330100799655058B",
    "legal_representative": "王伟",
    "scope": "食品销售；日用百货销售",
    "valid_from": "2015-04-01",
    "long_term": True,
}
REQUIREMENT_SET: dict[str, Any] = {
    "id": "counter-zhejiang",
    "version": 1,
    "title": {"zh": "浙江专柜", "en": "Counter in Zhejiang"},
    "kinds": ["counter"],
    "regions": ["33"],
    "items": [
        {"id": "company", "kind": "form", "title": {"zh": "企业信息", "en": "Company"}},
        {
            "id": "business_licence",
            "kind": "document",
            "title": {"zh": "营业执照", "en": "Business licence"},
            "facts": ["name", "credit_code", "legal_representative", "scope", "valid_from", "valid_until"],
            "compared": ["name", "credit_code", "legal_representative"],
            "covers": "business",
            "expires": True,
        },
    ],
    "training": [{"id": "platform_basics", "title": {"zh": "平台操作基础", "en": "The platform"}, "within_days": 14}],
    "stock_feed": {"skus": 10, "every_minutes": 60},
}

RESEND = {"signer": "partner-1"}
CANCEL_AGREEMENT = {"reason": "佣金需要重新商定"}
