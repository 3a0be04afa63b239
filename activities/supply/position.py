"""Inventory positions: what is on hand, and everything that is open, whatever its date."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from activities.stock.arrivals import wanted
from activities.supply.planned import Key
from contracts.buying import AWAITED
from contracts.geo import haversine_km
from contracts.ids import stock_id
from contracts.orders import Stage
from contracts.partners import Location
from contracts.replenishing import Region
from contracts.supply import Position
from contracts.workdays import Day
from infra.mongo import Mongo

_NEVER: Mapping[Key, Day] = {}
_APPROVED = {"state": {"$in": ["approved", "changed"]}}


async def positions(
    mongo: Mongo, series: Sequence[Key], backorders: Mapping[Key, int], comes: Mapping[Key, Day] = _NEVER
) -> dict[Key, Position]:
    """Of each series. Everything that is open counts once: approved and not ordered yet, ordered, under way.

    `comes`: the day on which what is ordered now would come, where it could be ordered.
    """
    places, skus = sorted({place for place, _ in series}), sorted({sku for _, sku in series})
    purchases, moving_in, moving_out = Counter[Key](), Counter[Key](), Counter[Key]()
    before = await _ordered(mongo, places, skus, purchases, comes)
    await _approved(mongo, places, skus, purchases, moving_in, moving_out)
    await _transfers(mongo, places, skus, moving_in)
    levels = {
        (row["location"], row["sku"]): (row["on_hand"], row["reserved"])
        async for row in mongo.stock.find({"_id": {"$in": [stock_id(*key) for key in series]}})
    }
    return {
        key: Position(
            on_hand=levels.get(key, (0, 0))[0],
            reserved=levels.get(key, (0, 0))[1],
            backorders=backorders.get(key, 0),
            purchases=purchases[key],
            before=before[key],
            transfers_in=moving_in[key],
            transfers_out=moving_out[key],
        )
        for key in set(series)
    }


async def _ordered(
    mongo: Mongo, places: list[str], skus: list[str], purchases: Counter[Key], comes: Mapping[Key, Day]
) -> Counter[Key]:
    """Lines of purchase orders on which goods are still to come. Returns what of them is expected earlier than what is
    ordered now; what is late may come any day."""
    before = Counter[Key]()
    found = {"state": {"$in": list(AWAITED)}, "location": {"$in": places}, "lines.sku": {"$in": skus}}
    async for row in mongo.purchase_orders.find(found, {"location": 1, "lines": 1}):
        for line in row["lines"]:
            asked = line["ordered"] if line.get("confirmed") is None else line["confirmed"]
            left = asked - line.get("received", 0) - line.get("cancelled", 0)
            key = (row["location"], line["sku"])
            purchases[key] += max(left, 0)
            day = line.get("expected") or line.get("promised") or line["due"]
            if key in comes and day < f"{comes[key]}":
                before[key] += max(left, 0)
    return before


async def _approved(
    mongo: Mongo,
    places: list[str],
    skus: list[str],
    purchases: Counter[Key],
    moving_in: Counter[Key],
    moving_out: Counter[Key],
) -> None:
    """Proposals that were approved, and that are no order or transfer yet."""
    there = {"$or": [{"location": {"$in": places}}, {"kind": "transfer", "source": {"$in": places}}]}
    kept = {"kind": 1, "source": 1, "location": 1, "sku": 1, "quantity": 1}
    async for row in mongo.proposals.find({**_APPROVED, **there, "sku": {"$in": skus}}, kept):
        to = (row["location"], row["sku"])
        if row["kind"] == "purchase":
            purchases[to] += row["quantity"]
        else:
            moving_in[to] += row["quantity"]
            moving_out[row["source"], row["sku"]] += row["quantity"]


async def _transfers(mongo: Mongo, places: list[str], skus: list[str], moving_in: Counter[Key]) -> None:
    """Until they are shipped their goods are reserved at the source, and counted there as that."""
    found = {
        "state": {"$in": ["approved", "shipped"]},
        "destination": {"$in": places},
        "lines.sku": {"$in": skus},
    }
    async for row in mongo.transfers.find(found, {"destination": 1, "state": 1, "lines": 1}):
        for line in row["lines"]:
            left = line["shipped"] - line["received"] - line["damaged"] - line["lost"]
            moving_in[row["destination"], line["sku"]] += line["held"] if row["state"] == "approved" else left


async def read_backorders(
    mongo: Mongo, region: Region, places: Mapping[str, Location], known: Iterable[Key]
) -> Counter[Key]:
    """Units that back-ordered orders of a region wait for, at the nearest location that has the SKU, or has had it.

    An order that waits is nobody's; it will go to one of these when the goods are there.
    """
    carrying: dict[str, list[Location]] = {}
    for location, sku in known:
        if location in places:
            carrying.setdefault(sku, []).append(places[location])
    inside = [one for one in places.values() if region.holds(one.division)]
    units = Counter[Key]()
    kept = {"lines": 1, "parcels.state": 1, "parcels.items": 1, "division": 1, "lat": 1, "lon": 1}
    async for row in mongo.orders.find({"stage": Stage.BACKORDERED}, kept):
        if not region.holds(row["division"]):
            continue
        for sku, left in wanted(row["lines"], row["parcels"]).items():
            nearest = min(carrying.get(sku) or inside, key=lambda one: _far(one, row), default=None)
            if nearest is not None:
                units[nearest.id, sku] += left
    return units


def _far(place: Location, order: Mapping[str, Any]) -> tuple[float, str]:
    if place.lat is None or place.lon is None:
        return (float("inf"), place.id)
    return (haversine_km(place.lat, place.lon, order["lat"], order["lon"]), place.id)


def regional(parts: Iterable[Position]) -> Position:
    """Of a whole region: everything in it. What goes from one of its locations to another counts once, as coming."""
    whole = Position()
    for one in parts:
        for name in Position.model_fields:
            setattr(whole, name, getattr(whole, name) + getattr(one, name))
    return whole
