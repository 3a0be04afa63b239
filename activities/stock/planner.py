"""The planner's view: the network and what is available, kept in step with the ledger, one version at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from activities.orders.network import Availability, Network
from contracts.partners import Location
from infra.mongo import Mongo, Session


class Planner:
    """What the router plans on. Every change of stock takes the next version number inside its transaction, and its
    ledger rows carry that number; so reading the rows above the known version brings the view exactly up to date.
    """

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self.network = Network([], version=-1)
        self.stock = Availability(self.network)
        self.version = -1

    async def catch_up(self) -> None:
        """Bring the view up to the newest committed version."""
        found = self._mongo.counters.find({"_id": {"$in": ["stock", "network"]}})
        counters = {row["_id"]: row["version"] async for row in found}
        if self.version < 0 or counters.get("network", 0) != self.network.version:
            await self.load()
        elif counters.get("stock", 0) > self.version:
            await self._read_ledger()

    async def load(self) -> None:
        """Read the network and all levels anew, at one moment."""

        async def read(session: Session) -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, int]]:
            counters = {
                c["_id"]: c["version"] async for c in self._mongo.counters.find({}, session=session) if "version" in c
            }
            places = [p async for p in self._mongo.locations.find({}, session=session).sort("_id")]
            levels = [
                level
                async for level in self._mongo.stock.find(
                    {}, {"_id": 0, "location": 1, "sku": 1, "on_hand": 1, "reserved": 1}, session=session
                ).batch_size(10_000)
            ]
            return places, levels, counters

        places, levels, counters = await self._mongo.snapshot(read)
        self.network = Network(
            [Location(id=p["_id"], **{k: v for k, v in p.items() if k != "_id"}) for p in places],
            version=counters.get("network", 0),
        )
        self.stock = Availability(self.network)
        self.stock.change_all((row["location"], row["sku"], row["on_hand"] - row["reserved"]) for row in levels)
        self.version = counters.get("stock", 0)

    async def _read_ledger(self) -> None:
        rows = self._mongo.ledger.find({"version": {"$gt": self.version}}).sort([("version", 1), ("row", 1)])
        newest = self.version
        async for row in rows:
            for change in row["changes"]:
                units = change.get("on_hand", 0) - change.get("reserved", 0)
                self.stock.change(row["location"], change["sku"], units)
            newest = max(newest, row["version"])
        self.version = newest

    def forget(self) -> None:
        """Read everything again before the next plan."""
        self.version = -1

    @contextmanager
    def draft(self) -> Iterator["Draft"]:
        """Plan in place; unless the draft is kept, the view is as it was before."""
        draft = Draft(self.version)
        self.stock.changes = []
        try:
            yield draft
        finally:
            changes, self.stock.changes = self.stock.changes, None
            if draft.kept_as is None:
                self.stock.change_all((place, sku, -units) for place, sku, units in changes or [])
            else:
                self.version = draft.kept_as


class Draft:
    """A plan in the making, on the stock at `planned_on`."""

    def __init__(self, planned_on: int) -> None:
        self.planned_on = planned_on
        self.kept_as: int | None = None

    def keep(self, version: int) -> None:
        """The plan was written, as this version."""
        self.kept_as = version
