"""From places on earth to places on the picture: an azimuthal equidistant projection around the customer. Pure.

Distances and directions from the customer are true, so that rings of distance are circles.
Formulas: Snyder, Map Projections - A Working Manual (USGS Professional Paper 1395), pp. 195-196.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from contracts.geo import EARTH_RADIUS_KM

LatLon = tuple[float, float]
XY = tuple[float, float]
_LEAST_KM = 2.0
"""The picture is never smaller than so many kilometres each way."""
_NICE = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class View:
    """`scale` in pixels a kilometre; `origin` is the customer's place in pixels."""

    centre: LatLon
    width: float
    height: float
    scale: float
    origin: XY

    def place(self, point: LatLon) -> XY:
        east, north = kilometres(self.centre, point)
        return self.origin[0] + east * self.scale, self.origin[1] - north * self.scale

    def holds(self, at: XY, margin: float = 0.0) -> bool:
        return margin <= at[0] <= self.width - margin and margin <= at[1] <= self.height - margin


def kilometres(centre: LatLon, point: LatLon) -> XY:
    """East and north of the centre."""
    phi0, lam0, phi, lam = (math.radians(angle) for angle in (*centre, *point))
    cos_c = math.sin(phi0) * math.sin(phi) + math.cos(phi0) * math.cos(phi) * math.cos(lam - lam0)
    # By the chord, which stays exact for near points.
    half = math.sin((phi - phi0) / 2) ** 2 + math.cos(phi0) * math.cos(phi) * math.sin((lam - lam0) / 2) ** 2
    angle = 2 * math.asin(min(math.sqrt(half), 1.0))
    if angle == 0:
        return 0.0, 0.0
    stretch = angle / math.sin(angle) if cos_c > -1 and math.sin(angle) > 1e-12 else 1.0
    east = stretch * math.cos(phi) * math.sin(lam - lam0)
    north = stretch * (math.cos(phi0) * math.sin(phi) - math.sin(phi0) * math.cos(phi) * math.cos(lam - lam0))
    return EARTH_RADIUS_KM * east, EARTH_RADIUS_KM * north


def view_of(centre: LatLon, points: Sequence[LatLon], width: float, height: float, margin: float) -> View:
    """A view that holds the customer and all points, `margin` pixels from the edges."""
    spread = [(0.0, 0.0), *(kilometres(centre, point) for point in points)]
    west, east = min(x for x, _ in spread), max(x for x, _ in spread)
    south, north = min(y for _, y in spread), max(y for _, y in spread)
    wide, high = max(east - west, _LEAST_KM), max(north - south, _LEAST_KM)
    scale = min((width - 2 * margin) / wide, (height - 2 * margin) / high)
    middle = ((west + east) / 2, (south + north) / 2)
    return View(centre, width, height, scale, (width / 2 - middle[0] * scale, height / 2 + middle[1] * scale))


def nice(most: float) -> float:
    """The largest of 1, 2, 5, 10, 20, 50, ... that is not above `most`."""
    power = 10.0 ** math.floor(math.log10(most))
    return max(step * power for step in _NICE if step * power <= most * (1 + 1e-9))


def rings(farthest_km: float) -> list[float]:
    """Radii in kilometres: two to five rings, the last of them around the farthest place."""
    farthest = max(farthest_km, _LEAST_KM)
    step = next(step for step in (nice(farthest / 5 * more) for more in (1, 1.5, 2, 3)) if farthest / step <= 5)
    return [step * number for number in range(1, math.ceil(farthest / step) + 1)]


def graticule(view: View) -> list[tuple[str, list[XY]]]:
    """Meridians and parallels as lines with their labels, some four to nine each way."""
    lat0, lon0 = view.centre
    reach = math.hypot(view.width, view.height) / view.scale
    high = math.degrees(reach / EARTH_RADIUS_KM)
    wide = min(high / max(math.cos(math.radians(lat0)), 0.1), 170.0)
    lines = []
    for name, positive, negative, middle, around, across, fixed_lat in (
        ("lat", "N", "S", lat0, high, (lon0, wide), True),
        ("lon", "E", "W", lon0, wide, (lat0, high), False),
    ):
        step = nice(max(around / 3, 0.001))
        for number in range(math.floor((middle - around) / step), math.ceil((middle + around) / step) + 1):
            value = number * step
            if abs(value) > (85 if name == "lat" else 360):
                continue
            along = [across[0] - across[1] + 2 * across[1] * part / 48 for part in range(49)]
            points = [(value, other) if fixed_lat else (max(min(other, 85.0), -85.0), value) for other in along]
            shown = abs((value + 180) % 360 - 180) if name == "lon" else abs(value)
            side = positive if (value if name == "lat" else (value + 180) % 360 - 180) >= 0 else negative
            lines.append((f"{shown:g}°{side}" if shown > 1e-9 else "0°", [view.place(point) for point in points]))
    return lines
