"""Examples for the OpenAPI document. They are valid: tests send them."""

from typing import Any

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
REASON: dict[str, Any] = {"reason": "customer_changed_mind"}
