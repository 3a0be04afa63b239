"""The network as the router sees it: locations as arrays, their limits, and what is available at each of them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from math import asin, cos, isinf, radians, sin, sqrt
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from activities.orders.tariffs import Tariffs
from contracts.carriers import Carrier
from contracts.hours import add_open_time
from contracts.partners import Location
from contracts.skus import Article

EARTH_RADIUS_KM = 6371.0088
"""Mean radius of the earth (IUGG)."""
_NO_ARTICLES: Mapping[str, Article] = {}


def unit_vectors(lat: NDArray[np.float64], lon: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points on the unit sphere, shape (n, 3), from WGS84 degrees."""
    phi, lam = np.radians(lat), np.radians(lon)
    return np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], axis=1)


def kilometres(chords: NDArray[np.float64]) -> NDArray[np.float64]:
    """Great-circle distances from squared chords: 2 R asin(c / 2)."""
    known = 2 * EARTH_RADIUS_KM * np.arcsin(np.minimum(np.sqrt(chords) / 2, 1.0))
    return np.where(np.isinf(chords), np.inf, known)


def kilometre(chord: float) -> float | None:
    """One such distance, to the metre; None where a location has no point. For the few that are shown."""
    return None if isinf(chord) else round(2 * EARTH_RADIUS_KM * asin(min(sqrt(chord) / 2, 1.0)), 3)


def chord_of(kilometres_apart: float) -> float:
    """The squared chord of a distance."""
    half = min(kilometres_apart / (2 * EARTH_RADIUS_KM), np.pi / 2)
    return float((2 * np.sin(half)) ** 2)


def slot_of(time_zone: str, moment: datetime) -> str:
    """The local hour against which a parcel counts, such as 2026-11-23T14; its first ten characters are the day."""
    return f"{moment.astimezone(ZoneInfo(time_zone)):%Y-%m-%dT%H}"


class Network:
    """Locations in a fixed order. Arrays below are indexed by a location's place in that order."""

    def __init__(
        self,
        locations: Sequence[Location],
        version: int = 0,
        carriers: Sequence[Carrier] = (),
        articles: Mapping[str, Article] = _NO_ARTICLES,
    ) -> None:
        self.version = version
        self.locations = list(locations)
        self.index = {location.id: i for i, location in enumerate(self.locations)}
        self.carriers = carriers
        self.tariffs = Tariffs(carriers, self.locations)
        self.articles = articles
        lat = np.array([np.nan if loc.lat is None else loc.lat for loc in self.locations], dtype=float)
        lon = np.array([np.nan if loc.lon is None else loc.lon for loc in self.locations], dtype=float)
        vectors = np.nan_to_num(unit_vectors(lat, lon), nan=np.inf)
        self._columns = np.ascontiguousarray(vectors.T)
        self.active = np.array([loc.active for loc in self.locations], dtype=bool)
        self._by_channel: dict[str, NDArray[np.bool_]] = {}
        self._kept_back: dict[str, NDArray[np.int64] | None] = {}
        self._standing: dict[tuple[str, str], Standing] = {}
        self.limited = frozenset(
            place
            for place, loc in enumerate(self.locations)
            if loc.capacity_per_day is not None or loc.capacity_per_hour is not None
        )

    def __len__(self) -> int:
        return len(self.locations)

    def serves(self, channel: str) -> NDArray[np.bool_]:
        """Which locations take orders of a channel."""
        if channel not in self._by_channel:
            mask = [channel in location.channels for location in self.locations]
            self._by_channel[channel] = np.array(mask, dtype=bool)
        return self._by_channel[channel]

    def licensed(self, division: str) -> NDArray[np.bool_]:
        """Which locations may ship to a division."""
        mask = [not loc.ships_to or any(division.startswith(p) for p in loc.ships_to) for loc in self.locations]
        return np.array(mask, dtype=bool)

    def standing(self, channel: str, division: str) -> "Standing":
        """Who may ship from a channel to a division at all; it depends on master data only, and is kept."""
        key = (channel, division)
        if key not in self._standing:
            self._standing[key] = self._stand(channel, division)
        return self._standing[key]

    def _stand(self, channel: str, division: str) -> "Standing":
        able = np.ones(len(self.locations), dtype=bool)
        ruled_out: dict[str, NDArray[np.intp]] = {}
        tests = {"inactive": self.active, "channel": self.serves(channel), "region_licence": self.licensed(division)}
        if self.tariffs.known:
            tests["no_carrier"] = self.tariffs.served(division)
        for reason, mask in tests.items():
            lost = able & ~mask
            if lost.any():
                ruled_out[reason] = np.flatnonzero(lost)
                able = able & mask
        return Standing(able, ruled_out)

    def kept_back(self, channel: str) -> NDArray[np.int64] | None:
        """Units of every SKU that orders of a channel must leave on the shelf; None: nowhere any."""
        if channel not in self._kept_back:
            units = [loc.safety_stock + loc.channel_buffers.get(channel, 0) for loc in self.locations]
            self._kept_back[channel] = np.array(units, dtype=np.int64) if any(units) else None
        return self._kept_back[channel]

    def chords(self, lat: float, lon: float) -> NDArray[np.float64]:
        """Squared chords between a point and every location on the unit sphere: they grow with the distance.

        Infinite where a location has no point, so that it comes last. Unlike the angle, exact for near points too.
        """
        phi, lam = radians(lat), radians(lon)
        x, y, z = cos(phi) * cos(lam), cos(phi) * sin(lam), sin(phi)
        ours = self._columns
        chords: NDArray[np.float64] = (ours[0] - x) ** 2 + (ours[1] - y) ** 2 + (ours[2] - z) ** 2
        return chords

    def distances_km(self, lat: float, lon: float) -> NDArray[np.float64]:
        """Great-circle distance to every location, infinite where a location has no point."""
        return kilometres(self.chords(lat, lon))

    def times(self, location: str, now: datetime) -> tuple[int, int]:
        """Seconds from `now` in which an offer must be answered, closed hours included; and to hand over."""
        found = self.locations[self.index[location]]
        answer_by = add_open_time(found.hours, found.time_zone, now, found.accept_within_s)
        return int((answer_by - now).total_seconds()), found.ship_within_s


