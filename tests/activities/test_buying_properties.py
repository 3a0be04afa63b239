"""Whatever suppliers, people and clocks do to a purchase order in whatever order: units are never lost or doubled."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from activities.buying.answers import hear
from activities.buying.deciding import carry_out_command, is_due, time_has_come
from activities.buying.matching import COUNTED, invoiced, settle
from activities.buying.moves import Moves, begin
from contracts.buying import PurchaseOrder
from contracts.buying_replies import PurchaseReply
from contracts.purchasing import Command, doing, refuse
from contracts.refusals import Refusal
from tests.purchasing import ANYBODY, MONDAY, line, purchase

_UNITS = st.one_of(st.sampled_from([5, 10]), st.integers(1, 12))
_LINE = st.integers(1, 3)
"""There are two."""
_SKU = st.sampled_from(["tea", "cup", "pot"])
_REFERENCE = st.sampled_from(["a", "b", "c"])
_DAY = st.sampled_from(["2026-03-05", "2026-03-20", "2026-05-01"])


def _reply(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["confirmed", "declined", "countered", "postponed", "shipped", "invoiced"]))
    made: dict[str, Any] = {"id": "r", "order": "po-run-1", "kind": kind}
    if kind == "declined":
        return {**made, "reason": "price"}
    if kind != "confirmed":
        said: dict[str, Any] = {"line": draw(_LINE), "quantity": draw(_UNITS)}
        if kind in ("countered", "invoiced"):
            said["unit_price"] = draw(st.sampled_from([1_000, 1_100]))
        if kind in ("postponed", "countered"):
            said["due"] = draw(_DAY)
        made |= {"lines": [said], "reference": draw(_REFERENCE)}
    return made


def _command(draw: st.DrawFn) -> dict[str, Any]:
    what = draw(st.sampled_from(["approve", "reject", "answer", "receive", "receive", "invoice", "decide", "cancel"]))
    if what == "receive":
        item = {"sku": draw(_SKU), "quantity": draw(_UNITS), "damaged": draw(st.integers(0, 2))}
        return {"receive": {"reference": draw(_REFERENCE), "items": [item]}}
    if what == "invoice":
        units, price = draw(_UNITS), draw(st.sampled_from([1_000, 1_100]))
        one = {"line": draw(_LINE), "quantity": units, "unit_price": price}
        return {"invoice": {"number": draw(_REFERENCE), "total": units * price, "lines": [one]}}
    bodies: dict[str, Any] = {
        "approve": {},
        "reject": {"reason": "no"},
        "answer": {"accept": draw(st.booleans()), "elsewhere": draw(st.booleans())},
        "decide": {"number": draw(_REFERENCE), "accept": draw(st.booleans()), "reason": "so"},
        "cancel": {"reason": "no", **({"lines": [draw(_LINE)]} if draw(st.booleans()) else {})},
    }
    return {what: bodies[what]}


@st.composite
def _events(draw: st.DrawFn) -> tuple[str, Any, int]:
    """What happens, and hours since the last."""
    kind = draw(st.sampled_from(["reply", "command", "command", "time"]))
    made = {"reply": _reply, "command": _command}.get(kind)
    return kind, made(draw) if made else None, draw(st.sampled_from([0, 1, 5, 30, 200]))


_BEGINNINGS: tuple[tuple[tuple[str, Any, int], ...], ...] = (
    (),
    (("reply", {"id": "b", "order": "po-run-1", "kind": "confirmed"}, 1),),
    (
        ("reply", {"id": "b", "order": "po-run-1", "kind": "confirmed"}, 1),
        (
            "command",
            {"receive": {"reference": "z", "items": [{"sku": "tea", "quantity": 10}, {"sku": "cup", "quantity": 5}]}},
            1,
        ),
    ),
)
"""So that the later parts of a life are tried as often as its beginning."""


def _try(order: PurchaseOrder, now: datetime, kind: str, what: Any) -> Moves:
    """The same way as the steps of a workflow go. Raises Refusal."""
    moves = Moves(order, now, "sup-a" if kind == "reply" else "buyer")
    if kind == "reply":
        hear(moves, PurchaseReply.model_validate(what))
    elif kind == "command":
        command = Command.model_validate({"by": "buyer", **what})
        refuse(order.id, order.state, doing(command))
        carry_out_command(moves, command, ANYBODY)
    elif is_due(order, now):
        time_has_come(moves)
    settle(moves)
    return moves


_CHECKS: tuple[Callable[[PurchaseOrder], bool], ...] = (
    lambda order: all(0 <= line.received + line.cancelled <= line.wanted for line in order.lines),
    lambda order: not order.open_lines or not order.ended,
    lambda order: not order.open_lines or order.state != "received",
    lambda order: (order.turn is None) == order.ended,
    lambda order: all(
        line.received == sum(one.good for r in order.receipts for one in r.lines if one.line == line.line)
        for line in order.lines
    ),
    lambda order: PurchaseOrder.from_row(order.as_row()) == order,
    lambda order: all(
        units <= (order.line_of(number).received if order.line_of(number) else 0)  # type: ignore[union-attr]
        for number, units in invoiced(order).items()
        if all(i.state != "accepted" for i in order.invoices)
    ),
    lambda order: order.state != "closed" or all(i.state in (*COUNTED, "rejected") for i in order.invoices),
)


@settings(max_examples=300, deadline=None)
@given(st.booleans(), st.sampled_from(_BEGINNINGS), st.lists(_events(), min_size=3, max_size=25))
def test_units_are_never_lost_or_doubled(
    approved: bool, beginning: tuple[tuple[str, Any, int], ...], events: list[tuple[str, Any, int]]
) -> None:
    now = MONDAY
    order = purchase(line(units=10), line(2, "cup", 5), asked_by="planner")
    if not approved:
        order.terms = order.terms.model_copy(update={"levels": order.terms.levels[1:]})
    begin(order, now)
    shelved: dict[str, int] = {}
    elsewhere = 0
    for kind, what, hours in (*beginning, *events):
        now += timedelta(hours=hours)
        trial = order.model_copy(deep=True)
        try:
            moves = _try(trial, now, kind, what)
        except Refusal:
            continue
        order = trial
        elsewhere += sum(moves.elsewhere.values())
        for sku, units in moves.goods.items():
            shelved[sku] = shelved.get(sku, 0) + units
        for check in _CHECKS:
            assert check(order), order
    assert shelved == {one.sku: one.received for one in order.lines if one.received}, "what is shelved is what came"
    assert elsewhere <= sum(one.cancelled for one in order.lines), "what goes elsewhere does not come here too"


@settings(max_examples=60, deadline=None)
@given(st.lists(_events(), max_size=12))
def test_an_order_that_nobody_looks_after_ends_or_waits_for_goods_or_an_invoice(
    events: list[tuple[str, Any, int]],
) -> None:
    order = purchase(line(units=10), line(2, "cup", 5))
    begin(order, MONDAY)
    now = MONDAY
    for kind, what, hours in events:
        now += timedelta(hours=hours)
        trial = order.model_copy(deep=True)
        try:
            _try(trial, now, kind, what)
        except Refusal:
            continue
        order = trial
    for _ in range(40):
        if order.turn is None or order.turn.next_at is None:
            break
        now = max(now, order.turn.next_at)
        before = order.turn.next_at
        _try(order, now, "time", None)
        assert order.turn is None or order.turn.next_at is None or order.turn.next_at > before, "time goes on"
    assert order.ended or order.state in ("confirmed", "received")
    assert now < datetime(2030, 1, 1, tzinfo=UTC)
