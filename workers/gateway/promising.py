"""What can be promised: units on hand less those reserved, by SKU and location, the nearest location first."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field

from contracts.divisions import division
from contracts.geo import Point, haversine_km, to_wgs84
from infra.mongo import Mongo


class LocationAvailability(BaseModel):
    """`distance_km` is null where the location's point, or the place asked for, is not known."""

    location: str
    on_hand: int
    reserved: int
    available: int
    distance_km: float | None


class SkuAvailability(BaseModel):
    """`available` counts all locations that serve the channel, also those beyond the list."""

    sku: str
    known: bool = Field(description="Whether any location ever reported this SKU.")
    available: int
    locations: list[LocationAvailability]


class Availability(BaseModel):
    """Available to promise, at the moment of reading; nothing is held."""

    channel: str
    items: list[SkuAvailability]


def centre_of(code: str) -> Point | None:
    """Centre of the prefecture that a division lies in. A province, which has none of its own here, gives None."""
    found = division(code)
    while found.centre is None and found.parent is not None:
        found = division(found.parent)
    return found.centre


async def availability(
    mongo: Mongo, skus: Sequence[str], channel: str, near: Point | None, limit: int
) -> dict[str, Any]:
    levels = [row async for row in mongo.stock.find({"sku": {"$in": list(skus)}, "on_hand": {"$gt": 0}})]
    places = {
        row["_id"]: row
        async for row in mongo.locations.find(
            {
                "_id": {"$in": sorted({row["location"] for row in levels})},
                "active": True,
                "channels": channel,
            },
            {"lat": 1, "lon": 1},
        )
    }
    known = {row["_id"] async for row in mongo.skus.find({"_id": {"$in": list(skus)}})}
    distances = _distances(places, near)
    items = []
    for sku in skus:
        rows = [_row(level, distances) for level in levels if level["sku"] == sku and level["location"] in places]
        rows = sorted((row for row in rows if row["available"] > 0), key=_nearest_first)
        units = sum(row["available"] for row in rows)
        items.append({"sku": sku, "known": sku in known, "available": units, "locations": rows[:limit]})
    return {"channel": channel, "items": items}


def _distances(places: Mapping[str, Mapping[str, Any]], near: Point | None) -> dict[str, float | None]:
    if near is None:
        return dict.fromkeys(places)
    here = to_wgs84(near)
    return {
        place: None if row["lat"] is None else haversine_km(here.lat, here.lon, row["lat"], row["lon"])
        for place, row in places.items()
    }


def _row(level: Mapping[str, Any], distances: Mapping[str, float | None]) -> dict[str, Any]:
    distance = distances[level["location"]]
    return {
        "location": level["location"],
        "on_hand": level["on_hand"],
        "reserved": level["reserved"],
        "available": level["on_hand"] - level["reserved"],
        "distance_km": None if distance is None else round(distance, 3),
    }


def _nearest_first(row: Mapping[str, Any]) -> tuple[float, int, str]:
    """A location of which nobody knows where it is comes last; without a place asked for, the fullest comes first."""
    distance = row["distance_km"]
    return (float("inf") if distance is None else distance, -row["available"], row["location"])
