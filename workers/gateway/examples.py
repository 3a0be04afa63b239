"""Examples for the OpenAPI document. Those of requests are valid: tests send them."""

from datetime import UTC, datetime
from typing import Any

import orjson

from activities.orders.accept import order_document
from contracts.orders import OrderPlacement
from workers.gateway.answers import to_json
from workers.gateway.views import Workflows, order_view

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
                "remedy": "Correct the SKU, or make it known by reporting its stock with PUT /v1/stock.",
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
REASON: dict[str, Any] = {"reason": "customer_changed_mind"}


def placed() -> dict[str, Any]:
    """The answer to ORDER, as the gateway makes it."""
    at = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    document = order_document(OrderPlacement.model_validate(ORDER), ORDER["id"], at)
    view: dict[str, Any] = orjson.loads(to_json(order_view(document, Workflows(None, "default"))))
    return view
