"""The network, stock and orders of the throughput benches: real divisions, invented goods; a seed gives the same ones.

SKUs come in families, and a location carries whole families. The lines of an order come from one family, so that some
location has all of them: what is measured is throughput, not splitting.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from random import Random
from typing import Any

import orjson

from infra.demo_network import orders as demo_orders

FAMILY = 20
"""SKUs in a family."""
FAMILIES_HERE = 5
"""Families that a location carries."""
PLENTY = 1_000_000
_CUSTOMERS = 4_000
_DRAWN_ORDERS = 10_000
"""Different orders; more are the same ones again under ids of their own."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What varies between worlds. `zipf`: the popularity of the n-th SKU falls with n to this power."""

    locations: int = 1_000
    skus: int = 300
    lines: int = 2
    zipf: float = 0.8
    payment: str = "prepaid"


@dataclass(frozen=True, slots=True)
class World:
    """Bodies for the HTTP API; `drawn` are orders in JSON that lack only their beginning, the id."""

    shape: Shape
    locations: Sequence[dict[str, Any]]
    stock: Sequence[dict[str, Any]]
    drawn: Sequence[bytes]

    def order(self, prefix: str, number: int) -> bytes:
        return b'{"id":"%s-%07d",' % (prefix.encode(), number) + self.drawn[number % len(self.drawn)]

    def request(self, prefix: str, first: int, count: int) -> bytes:
        """The body of a bulk request with `count` orders."""
        return b'{"orders":[' + b",".join(self.order(prefix, n) for n in range(first, first + count)) + b"]}"


def families(shape: Shape) -> list[list[int]]:
    """SKU numbers by family; popular SKUs are spread over the families."""
    number = max(shape.skus // FAMILY, 1)
    return [list(range(first, shape.skus, number)) for first in range(number)]


def draw(shape: Shape, seed: int = 7) -> World:
    """Customers and locations in proportion to population, as the demo draws its customers."""
    where = [order["ship_to"] for order in islice(demo_orders(_CUSTOMERS + shape.locations, seed), None)]
    kinds = families(shape)
    locations = [_location(n, place) for n, place in enumerate(where[_CUSTOMERS:])]
    stock = [
        {"location": f"store-{n:04d}", "sku": _sku(sku), "kind": "count", "quantity": PLENTY}
        for n in range(shape.locations)
        for family in sorted({(n * FAMILIES_HERE + k) % len(kinds) for k in range(FAMILIES_HERE)})
        for sku in kinds[family]
    ]
    return World(shape, locations, stock, _orders(shape, kinds, where[:_CUSTOMERS], seed))


def _sku(number: int) -> str:
    return f"sku-{number:05d}"


def _location(number: int, place: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"store-{number:04d}",
        "kind": "store",
        "name": f"store {number}",
        "division": place["division"],
        "point": place["point"],
        "active": True,
        "channels": ["online"],
        "accept_within_s": 3_600,
        "ship_within_s": 86_400,
    }


def _orders(shape: Shape, kinds: list[list[int]], customers: Sequence[dict[str, Any]], seed: int) -> list[bytes]:
    rng = Random(f"bench:{seed}")
    weights = [1 / (n + 1) ** shape.zipf for n in range(shape.skus)]
    cumulated = list(accumulate(weights))
    everything = range(shape.skus)
    drawn = []
    for number in range(_DRAWN_ORDERS):
        first = rng.choices(everything, cum_weights=cumulated)[0]
        family = kinds[first % len(kinds)]
        chosen = [first]
        while len(chosen) < min(shape.lines, len(family)):
            other = rng.choices(family, [weights[sku] for sku in family])[0]
            if other not in chosen:
                chosen.append(other)
        drawn.append(_without_id(_order(number, chosen, shape.payment, rng.choice(customers))))
    return drawn


def _order(number: int, skus: Sequence[int], payment: str, customer: dict[str, Any]) -> dict[str, Any]:
    lines = [
        {"line": line, "sku": _sku(sku), "quantity": 1, "unit_price": 1_000 + sku % 97 * 100}
        for line, sku in enumerate(skus, 1)
    ]
    means = {"method": payment, "token": f"tok_ok_{number:06d}"} if payment == "card" else {"method": payment}
    return {
        "channel": "online",
        "currency": "CNY",
        "lines": lines,
        "total": sum(line["unit_price"] for line in lines),
        "payment": means,
        "ship_to": customer,
    }


def _without_id(order: dict[str, Any]) -> bytes:
    return orjson.dumps(order)[1:]