class Standing(NamedTuple):
    """`able` by place; and the places ruled out, by reason, each under its first one. Not to be changed."""

    able: NDArray[np.bool_]
    ruled_out: Mapping[str, NDArray[np.intp]]


class Availability:
    """Units available per SKU and location: on hand less reserved; and parcels counted against capacities.

    Changed in place as orders are planned.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._zeros = np.zeros(len(network), dtype=np.int64)
        self._units: dict[str, NDArray[np.int64]] = {}
        self._parcels: dict[tuple[int, str], int] = {}
        self.changes: list[tuple[str, str, int]] | None = None
        """While this is a list, every change is noted in it, so that a plan can be taken back."""
        self.counts: list[tuple[str, str, int]] | None = None
        """The same for parcels counted: location, slot, parcels."""

    def skus(self) -> list[str]:
        return list(self._units)

    def of(self, sku: str) -> NDArray[np.int64]:
        return self._units.get(sku, self._zeros)

    def at(self, location: str, sku: str) -> int:
        return int(self.of(sku)[self._network.index[location]])

    def change(self, location: str, sku: str, units: int) -> None:
        """Add units (negative: take away). A location that is not in the network has no say in planning."""
        place = self._network.index.get(location)
        if place is None:
            return
        if self.changes is not None:
            self.changes.append((location, sku, units))
        if sku not in self._units:
            self._units[sku] = self._zeros.copy()
        self._units[sku][place] += units

    def change_all(self, changes: Iterable[tuple[str, str, int]]) -> None:
        for location, sku, units in changes:
            self.change(location, sku, units)

    def count(self, location: str, slot: str, parcels: int) -> None:
        """Count parcels against the hour and the day of a slot."""
        place = self._network.index.get(location)
        if place is None:
            return
        if self.counts is not None:
            self.counts.append((location, slot, parcels))
        for key in ((place, slot), (place, slot[:10])):
            self._parcels[key] = self._parcels.get(key, 0) + parcels

    def full(self, now: datetime) -> list[int]:
        """Places that have no capacity left in this hour or on this day, in their own time."""
        found = []
        for place in self._network.limited:
            location = self._network.locations[place]
            slot = slot_of(location.time_zone, now)
            day, hour = self._parcels.get((place, slot[:10]), 0), self._parcels.get((place, slot), 0)
            if (location.capacity_per_day is not None and day >= location.capacity_per_day) or (
                location.capacity_per_hour is not None and hour >= location.capacity_per_hour
            ):
                found.append(place)
        return found
