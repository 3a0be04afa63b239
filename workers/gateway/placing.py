"""From a caller's JSON to an order document, or to the reasons why not. One order never spoils another."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from activities.orders.accept import order_document
from contracts.orders import OrderPlacement
from contracts.refusals import Refusal
from workers.gateway.accept import OrderDocument, id_taken
from workers.gateway.body import parse
from workers.gateway.faults import Fault, codes_of, refused
from workers.gateway.results import refused_item
from workers.gateway.services import Gateway

PLACEMENT: TypeAdapter[OrderPlacement] = TypeAdapter(OrderPlacement)
_TURN = 50
"""Orders worked on in one go; then others get their turn, because a thousand would stop everybody for long."""


def read_order(value: Any, lines_max: int) -> OrderPlacement:
    """Raises Refusal."""
    placement = parse(PLACEMENT, value)
    if len(placement.lines) > lines_max:
        remedy = f"Send at most {lines_max} lines; share the rest out over further orders."
        raise refused([Fault("lines", "too_many", f"The order has {len(placement.lines)} lines.", remedy)])
    return placement


def skus_of(placement: OrderPlacement) -> set[str]:
    return {line.sku for line in placement.lines}


def refuse_unknown(placement: OrderPlacement, unknown: set[str]) -> None:
    """Raises Refusal when the order names a SKU that does not exist."""
    faults = [
        Fault(
            f"lines.{place}.sku",
            "unknown_sku",
            f"There is no SKU {line.sku}.",
            "Correct the SKU, or make it known with PUT /v1/skus or PUT /v1/stock.",
        )
        for place, line in enumerate(placement.lines)
        if line.sku in unknown
    ]
    if faults:
        raise refused(faults)


async def unknown_sellers(gateway: Gateway, placements: Iterable[OrderPlacement]) -> set[str]:
    """Locations that are said to have made a sale, but do not exist."""
    named = {placement.sold_by for placement in placements if placement.sold_by is not None}
    if not named:
        return set()
    rows = gateway.mongo.locations.find({"_id": {"$in": sorted(named)}}, {"_id": 1})
    return named - {row["_id"] async for row in rows}


def refuse_unknown_seller(placement: OrderPlacement, unknown: set[str]) -> None:
    """Raises Refusal: a commission would be owed to nobody."""
    if placement.sold_by in unknown:
        remedy = "Correct the id, or register the location with PUT /v1/locations."
        raise refused([Fault("sold_by", "unknown_location", f"There is no location {placement.sold_by}.", remedy)])


def document_of(placement: OrderPlacement, made_id: str, now: datetime) -> OrderDocument:
    """`made_id` is taken where the caller named none."""
    return order_document(placement, placement.id or made_id, now)


async def place_all(gateway: Gateway, values: Sequence[Any], made_ids: Sequence[str]) -> list[dict[str, Any]]:
    """Results of a bulk request, in order."""
    results: dict[int, dict[str, Any]] = {}
    placements: dict[int, OrderPlacement] = {}
    for index, value in enumerate(values):
        if index % _TURN == _TURN - 1:
            await asyncio.sleep(0)
        try:
            placements[index] = read_order(value, gateway.limits.lines_per_order)
        except Refusal as refusal:
            results[index] = _refused(gateway, index, refusal)
    results |= await _place_read(gateway, placements, made_ids)
    return [results[index] for index in range(len(values))]


async def _place_read(
    gateway: Gateway, placements: dict[int, OrderPlacement], made_ids: Sequence[str]
) -> dict[int, dict[str, Any]]:
    results: dict[int, dict[str, Any]] = {}
    documents: dict[int, OrderDocument] = {}
    unknown = await gateway.skus.unknown({sku for placement in placements.values() for sku in skus_of(placement)})
    strangers = await unknown_sellers(gateway, placements.values())
    # Many requests may have come in while there was room for one.
    gateway.pressure.refuse_orders()
    for index, placement in placements.items():
        if index % _TURN == _TURN - 1:
            await asyncio.sleep(0)
        try:
            if unknown:
                refuse_unknown(placement, unknown)
            refuse_unknown_seller(placement, strangers)
            document = document_of(placement, made_ids[index], gateway.mongo.clock.now())
            await gateway.holds.take(document)
            documents[index] = document
        except Refusal as refusal:
            results[index] = _refused(gateway, index, refusal)
    if documents:
        written = await gateway.acceptance.place(list(documents.values()))
        for index, placed in zip(documents, written, strict=True):
            order = placed.document["_id"]
            if placed.outcome == "taken":
                results[index] = {**_refused(gateway, index, id_taken(order)), "id": order}
            else:
                results[index] = {
                    "index": index,
                    "status": 202 if placed.outcome == "created" else 200,
                    "id": order,
                }
    return results


def _refused(gateway: Gateway, index: int, refusal: Refusal) -> dict[str, Any]:
    gateway.refusals.note(codes_of(refusal))
    return refused_item(index, refusal)
