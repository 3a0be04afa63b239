"""The published description of events is the one that is generated, and what is really sent fits it."""

from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import orjson
import pytest

from activities.orders.moves import Moves, Tell
from activities.returns.advance import advance_return
from contracts.buying_replies import PURCHASE_REPLY_TYPE, SUPPLY_TYPE
from contracts.case_events import CASE_REPLY_TYPE
from contracts.events import REPLY_TYPE, STOCK_TYPE, CloudEvent
from contracts.orders import ParcelState
from contracts.returns import Return, ReturnLine, ReturnState
from contracts.routing import Policy
from contracts.subjects import RETAILER, event_subject
from infra.outbox import Stamped, outgoing
from tests.builders import NOW, command, event, later, network, order, payment_outcome, reply
from tests.parcels import Carried
from tests.shop import Shop
from workers.asyncapi import document, text
from workers.catalogue import TOLD

COMMITTED = Path(__file__).parents[2] / "docs" / "asyncapi.json"
COMMAND = "python -m workers.asyncapi > docs/asyncapi.json"


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return document()


def check(described: dict[str, Any], kind: str, event: dict[str, Any]) -> None:
    """Raises ValidationError when an event is not as the document says."""
    payload = described["components"]["messages"][kind]["payload"]
    schema = {**payload, "components": {"schemas": described["components"]["schemas"]}}
    jsonschema.validate(event, schema, cls=jsonschema.Draft202012Validator)


def test_the_committed_document_is_the_generated_one(described: dict[str, Any]) -> None:
    assert COMMITTED.read_text() == text(described), f"the events have changed: run `{COMMAND}` and commit it"


def test_every_reference_of_the_document_leads_somewhere(described: dict[str, Any]) -> None:
    def references(node: Any) -> list[str]:
        if isinstance(node, dict):
            return [node["$ref"]] if "$ref" in node else [r for value in node.values() for r in references(value)]
        return [r for value in node for r in references(value)] if isinstance(node, list) else []

    found = references(described)
    assert len(found) > len(described["channels"]) * 4
    for reference in found:
        node = described
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]


def test_every_example_fits_its_schema_and_a_wrong_one_does_not(described: dict[str, Any]) -> None:
    for kind, message in described["components"]["messages"].items():
        (example,) = message["examples"]
        check(described, kind, example["payload"])
        assert example["payload"]["type"] == kind
        with pytest.raises(jsonschema.ValidationError):
            check(described, kind, {**example["payload"], "type": "parcel.misspelt.v1"})


def test_a_store_hears_of_parcels_and_the_retailer_of_orders(described: dict[str, Any]) -> None:
    channels = described["channels"]
    heard = {told.kind: channels[told.kind]["address"] for told in TOLD}
    assert {kind for kind, address in heard.items() if address.startswith("evt.v1.{location}.")} == {
        "parcel.offered.v1",
        "parcel.withdrawn.v1",
        "parcel.address_changed.v1",
        "parcel.cancellation_requested.v1",
        "parcel.labelled.v1",
        "reply.refused.v1",
        "replies.again.v1",
        "webhook.paused.v1",
        "statement.ready.v1",
        "statement.disputed.v1",
        "statement.closed.v1",
        "return.announced.v1",
    }
    retailers = [kind for kind in heard if kind.startswith(("order.", "parcel.late", "return.changed"))]
    assert all(heard[kind] == event_subject(RETAILER, kind) for kind in retailers)
    for kind in (REPLY_TYPE, STOCK_TYPE):
        assert channels[kind]["address"] == "reply.v1.{location}"
        assert described["operations"][kind]["action"] == "receive"


def test_every_way_carries_every_event(described: dict[str, Any]) -> None:
    for way in ("http.pull", "http.stream", "webhook"):
        assert set(described["channels"][way]["messages"]) == {told.kind for told in TOLD}
        assert len(described["operations"][way]["messages"]) == len(TOLD)
    assert set(described["channels"]["http.replies"]["messages"]) == {
        REPLY_TYPE,
        STOCK_TYPE,
        PURCHASE_REPLY_TYPE,
        SUPPLY_TYPE,
        CASE_REPLY_TYPE,
    }


