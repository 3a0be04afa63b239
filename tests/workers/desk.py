"""An operator at a terminal: runs the `tongqu` command, and looks after the orders of a small shop."""

import json
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import orjson

from contracts.events import REPLY_TYPE
from contracts.subjects import reply_subject
from infra.mongo import Mongo
from infra.nats import connect_by
from infra.processes import Process
from tests.support import eventually
from workers.shop import Shop
from workers.system import System

NEAR, FAR = "near-store", "far-store"
HOME = {"lat": 30.25, "lon": 120.16, "datum": "WGS84"}
"""In Hangzhou."""


class Said(NamedTuple):
    status: int
    out: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Desk:
    """An operator at a terminal, and the shop whose orders are looked after."""

    def __init__(self, system: System, shop: Shop, mongo: Mongo) -> None:
        self.system = system
        self.shop = shop
        self.mongo = mongo

    async def tongqu(self, *arguments: object) -> Said:
        return await run_tongqu(self.system.data_dir, *arguments)

    async def answers(self, store: str, *replies: dict[str, Any]) -> None:
        """A store answers on its own subject."""
        nats = await connect_by(self.system.settings, "desk")
        event = {"specversion": "1.0", "id": uuid.uuid4().hex, "source": store, "type": REPLY_TYPE}
        body = orjson.dumps({**event, "data": {"replies": replies}})
        await nats.jetstream().publish(reply_subject(store), body)
        await nats.close()

    async def place(self, sku: str = "tea", quantity: int = 1, **changes: Any) -> str:
        order = f"desk-{uuid.uuid4().hex[:8]}"
        body = {
            "id": order,
            "lines": [{"line": 1, "sku": sku, "quantity": quantity, "unit_price": 1250}],
            "total": 1250 * quantity,
            "ship_to": {"division": "330106", "point": HOME},
            **changes,
        }
        [result] = await self.shop.place([body])
        assert result["status"] == 202, result
        return order

    async def dispatched(self, quantity: int = 1) -> str:
        order = await self.place(quantity=quantity)
        await self.reaches(order, "dispatched")
        return order

    async def reaches(self, order: str, stage: str) -> None:
        async def there() -> bool:
            return bool((await self.order(order))["stage"] == stage)

        await eventually(there, timeout=20, message=f"{order} never came to be {stage}")

    async def order(self, order: str) -> dict[str, Any]:
        return dict(await self.shop.send("GET", f"/v1/orders/{order}"))


async def run_tongqu(
    data_dir: Path, *arguments: object, timeout_s: float = 90, environment: Mapping[str, str] | None = None
) -> Said:
    """With no setting of ours from outside; `environment` are those that are wanted."""
    wanted = {"TONGQU_DATA_DIR": str(data_dir), "TONGQU_MONGO_CACHE_GB": "0.5", **(environment or {})}
    ours = {name: value for name, value in os.environ.items() if not name.startswith("TONGQU_")}
    with TemporaryDirectory() as folder:
        said = Path(folder) / "said"
        tongqu = Process.of_module("tongqu", "workers.cli", *map(str, arguments), log=said, env=wanted, inherited=ours)
        tongqu.start()
        try:
            assert await tongqu.wait(timeout_s), f"{arguments} has not ended within {timeout_s:g} s"
        finally:
            tongqu.kill()
        status = tongqu.returncode
        assert status is not None
        return Said(status, said.read_text())
