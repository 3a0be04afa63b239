"""A small network with a history: stores, suppliers, policies, and months of orders that drew on them."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from activities.stock.booking import book
from contracts.hours import TIME_ZONE
from contracts.partners import LocationUpsert
from contracts.partnership import PartnerRecord
from contracts.replenishing import Region, TransferTerms
from contracts.stock import Change, Movement
from contracts.supply import Sourcing, SupplyPolicy
from infra.mongo import Mongo, Session

PRICE = 2_000
SUPPLIER = "supplier-1"
HERE = (30.27, 120.15)


class Network:
    """Stores in Hangzhou some kilometres apart, one supplier, and what was asked of the stores."""

    def __init__(self, mongo: Mongo, now: datetime) -> None:
        self.mongo = mongo
        self.now = now
        self.today = now.astimezone(ZoneInfo(TIME_ZONE)).date()
        self._orders = 0

    async def open(self, *stores: str, **settings: Any) -> None:
        for number, store in enumerate(stores):
            upsert = LocationUpsert.model_validate(
                {"id": store, "name": store, "division": "330106", "kind": "store", **settings}
            )
            row = {**upsert.kept(), "lat": HERE[0] + 0.05 * number, "lon": HERE[1], "version": 1}
            await self.mongo.locations.insert_one({"_id": store, **row})

    async def region(self, **settings: Any) -> Region:
        fields = {"id": "east", "history_days": 120, "transfers": TransferTerms(fixed=200, per_km=10, vehicle_fixed=0)}
        region = Region.model_validate({**fields, **settings})
        await self.mongo.supply_regions.insert_one(region.as_row())
        return region

    async def supplier(
        self,
        *skus: str,
        price: int = PRICE,
        minimum: int = 1,
        multiple: int = 1,
        lead_days: int = 5,
        name: str = SUPPLIER,
    ) -> None:
        record = PartnerRecord.model_validate(
            {
                "id": name,
                "kind": "supplier",
                "state": "active",
                "name": name,
                "credit_code": "91330100799655058B",
                "application": f"app-{name}",
                "agreement": f"agr-{name}",
                "agreement_until": datetime.fromisoformat("2040-01-01T00:00:00Z"),
            }
        )
        await self.mongo.partners.update_one({"_id": name}, {"$setOnInsert": record.model_dump()}, upsert=True)
        for sku in skus:
            source = Sourcing(
                id=f"{name}:{sku}:",
                supplier=name,
                sku=sku,
                price=price,
                minimum=minimum,
                multiple=multiple,
                lead_days=lead_days,
            )
            await self.mongo.sourcing.insert_one(source.as_row())

    async def policy(self, **fields: Any) -> SupplyPolicy:
        policy = SupplyPolicy.model_validate(fields)
        row = {"_id": f"{policy.id}@{policy.version}", **policy.model_dump()}
        await self.mongo.supply_policies.insert_one(row)
        return policy

    async def stock(self, levels: Mapping[str, Mapping[str, int]], at: datetime | None = None) -> None:
        """Received at `at`, by default before all history."""
        moment = at or self.start(self.today - timedelta(days=200))

        async def work(session: Session) -> None:
            counter = await self.mongo.counters.find_one({"_id": "stock"}, session=session)
            assert counter is not None
            movements = [
                Movement(
                    id=f"received:{place}:{counter['version']}",
                    kind="received",
                    location=place,
                    changes=[Change(sku=sku, on_hand=units) for sku, units in skus.items()],
                    at=moment,
                )
                for place, skus in levels.items()
            ]
            await book(self.mongo, session, movements, counter["version"])

        await self.mongo.transaction(work)

    def start(self, day: date) -> datetime:
        return datetime.combine(day, time(12), ZoneInfo(TIME_ZONE))

    async def sold(self, demand: Mapping[tuple[str, str], Sequence[int]]) -> None:
        """Orders that were delivered: units by location and SKU for each of the last days, yesterday the last."""
        rows = []
        for (store, sku), days in demand.items():
            for back, units in enumerate(reversed(list(days)), 1):
                if units:
                    rows.append(self._order(store, sku, int(units), self.start(self.today - timedelta(days=back))))
        for begin in range(0, len(rows), 5_000):
            await self.mongo.orders.insert_many(rows[begin : begin + 5_000], ordered=False)

    def _order(self, store: str, sku: str, units: int, at: datetime) -> dict[str, Any]:
        """As much of a document as replenishment reads."""
        self._orders += 1
        item = {"line": 1, "sku": sku, "quantity": units}
        return {
            "_id": f"past-{self._orders}",
            "stage": "closed",
            "batch": "batch-past",
            "placed_at": at,
            "division": "330106",
            "lines": [item],
            "parcels": [{"id": f"past-{self._orders}.p1", "location": store, "items": [item], "attempt": 1}],
        }


def poisson(mean: float, days: int, seed: int) -> list[int]:
    return [int(units) for units in np.random.default_rng(seed).poisson(mean, days)]