def lives() -> list[Moves]:
    """Orders to each of the ends that there are, with everything that can be told on the way."""
    shop = Shop(network("near", "far"), {"near": {"tea": 9}, "far": {"tea": 9}}, Policy(max_refusals=1))
    shop.place(*(order(("tea", 1), order_id=name, method="prepaid") for name in ("well", "taken-back", "refused")))
    shop.place(order(("unknown", 1), order_id="without-stock"))
    moved = list(shop.step(NOW).values())

    def step(seconds: float, *events: Any) -> None:
        moved.extend(shop.step(later(seconds), *events).values())

    for number, kind in enumerate(["accepted", "packed", "shipped", "delivered"]):
        step(60 + number, reply(kind, shop.orders["well"].parcels[0], at=later(60 + number)))
    step(70, command("cancel", "taken-back", at=later(70)))
    step(75, payment_outcome(shop.orders["taken-back"], at=later(75)))
    step(80, reply("accepted", "refused.p9", by="near", at=later(80)))
    step(90, reply("accepted", shop.orders["refused"].parcels[0], at=later(90)))
    overdue = shop.orders["refused"].parcels[0].due
    assert overdue is not None
    step((overdue - NOW).total_seconds() + 1)
    assert shop.orders["refused"].parcels[0].state is ParcelState.ACCEPTED
    return [*moved, *unhappy_lives(), *carried_lives()]


def unhappy_lives() -> list[Moves]:
    """An order that nobody pays, one that is paid in vain, one whose store keeps it, and one that is lost."""
    shop = Shop(network("near"), {"near": {"tea": 9}})
    shop.place(*(order(("tea", 1), order_id=name, method="later") for name in ("unpaid", "too-late")))
    shop.place(*(order(("tea", 1), order_id=name) for name in ("kept", "lost")))
    moved = list(shop.step(NOW).values())

    def step(seconds: float, kind: str, about: str, **data: Any) -> None:
        told = event(kind, about, by="near", at=later(seconds), parcel=f"{about}.p1", **data)
        moved.extend(shop.step(later(seconds), told).values())

    elsewhere = {"division": "330110", "point": {"lat": 30.3, "lon": 120.0, "datum": "WGS84"}}
    step(60, "command.address", "kept", ship_to=elsewhere)
    step(61, "reply.packed", "kept")
    step(62, "command.cancel", "kept", reason="customer")
    step(63, "reply.cancellation_refused", "kept")
    step(64, "command.cancel", "too-late", reason="customer")
    for reference in ("wx-1", "wx-2"):
        step(65, "payment.received", "too-late", amount=100, reference=reference)
    moved.extend(shop.step(later(66), payment_outcome(shop.orders["too-late"], at=later(66))).values())
    step(70, "reply.shipped", "lost")
    step(71, "command.address", "lost", ship_to=elsewhere)
    step(72, "reply.lost", "lost")
    moved.extend(shop.step(later(Policy().hold_s)).values())
    return moved


def carried_lives() -> list[Moves]:
    """A parcel whose label is booked, and that stands still until its promise has passed."""
    carried = Carried(promised_at=later(hours=60))
    return [
        carried.answer("accepted"),
        carried.carrier_answers(),
        carried.step(later(hours=20)),
        carried.step(later(hours=60)),
    ]


def a_return() -> list[Tell]:
    """What is told of a return that is approved by the policy."""
    shop = Shop(network("near"), {"near": {"tea": 9}})
    shop.place(order(("tea", 1)))
    shop.step(NOW)
    asked = Return(
        id="order-1.r1",
        order="order-1",
        parcel="order-1.p1",
        location="near",
        lines=[ReturnLine(line=1, sku="tea", quantity=1)],
        reason="changed_mind",
        state=ReturnState.REQUESTED,
        by="shop",
        opened_at=NOW,
        approve_until=NOW,
    )
    return advance_return(asked, shop.orders["order-1"], NOW, Policy()).tells


def test_whatever_the_order_path_tells_is_described_and_fits(described: dict[str, Any]) -> None:
    told = [*(tell for moves in lives() for tell in moves.tells), *a_return()]
    for number, tell in enumerate(told, start=1):
        event = outgoing(tell.partner, f"e{number}", tell.type, tell.subject, NOW, tell.data)
        sent = Stamped(event["id"], tell.partner, tell.type, number, event["body"])
        assert sent.subject == event_subject(tell.partner, tell.type)
        CloudEvent.model_validate_json(sent.body())
        check(described, tell.type, orjson.loads(sent.body()))
    of_orders = {told.kind for told in TOLD if not told.kind.startswith(("statement.", "replies.", "webhook."))}
    never = of_orders - {tell.type for tell in told}
    assert not never, "described, but not seen in any of these lives"
