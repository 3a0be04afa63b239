"""A world for purchase orders: suppliers, places, sources, and what they and the retailer say."""

import itertools
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import orjson
from temporalio.client import Client, WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from activities.buying.carrying import BuyingActivities
from activities.buying.versions import keep_approvers
from contracts.base import milliseconds
from contracts.buying import PurchaseOrder
from contracts.buying_replies import PurchaseReply
from contracts.partnership import PartnerRecord
from contracts.purchasing import Command, Standing
from contracts.supply import ApprovalLimit, OrderAsked, OrderLine, Sourcing
from contracts.workdays import add_workdays, day_of
from infra.mongo import Mongo
from tests.purchasing import ANYBODY
from tests.support import eventually
from workers.buying import PurchaseStarter

STORE = "store-1"


class Purchasing:
    """The retailer's purchasing and its suppliers."""

    def __init__(self, mongo: Mongo, env: WorkflowEnvironment, task_queue: str, activities: BuyingActivities) -> None:
        self.mongo = mongo
        self.env = env
        self.activities = activities
        self.starter = PurchaseStarter(mongo, env.client, task_queue=task_queue)
        self._numbers = itertools.count(1)

    @property
    def client(self) -> Client:
        return self.env.client

    async def now(self) -> datetime:
        return milliseconds(await self.env.get_current_time())

    async def prepare(self) -> None:
        await keep_approvers(self.mongo, ANYBODY, "tests", await self.now())
        await self.mongo.locations.insert_one({"_id": STORE, "name": "茶庄", "division": "330106"})
        for sku in ("tea", "cup"):
            await self.mongo.skus.insert_one({"_id": sku})

    async def supplier(self, name: str, price: int, *, lead_days: int = 5, skus: tuple[str, ...] = ("tea",)) -> str:
        record = PartnerRecord.model_validate(
            {
                "id": name,
                "kind": "supplier",
                "state": "active",
                "name": name,
                "credit_code": "91330100799655058B",
                "application": f"app-{name}",
                "agreement": f"agr-{name}",
                "agreement_until": datetime.fromisoformat("2030-01-01T00:00:00Z"),
            }
        )
        await self.mongo.partners.insert_one(record.as_row())
        for sku in skus:
            source = Sourcing(id=f"{name}:{sku}:", supplier=name, sku=sku, price=price, lead_days=lead_days)
            await self.mongo.sourcing.insert_one(source.as_row())
        return name

    def asked(self, supplier: str, now: datetime, *lines: tuple[str, int], price: int = 100, **more: Any) -> OrderAsked:
        """What a run hands over when its proposals were approved."""
        number = next(self._numbers)
        due = add_workdays("CN", day_of(now), 5)
        fields: dict[str, Any] = {
            "id": f"po-run-{number}",
            "run": "run",
            "supplier": supplier,
            "location": STORE,
            "currency": "CNY",
            "lines": [
                OrderLine(
                    proposal=f"run:purchase:{supplier}:{STORE}:{sku}:{number}",
                    sku=sku,
                    quantity=units,
                    price=price,
                    due=due,
                )
                for sku, units in lines or [("tea", 10)]
            ],
            "limits": [ApprovalLimit()],
            "by": "planner",
            "at": now,
        }
        return OrderAsked(**{**fields, **more})

    async def order(self, supplier: str, *lines: tuple[str, int], **more: Any) -> WorkflowHandle[Any, str]:
        """An order whose workflow runs."""
        asked = self.asked(supplier, await self.now(), *lines, **more)
        made = await self.activities.order(asked)
        await self.starter.once()
        return self.handle(made)

    def handle(self, order: str) -> WorkflowHandle[Any, str]:
        return self.client.get_workflow_handle(order, result_type=str)

    async def says(self, order: str, kind: str, **fields: Any) -> str:
        """A supplier's answer, as the door writes it down; its id."""
        known = await self.known(order)
        number = next(self._numbers)
        reply = PurchaseReply.model_validate({"id": f"r{number}", "order": order, "kind": kind, **fields})
        row = {
            "_id": f"{known.supplier}:{reply.id}",
            "order": order,
            "partner": known.supplier,
            "reply": reply.model_dump(mode="json"),
            "received_at": await self.now(),
            "drained": None,
        }
        await self.mongo.purchase_inbox.insert_one(row)
        await self.starter.once()
        return reply.id

    async def do(self, order: str, by: str = "buyer", **command: Any) -> Standing:
        asked = Command.model_validate({"by": by, **command})
        standing: Standing = await self.handle(order).execute_update("command", asked, result_type=Standing)
        return standing

    async def receive(self, order: str, reference: str, *items: tuple[str, int]) -> Standing:
        made = [{"sku": sku, "quantity": units} for sku, units in items]
        return await self.do(order, receive={"reference": reference, "items": made})

    async def known(self, order: str) -> PurchaseOrder:
        row = await self.mongo.purchase_orders.find_one({"_id": order})
        assert row is not None, f"there is no order {order}"
        return PurchaseOrder.from_row(row)

    async def stands(self, order: str, state: str, also: Callable[[PurchaseOrder], Any] | None = None) -> PurchaseOrder:
        async def look() -> PurchaseOrder | None:
            row = await self.mongo.purchase_orders.find_one({"_id": order})
            known = PurchaseOrder.from_row(row) if row else None
            return known if known and known.state == state and (also is None or also(known)) else None

        found: PurchaseOrder | None = await eventually(look, timeout=60, message=f"{order} never was {state}")
        assert found is not None
        return found

    async def told(self, partner: str, kind: str | None = None) -> list[dict[str, Any]]:
        """Data of the events that somebody is to hear, in their order."""
        found = []
        async for row in self.mongo.outbox.find({}).sort("key", 1):
            for event in row["events"]:
                if event["partner"] == partner and kind in (None, event["type"]):
                    found.append({"kind": event["type"], **orjson.loads(event["body"])["data"]})
        return found

    async def shelf(self, sku: str) -> int:
        row = await self.mongo.stock.find_one({"_id": f"{STORE}/{sku}"})
        return int(row["on_hand"]) if row else 0

    async def pass_days(self, days: float) -> None:
        await self.env.sleep(timedelta(days=days))


def day(moment: datetime, ahead: int) -> str:
    made: date = add_workdays("CN", day_of(moment), ahead)
    return made.isoformat()
