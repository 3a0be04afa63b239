"""No whole number that a caller may send is larger than what is kept: one of them would stop who writes it."""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

import contracts
from contracts.base import Request
from contracts.buying import PurchaseAsked
from contracts.events import Reply
from contracts.supply import SourcingUpsert

_KEPT_MOST = 2**63 - 1
_BOUNDED_OTHERWISE = {"contracts.settlement.Rule.version", "contracts.events.Reply.quantities"}
"""Given by us; and refused by a validator, because a released schema does not become narrower."""
_LARGE = 2**63


def _requests(kind: type[Request] = Request) -> Iterator[type[Request]]:
    for one in kind.__subclasses__():
        yield one
        yield from _requests(one)


def _integers(schema: Any, place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(schema, list):
        for one in schema:
            yield from _integers(one, place)
    elif isinstance(schema, dict):
        if schema.get("type") == "integer" and not {"enum", "const"} & schema.keys():
            yield place, schema
        for name, one in schema.items():
            if name == "properties":
                for field, inner in one.items():
                    yield from _integers(inner, f"{place}.{field}")
            elif name not in ("$defs", "default", "examples"):
                yield from _integers(one, place)


def test_every_whole_number_has_a_largest() -> None:
    for module in pkgutil.iter_modules(contracts.__path__, "contracts."):
        importlib.import_module(module.name)
    found = [
        place
        for model in _requests()
        if model.__module__.startswith("contracts.")
        for place, schema in _integers(model.model_json_schema(), f"{model.__module__}.{model.__name__}")
        if schema.get("maximum", schema.get("exclusiveMaximum", _LARGE)) > _KEPT_MOST
    ]
    assert set(found) - _BOUNDED_OTHERWISE == set()


def test_a_store_cannot_send_units_that_nothing_can_keep() -> None:
    reply = {"parcel": "o.p1", "id": "r", "kind": "rejected", "reason": "out_of_stock", "quantities": {"1": _LARGE}}
    with pytest.raises(ValidationError, match="more than 10000000"):
        Reply.model_validate(reply)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (
            PurchaseAsked,
            {
                "supplier": "sup-a",
                "location": "near",
                "lines": [{"sku": "tea", "quantity": 10_000_000, "unit_price": 10**12, "due": "2026-03-13"}],
            },
        ),
        (
            SourcingUpsert,
            {"supplier": "sup-a", "sku": "tea", "price": 10**12, "minimum": 10_000_000, "lead_days": 1},
        ),
    ],
)
def test_nor_a_sum_beyond_all_amounts(kind: type[Request], body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="more than 1000000000000"):
        TypeAdapter(kind).validate_python(body)
