"""The planner's view: the network and what is available, kept in step with the ledger, one version at a time."""

import asyncio
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any

from activities.orders.network import Availability, Network
from activities.orders.prices import Prices
from activities.stock.expecting import cover_days, expected_orders
from activities.stock.reading import read_all
from contracts.carriers import Carrier
from contracts.partners import Location
from contracts.routing import Policy
from contracts.skus import Article
from contracts.stock import PARCELS
from infra.mongo import Mongo

PRICES_KEPT_S = 60.0
PRICES_WAITED_S = 1.0
SHARED_FOR_S = 10.0
"""So long after another process has moved goods for orders it is reckoned with."""
_log = logging.getLogger(__name__)


class Planner:
    """What the router plans on. Every change of stock takes the next version number inside its transaction, and its
    ledger rows carry that number; so reading the rows above the known version brings the view exactly up to date.
    """

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self.network = Network([], version=-1)
        self.stock = Availability(self.network)
        self.version = -1
        self.prices = Prices()
        self._priced: tuple[Any, ...] | None = None
        self._tried: tuple[Any, ...] | None = None
        self._set_at: datetime | None = None
        self._pricing: asyncio.Task[None] | None = None
        self._others_at = -SHARED_FOR_S

    @property
    def shared(self) -> bool:
        """Whether other processes plan on the same stock."""
        return time.monotonic() - self._others_at < SHARED_FOR_S

    async def catch_up(self) -> None:
        """Bring the view up to the newest committed version."""
        found = self._mongo.counters.find({"_id": {"$in": ["stock", "network"]}})
        counters = {row["_id"]: row["version"] async for row in found}
        newest = counters.get("stock", 0)
        if counters.get("network", 0) != self.network.version or not 0 <= self.version <= newest:
            await self.load()
        elif newest > self.version:
            await self._read_ledger()

    async def load(self) -> None:
        """Read the network, all levels and the parcels that count against capacities anew, at one moment."""
        kept = await self._mongo.snapshot(partial(read_all, self._mongo))
        if kept.counters.get("network", 0) != self.network.version:
            self.prices, self._priced = Prices(), None
        self.network = Network(
            [Location.from_row(row) for row in kept.locations],
            version=kept.counters.get("network", 0),
            carriers=[Carrier.from_row(row) for row in kept.carriers],
            articles={row["_id"]: Article.from_row(row) for row in kept.articles},
        )
        self.stock = Availability(self.network)
        self.stock.change_all((row["location"], row["sku"], row["on_hand"] - row["reserved"]) for row in kept.levels)
        for row in kept.parcels:
            self.stock.count(row["location"], row["slot"], PARCELS[row["kind"]] * row["parcels"])
        self.version = kept.counters.get("stock", 0)

    async def set_prices(self, policies: Sequence[Policy], now: datetime) -> None:
        """Scarcity prices for today's expectations and the stock as it is; worked out anew after a while.

        Waits a moment for them. What takes longer goes on beside, and orders are routed by the prices before.
        """
        basis = (now.date(), self.network.version, tuple((p.id, p.version) for p in policies))
        fresh = self._set_at is not None and abs((now - self._set_at).total_seconds()) < PRICES_KEPT_S
        if self._pricing is None and not (basis == self._tried and fresh):
            self._pricing = asyncio.create_task(self._price(basis, policies, now))
        if self._pricing is not None:
            await asyncio.wait({self._pricing}, timeout=PRICES_WAITED_S)

    async def _price(self, basis: tuple[Any, ...], policies: Sequence[Policy], now: datetime) -> None:
        try:
            network, stock, prices = self.network, self.stock, self.prices
            if basis != self._priced:
                prices = Prices(await expected_orders(self._mongo, network, policies, now))
            await asyncio.to_thread(prices.update, stock, cover_days(policies))
            if network.version == self.network.version:
                self.prices, self._priced = prices, basis
        except Exception:
            _log.exception("scarcity prices could not be worked out; orders are routed by the ones before")
        finally:
            self._set_at, self._tried, self._pricing = now, basis, None

    async def _read_ledger(self) -> None:
        rows = self._mongo.ledger.find({"version": {"$gt": self.version}}, {"at": 0}).sort([("version", 1), ("row", 1)])
        newest = self.version
        async for row in rows:
            if row.get("order"):
                self._others_at = time.monotonic()
            if row.get("slot"):
                self.stock.count(row["location"], row["slot"], PARCELS[row["kind"]])
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
        self.stock.changes, self.stock.counts = [], []
        try:
            yield draft
        finally:
            changes, self.stock.changes = self.stock.changes, None
            counts, self.stock.counts = self.stock.counts, None
            if draft.kept_as is None:
                self.stock.change_all((place, sku, -units) for place, sku, units in changes or [])
                for place, slot, parcels in counts or []:
                    self.stock.count(place, slot, -parcels)
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
