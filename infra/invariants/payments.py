"""The invariant of money at the payment provider: it knows the same sums of an order as we do."""

import asyncio
from typing import Any

import aiohttp

from contracts.orders import TERMINAL
from infra.invariants.findings import Finding, Invariant, found
from infra.mongo import Mongo, Session

AGREED = Invariant(
    "payments.agreed",
    "of the orders that ended last, the payment provider has captured, refunded and held the same sums",
    "Compare the order's payment intents with the provider's record, key by key.",
)
INVARIANTS = [AGREED]

ORDERS_COMPARED = 1_000
_AT_ONCE = 16


async def read_paid(mongo: Mongo, session: Session) -> list[dict[str, Any]]:
    """The newest orders that have ended and for which the provider was called."""
    query = {"stage": {"$in": [str(stage) for stage in TERMINAL]}, "payment.intents.state": "done"}
    rows = mongo.orders.find(query, {"payment": 1}, session=session).sort("placed_at", -1).limit(ORDERS_COMPARED)
    return [row async for row in rows]


async def check_payments(url: str, orders: list[dict[str, Any]]) -> list[Finding]:
    gate = asyncio.Semaphore(_AT_ONCE)
    async with aiohttp.ClientSession(url) as provider:

        async def compare(order: dict[str, Any]) -> str | None:
            async with gate:
                return await _difference(provider, order)

        words = await asyncio.gather(*(compare(order) for order in orders))
    return found(AGREED, [difference for difference in words if difference])


async def _difference(provider: aiohttp.ClientSession, order: dict[str, Any]) -> str | None:
    async with provider.get(f"/v1/orders/{order['_id']}") as answer:
        if answer.status == 404:
            return f"{order['_id']}: the provider does not know this order"
        answer.raise_for_status()
        theirs = await answer.json()
    ours = order["payment"]
    held = theirs["authorised"] - theirs["captured"] - theirs["voided"]
    if (theirs["captured"], theirs["refunded"], held) == (
        ours["captured"],
        ours["refunded"],
        ours["authorised"],
    ):
        return None
    return (
        f"{order['_id']}: captured {ours['captured']}, refunded {ours['refunded']}, "
        f"held {ours['authorised']}; at the provider {theirs['captured']}, {theirs['refunded']}, {held}"
    )
