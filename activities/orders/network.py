"""The network as the router sees it: locations as arrays, and what is available at each of them."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from contracts.partners import Location

EARTH_RADIUS_KM = 6371.0088
"""Mean radius of the earth (IUGG)."""


def unit_vectors(lat: NDArray[np.float64], lon: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points on the unit sphere, shape (n, 3), from WGS84 degrees."""
    phi, lam = np.radians(lat), np.radians(lon)
    return np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], axis=1)


class Network:
    """Locations in a fixed order. Arrays below are indexed by a location's place in that order."""

    def __init__(self, locations: Sequence[Location], version: int = 0) -> None:
        self.version = version
        self.locations = list(locations)
        self.index = {location.id: i for i, location in enumerate(self.locations)}
        lat = np.array([np.nan if loc.lat is None else loc.lat for loc in self.locations], dtype=float)
        lon = np.array([np.nan if loc.lon is None else loc.lon for loc in self.locations], dtype=float)
        self._vectors = unit_vectors(lat, lon)
        self.active = np.array([loc.active for loc in self.locations], dtype=bool)
        self._by_channel: dict[str, NDArray[np.bool_]] = {}

    def __len__(self) -> int:
        return len(self.locations)

    def serves(self, channel: str) -> NDArray[np.bool_]:
        """Which locations take orders of a channel."""
        if channel not in self._by_channel:
            mask = [channel in location.channels for location in self.locations]
            self._by_channel[channel] = np.array(mask, dtype=bool)
        return self._by_channel[channel]

    def distances_km(self, lat: float, lon: float) -> NDArray[np.float64]:
        """Great-circle distance to every location; infinite where a location has no point, so that it comes last.

        By the chord between unit vectors, 2 R asin(c / 2), which stays exact for near points.
        """
        between = self._vectors - unit_vectors(np.array([lat]), np.array([lon]))[0]
        chord = np.sqrt(np.einsum("ij,ij->i", between, between))
        distance = 2 * EARTH_RADIUS_KM * np.arcsin(np.minimum(chord / 2, 1.0))
        return np.where(np.isnan(distance), np.inf, distance)

    def times(self, location: str) -> tuple[int, int]:
        """Seconds to answer an offer, and to hand over after acceptance."""
        found = self.locations[self.index[location]]
        return found.accept_within_s, found.ship_within_s


class Availability:
    """Units available per SKU and location: on hand less reserved. Changed in place as orders are planned."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._zeros = np.zeros(len(network), dtype=np.int64)
        self._units: dict[str, NDArray[np.int64]] = {}
        self.changes: list[tuple[str, str, int]] | None = None
        """While this is a list, every change is noted in it, so that a plan can be taken back."""

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
