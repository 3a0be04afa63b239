"""Carriers' tables and their deliveries, read from the database and kept for a while."""

import time

from pydantic import TypeAdapter

from contracts.carriers import Carrier, Scan
from infra.mongo import Mongo

KEPT_S = 5.0
DELIVERIES_KEPT_S = 600.0
LOOKED_AT = 200
"""Orders, the newest first, whose deliveries a service's speed is learned from."""
_SCANS = TypeAdapter(list[Scan])


class Tables:
    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._carriers: list[Carrier] = []
        self._read_at = float("-inf")
        self._deliveries: dict[str, tuple[float, list[list[Scan]]]] = {}

    async def carriers(self) -> list[Carrier]:
        """All carriers, also those that are not active."""
        if time.monotonic() - self._read_at > KEPT_S:
            found = self._mongo.carriers.find().sort("_id", 1)
            self._carriers = [Carrier.from_row(row) async for row in found]
            self._read_at = time.monotonic()
        return self._carriers

    async def deliveries(self, service: str) -> list[list[Scan]]:
        """Scans of the last parcels that a service delivered."""
        read_at, known = self._deliveries.get(service, (float("-inf"), []))
        if time.monotonic() - read_at > DELIVERIES_KEPT_S:
            known = await self._read_deliveries(service)
            self._deliveries[service] = time.monotonic(), known
        return known

    async def _read_deliveries(self, service: str) -> list[list[Scan]]:
        query = {"stage": "closed", "parcels.service": {"$type": "string", "$eq": service}}
        found = self._mongo.orders.find(query, {"parcels": 1}).sort("closed_at", -1).limit(LOOKED_AT)
        return [
            _SCANS.validate_python(parcel["scans"])
            async for row in found
            for parcel in row["parcels"]
            if parcel["service"] == service and parcel["state"] == "delivered" and parcel.get("scans")
        ]
