"""Two stores and a SKU of a test's own, so that tests on one running system do not meet."""

import itertools
from dataclasses import dataclass
from typing import Any

from nats.js import JetStreamContext

from infra.mongo import Mongo
from tests.e2e.partner import Partner
from tests.support import eventually
from workers.shop import Shop

_numbers = itertools.count(1)


@dataclass
class Places:
    shop: Shop
    sku: str
    near: Partner
    far: Partner
    division: str = "460100"

    @classmethod
    async def open(
        cls, shop: Shop, jetstream: JetStreamContext, accept_within_s: int = 60, division: str = "460100"
    ) -> "Places":
        number = next(_numbers)
        sku = f"sku-test-{number}"
        names = [f"test-{number}-near", f"test-{number}-far"]
        locations = [
            {
                "id": name,
                "name": name,
                "division": division,
                "point": {"lat": 18.0 + i, "lon": 112.0, "datum": "WGS84"},
                "accept_within_s": accept_within_s,
            }
            for i, name in enumerate(names)
        ]
        await shop.put_locations(locations)
        await shop.put_stock([{"location": name, "sku": sku, "quantity": 10} for name in names])
        return cls(shop, sku, Partner(names[0], jetstream), Partner(names[1], jetstream), division)

    def body(self, **changes: Any) -> dict[str, Any]:
        return {
            "id": f"{self.sku}-order-{next(_numbers)}",
            "currency": "CNY",
            "lines": [{"line": 1, "sku": self.sku, "quantity": 1, "unit_price": 500}],
            "total": 500,
            "ship_to": {"division": self.division, "point": {"lat": 18.0, "lon": 112.0, "datum": "WGS84"}},
            **changes,
        }

    async def place(self, **changes: Any) -> str:
        """Place an order for one unit, right beside the near store; its id."""
        placed = await self.shop.send("POST", "/v1/orders", self.body(**changes))
        return str(placed["id"])


async def reaches(mongo: Mongo, order: str, stage: str, timeout: float = 30) -> dict[str, Any]:
    """Wait until an order is at a stage; its document."""

    async def there() -> dict[str, Any] | None:
        return await mongo.orders.find_one({"_id": order, "stage": stage})

    row: dict[str, Any] | None = await eventually(there, timeout=timeout, message=f"{order} never reached {stage}")
    assert row is not None
    return row
