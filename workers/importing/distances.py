"""How far parcels travel: as they were sent here, as they really were, and from the nearest seller. Pure."""

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from activities.orders.network import Network
from contracts.partners import Location
from workers.importing.olist import Olist, Seller


@dataclass(slots=True)
class Travelled:
    """Kilometres of each parcel of so many orders."""

    orders: int = 0
    km: list[float] = field(default_factory=list)

    def add(self, parcels: Iterable[float]) -> None:
        self.orders += 1
        self.km += parcels

    @property
    def sum_km(self) -> float:
        return sum(self.km)

    @property
    def mean_km(self) -> float | None:
        return statistics.fmean(self.km) if self.km else None

    @property
    def median_km(self) -> float | None:
        return statistics.median(self.km) if self.km else None

    @property
    def per_order_km(self) -> float | None:
        return self.sum_km / self.orders if self.orders else None


@dataclass(slots=True)
class Comparison:
    """The same orders three times. `unknown`: orders that were sent, but some seller's place is not known."""

    here: Travelled = field(default_factory=Travelled)
    really: Travelled = field(default_factory=Travelled)
    nearest: Travelled = field(default_factory=Travelled)
    unknown: int = 0


def compare(olist: Olist, sent_from: Mapping[str, list[str]]) -> Comparison:
    """`sent_from`: the sellers whose parcels were sent, by order; orders that were not sent are no part of it.

    Really: a parcel from each seller who shipped. Nearest: each category from the nearest seller who ever sold it,
    as if the stock were without limit; what comes from the same seller is one parcel.
    """
    map_ = _Map(olist)
    comparison = Comparison()
    for item in olist.orders:
        order = item.body["id"]
        if not sent_from.get(order):
            continue
        point = item.body["ship_to"]["point"]
        km = map_.distances(point["lat"], point["lon"])
        here, really = (map_.parcels(km, sellers) for sellers in (sent_from[order], olist.shipped_by[order]))
        nearest = map_.nearest(km, {line["sku"] for line in item.body["lines"]})
        if here is None or really is None or nearest is None:
            comparison.unknown += 1
            continue
        for travelled, parcels in zip(
            (comparison.here, comparison.really, comparison.nearest), (here, really, nearest), strict=True
        ):
            travelled.add(parcels)
    return comparison


class _Map:
    """Sellers, and who of them sells what, as arrays."""

    def __init__(self, olist: Olist) -> None:
        self._network = Network([_located(seller) for seller in olist.sellers.values()])
        self._sells = {
            sku: np.array([self._network.index[seller] for seller in sold]) for sku, sold in olist.units.items()
        }

    def distances(self, lat: float, lon: float) -> Any:
        """Kilometres to every seller; infinite where the seller's place is unknown."""
        return self._network.distances_km(lat, lon)

    def parcels(self, km: Any, sellers: Iterable[str]) -> list[float] | None:
        """None when a seller is none of the file, or nobody knows where one is."""
        places = [self._network.index.get(seller) for seller in sellers]
        found = [float(km[place]) for place in places if place is not None and np.isfinite(km[place])]
        return found if len(found) == len(places) else None

    def nearest(self, km: Any, skus: set[str]) -> list[float] | None:
        places = {int(self._sells[sku][np.argmin(km[self._sells[sku]])]) for sku in skus}
        found = [float(km[place]) for place in places]
        return found if all(np.isfinite(found)) else None


def _located(seller: Seller) -> Location:
    lat, lon = seller.place or (None, None)
    return Location(
        id=seller.id,
        kind="seller",
        name=seller.city,
        division=seller.division,
        lat=lat,
        lon=lon,
        active=True,
        channels=[],
        accept_within_s=1,
        ship_within_s=1,
    )
