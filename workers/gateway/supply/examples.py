"""Examples of the OpenAPI document."""

from typing import Any

REGION: dict[str, Any] = {
    "id": "east",
    "name": "华东",
    "divisions": ["31", "32", "33"],
    "hubs": ["warehouse-jiaxing"],
    "cron": "0 3 * * *",
    "transfers": {"least_units": 20, "cut_off": "14:00"},
}
SOURCING: dict[str, Any] = {
    "sourcing": [
        {
            "supplier": "partner-01kjt3w9x8c4m2p7q5",
            "sku": "tea-250",
            "locations": "33",
            "price": 2500,
            "minimum": 24,
            "multiple": 12,
            "lead_days": 5,
        }
    ]
}
PROMOTIONS: dict[str, Any] = {
    "promotions": [
        {
            "id": "double-12",
            "first_day": "2026-12-10",
            "last_day": "2026-12-12",
            "skus": ["tea-250"],
            "divisions": ["33"],
            "strength": 0.8,
        }
    ]
}
HISTORY: dict[str, Any] = {
    "rows": [
        {"location": "store-hangzhou-01", "sku": "tea-250", "date": "2026-10-01", "quantity": 17, "promotion": 0.6},
        {
            "location": "store-hangzhou-01",
            "sku": "tea-250",
            "date": "2026-10-02",
            "quantity": 9,
            "out_of_stock_hours": 5.5,
        },
        {"location": "store-hangzhou-01", "sku": "tea-250", "date": "2026-10-03", "quantity": 0, "stock_out": True},
    ]
}
POLICY: dict[str, Any] = {
    "id": "fresh",
    "categories": ["fresh"],
    "service": {"kind": "fill", "value": 0.95},
    "review_days": 1,
    "order_multiple": 6,
    "shelf_capacity": 240,
    "approve_below": 50_000,
}
RUN: dict[str, Any] = {"region": "east"}
APPROVAL: dict[str, Any] = {"where": {"run": "supply-east-2026-11-23T030000Z", "value_at_most": 200_000}}
REJECTION: dict[str, Any] = {
    "ids": ["supply-east-2026-11-23T030000Z:purchase:partner-01kjt3w9x8c4m2p7q5:store-hangzhou-01:tea-250"],
    "reason": "The line is going out.",
}
CHANGE: dict[str, Any] = {"proposals": [{"id": REJECTION["ids"][0], "quantity": 48, "reason": "A promotion ended."}]}
SHIP: dict[str, Any] = {}
RECEIVE: dict[str, Any] = {"reference": "DN-2026-1187", "lines": [{"sku": "tea-250", "units": 23, "damaged": 1}]}
BECAUSE: dict[str, Any] = {"reason": "The store is being rebuilt."}
