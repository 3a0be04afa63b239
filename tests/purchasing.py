"""Purchase orders for tests: made as the code makes them, and moved by what suppliers and people say."""

from datetime import UTC, date, datetime
from typing import Any

from activities.buying.answers import hear
from activities.buying.deciding import carry_out_command, time_has_come
from activities.buying.matching import settle
from activities.buying.moves import Moves, begin
from contracts.buying import PurchaseLine, PurchaseOrder
from contracts.buying_replies import PurchaseReply
from contracts.buying_terms import Approver, Approvers, BuyingTerms
from contracts.purchasing import Command

MONDAY = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
"""Nine in the morning in China."""
DUE = date(2026, 3, 13)


def line(number: int = 1, sku: str = "tea", units: int = 100, price: int = 1_000, due: date = DUE) -> PurchaseLine:
    return PurchaseLine(line=number, sku=sku, ordered=units, unit_price=price, due=due)


def purchase(*lines: PurchaseLine, **changes: Any) -> PurchaseOrder:
    """Of a value that needs nobody, unless it is said otherwise."""
    fields: dict[str, Any] = {
        "id": "po-run-1",
        "run": "run",
        "supplier": "sup-a",
        "location": "store-1",
        "currency": "CNY",
        "lines": list(lines) or [line()],
        "terms": BuyingTerms(),
        "state": "approval",
        "asked_by": "planner",
        "created_at": MONDAY,
    }
    return PurchaseOrder.model_validate({**fields, **changes})


def sent(*lines: PurchaseLine, **changes: Any) -> PurchaseOrder:
    order = purchase(*lines, **changes)
    begin(order, order.created_at)
    assert order.state == "sent"
    return order


def said(order: PurchaseOrder, kind: str, at: datetime = MONDAY, **fields: Any) -> Moves:
    """The supplier says it. `order` is changed, unless it is refused."""
    reply = PurchaseReply.model_validate({"id": f"r-{kind}", "order": order.id, "kind": kind, **fields})
    moves = Moves(order, at, order.supplier)
    hear(moves, reply)
    settle(moves)
    return moves


ROLES = ["clerk", "buyer", "purchasing_lead", "purchasing_director"]
ANYBODY = Approvers(approvers=[Approver(name=name, roles=ROLES) for name in ("buyer", "lead", "planner")])
"""Of those who act in tests; each may approve anything."""


def done(
    order: PurchaseOrder, at: datetime = MONDAY, by: str = "buyer", approvers: Approvers = ANYBODY, **command: Any
) -> Moves:
    """Somebody does it, such as receive={...}."""
    moves = Moves(order, at, by)
    carry_out_command(moves, Command.model_validate({"by": by, **command}), approvers)
    settle(moves)
    return moves


def ticked(order: PurchaseOrder, at: datetime | None = None) -> Moves:
    """The moment that the order waits for has come, or another one."""
    moment = at or (order.turn.next_at if order.turn else None)
    assert moment is not None
    moves = Moves(order, moment, "timer")
    time_has_come(moves)
    settle(moves)
    return moves


def kinds(moves: Moves) -> list[tuple[str, str]]:
    return [(whom, kind) for whom, kind, _ in moves.told]
