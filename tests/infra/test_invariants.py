"""Every invariant is found when it is broken by hand, and none is while orders run as they should."""

import random
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import nats
import pytest
from nats.js import JetStreamContext

from activities.orders.money import kept_value
from contracts.orders import OrderState, ParcelState
from contracts.payments import PaymentInstruction
from contracts.returns import Return, ReturnLine, ReturnState
from contracts.stock import Change
from contracts.subjects import EVENTS, event_subject
from infra.embedded import Addresses
from infra.invariants import INVARIANTS, check, checked, orders
from infra.invariants.events import OF_STREAM
from infra.mongo import Mongo
from infra.outbox import outgoing, rows_of
from infra.payments import HttpPaymentGateway
from infra.streams import provision_streams
from tests.builders import event, order, parcel
from tests.infra.carried_orders import BATCH, CarriedOrders
from tests.support import eventually


@pytest.fixture
async def js(servers: Addresses) -> AsyncIterator[JetStreamContext]:
    connection = await nats.connect(servers.nats_url, user_credentials=servers.nats_creds)
    js = connection.jetstream()
    await provision_streams(js)
    await js.purge_stream(EVENTS)
    yield js
    await provision_streams(js)
    await js.purge_stream(EVENTS)
    await connection.close()


@pytest.fixture
async def mongo(mongo_url: str, database: str) -> AsyncIterator[Mongo]:
    mongo = Mongo(mongo_url, database)
    yield mongo
    mongo.close()


@pytest.fixture
async def shop(mongo: Mongo, js: JetStreamContext) -> CarriedOrders:
    shop = CarriedOrders(mongo, js)
    await shop.open()
    return shop


async def test_nothing_is_found_while_all_is_well(shop: CarriedOrders) -> None:
    stages = {row["_id"]: row["stage"] async for row in shop.mongo.orders.find()}
    assert stages == {shop.delivered: "closed", shop.accepted: "accepted", shop.waiting: "placed"}
    assert await _sent(shop) >= 7
    assert await shop.check() == {}


async def test_nothing_is_found_in_an_empty_database(mongo: Mongo, js: JetStreamContext) -> None:
    assert await check(mongo, js) == []


async def test_a_level_below_zero_is_found(shop: CarriedOrders) -> None:
    await shop.book("adjusted", Change(sku="tea", on_hand=-8))
    await shop.mongo.stock.update_one({"_id": "near/tea"}, {"$inc": {"on_hand": -1}})
    finding = (await shop.check())["stock.not_negative"]
    assert finding.violated
    assert finding.examples == ["near/tea: on hand -1, reserved 2"]


async def test_more_reserved_than_on_hand_is_found_where_nothing_explains_it(shop: CarriedOrders) -> None:
    await shop.mongo.stock.update_one({"_id": "near/tea"}, {"$inc": {"on_hand": -7}})
    await shop.mongo.ledger.update_one({"kind": "received", "changes.sku": "tea"}, {"$inc": {"changes.0.on_hand": -7}})
    findings = await shop.check()
    assert set(findings) == {"stock.reserved_on_hand"}
    assert findings["stock.reserved_on_hand"].examples == [f"near/tea: reserved 2, on hand 1; orders: {shop.accepted}"]


async def test_goods_that_a_count_found_missing_are_information_with_their_orders(shop: CarriedOrders) -> None:
    await shop.book("counted", Change(sku="tea", on_hand=-7))
    findings = await shop.check()
    assert set(findings) == {"stock.excess"}
    assert findings["stock.excess"].severity == "information"
    assert findings["stock.excess"].examples == [f"near/tea: reserved 2, on hand 1; orders: {shop.accepted}"]


@pytest.mark.parametrize("units", [-1, 1])
async def test_a_reservation_that_no_parcel_holds_is_found_both_ways(shop: CarriedOrders, units: int) -> None:
    await shop.book("reserved" if units > 0 else "released", Change(sku="tea", reserved=units))
    findings = await shop.check()
    assert set(findings) == {"stock.reservations"}
    assert findings["stock.reservations"].examples == [f"near/tea: reserved {2 + units}, but held are 2"]


async def test_a_parcel_whose_level_does_not_exist_is_found(shop: CarriedOrders) -> None:
    await shop.change(shop.accepted, **{"parcels.0.location": "elsewhere"})
    finding = (await shop.check())["stock.reservations"]
    assert "elsewhere/tea: reserved 0, but held are 2" in finding.examples


@pytest.mark.parametrize("field", ["on_hand", "reserved"])
async def test_a_level_that_was_changed_without_the_ledger_is_found(shop: CarriedOrders, field: str) -> None:
    await shop.mongo.stock.update_one({"_id": "near/cup"}, {"$inc": {field: 1}})
    assert "ledger.levels" in await shop.broken()


async def test_a_ledger_row_without_its_level_is_found(shop: CarriedOrders) -> None:
    await shop.mongo.stock.delete_one({"_id": "near/cup"})
    assert "ledger.levels" in await shop.broken()


async def test_a_ledger_row_that_was_lost_is_found(shop: CarriedOrders) -> None:
    await shop.mongo.ledger.delete_one({"kind": "reserved", "row": 0})
    assert "ledger.numbers" in await shop.broken()


async def test_a_ledger_row_that_was_written_twice_is_found(shop: CarriedOrders) -> None:
    row = await shop.mongo.ledger.find_one({"kind": "shipped"})
    assert row is not None
    await shop.mongo.ledger.insert_one({**row, "_id": "twice", "changes": []})
    assert await shop.broken() == {"ledger.numbers"}


async def test_a_ledger_version_above_the_counter_is_found(shop: CarriedOrders) -> None:
    await shop.mongo.counters.update_one({"_id": "stock"}, {"$inc": {"version": -1}})
    assert await shop.broken() == {"ledger.numbers"}


@pytest.mark.parametrize("batch", [{"status": "closed"}, None])
async def test_an_open_order_that_no_open_batch_carries_is_found(
    shop: CarriedOrders, batch: dict[str, Any] | None
) -> None:
    if batch:
        await shop.mongo.batches.update_one({"_id": BATCH}, {"$set": batch})
    else:
        await shop.mongo.batches.delete_one({"_id": BATCH})
    findings = await shop.check()
    assert set(findings) == {"orders.carried"}
    assert findings["orders.carried"].count == 1
    assert findings["orders.carried"].examples[0].startswith(f"{shop.accepted} ")


async def test_an_order_that_nobody_claims_is_a_warning(shop: CarriedOrders) -> None:
    await shop.change(shop.waiting, placed_at=datetime.now(UTC) - timedelta(seconds=61))
    findings = await shop.check()
    assert set(findings) == {"orders.waiting"}
    assert not findings["orders.waiting"].violated


async def test_parcels_that_carry_more_than_was_ordered_are_found(shop: CarriedOrders) -> None:
    await shop.change(shop.delivered, **{"lines.0.quantity": 1})
    assert "orders.items" in await shop.broken()


async def test_parcels_that_carry_something_else_are_found(shop: CarriedOrders) -> None:
    await shop.change(shop.delivered, **{"parcels.0.items.0.sku": "coffee"})
    assert await shop.broken() == {"orders.items"}


async def test_an_ended_order_with_a_parcel_at_a_store_is_found(shop: CarriedOrders) -> None:
    await shop.change(shop.accepted, stage="closed")
    assert "orders.ended" in await shop.broken()


@pytest.mark.parametrize(
    "changes",
    [
        {"payment.refunded": 1},
        {"payment.captured": 0},
        {"payment.authorised": 1},
        {"payment.intents": [{"key": "refund:1", "operation": "refund", "amount": 1, "state": "todo"}]},
        {"payment.intents": [{"key": "refund:1", "operation": "refund", "amount": 1, "state": "failed"}]},
    ],
    ids=["refunded", "not captured", "still authorised", "still to do", "failed"],
)
async def test_an_ended_order_whose_money_is_wrong_is_found(shop: CarriedOrders, changes: dict[str, Any]) -> None:
    await shop.change(shop.delivered, **changes)
    findings = await shop.check()
    books = {"settlement.customers"} if {"payment.refunded", "payment.captured"} & set(changes) else set()
    assert set(findings) == {"orders.money"} | books
    assert findings["orders.money"].examples[0].startswith(f"{shop.delivered}: ")


async def test_an_entry_that_was_changed_is_found(shop: CarriedOrders) -> None:
    await shop.mongo.entries.update_one({"meaning": "goods"}, {"$inc": {"amount": 1}})
    findings = await shop.check()
    assert set(findings) == {"settlement.balanced"}
    assert findings["settlement.balanced"].examples == [f"{shop.delivered}.p1:shipped: the entries add up to 1 CNY"]


async def test_a_parcel_that_left_without_entries_is_found(shop: CarriedOrders) -> None:
    await shop.mongo.entries.delete_many({"cause": f"{shop.delivered}.p1:shipped"})
    findings = await shop.check()
    assert set(findings) == {"settlement.booked", "settlement.customers"}
    assert findings["settlement.booked"].examples == [f"{shop.delivered}.p1 left with 2 lines, but 0 are in the books"]


async def test_a_parcel_that_is_in_the_books_twice_is_found(shop: CarriedOrders) -> None:
    rows = await shop.mongo.entries.find({"meaning": "goods", "line": 1}).to_list(None)
    other = {"_id": "twice", "account": "partner:near", "amount": -rows[0]["amount"], "meaning": "correction"}
    await shop.mongo.entries.insert_many([{**rows[0], "_id": "once-more"}, {**rows[0], **other}])
    assert await shop.broken() == {"settlement.booked"}


LABEL = {"key": "p1:label:1", "service": "yunque/express", "operation": "book", "state": "done"}


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ({"label": LABEL}, set()),
        ({"label": {**LABEL, "state": "todo"}}, {"orders.labels"}),
        ({"label": {**LABEL, "operation": "void", "state": "failed"}}, {"orders.labels"}),
        ({"tracking_state": "delivered"}, set()),
    ],
)
async def test_an_ended_order_with_a_label_to_do_is_found(
    shop: CarriedOrders, changes: dict[str, Any], broken: set[str]
) -> None:
    await shop.change(shop.delivered, **{f"parcels.0.{name}": value for name, value in changes.items()})
    assert await shop.broken() == broken


async def test_a_label_of_a_parcel_that_was_taken_from_its_store_is_found(shop: CarriedOrders) -> None:
    parcel = {**((await shop.mongo.orders.find_one({"_id": shop.accepted})) or {})["parcels"][0], "label": LABEL}
    await shop.mongo.orders.update_one({"_id": shop.accepted}, {"$push": {"parcels": {**parcel, "state": "rejected"}}})
    assert "orders.labels" in await shop.broken()


async def test_a_parcel_that_its_carrier_has_delivered_unawares_is_found(shop: CarriedOrders) -> None:
    await shop.change(shop.accepted, **{"parcels.0.tracking_state": "delivered"})
    assert await shop.broken() == {"orders.tracking"}


async def test_a_sent_event_that_the_stream_has_lost_is_found(shop: CarriedOrders) -> None:
    await shop.js.delete_msg(EVENTS, (await shop.js.stream_info(EVENTS)).state.first_seq)
    findings = await shop.check()
    assert set(findings) == {"events.sent_once"}
    assert findings["events.sent_once"].examples[0].endswith("not in the stream")


async def test_a_stream_that_was_emptied_is_found(shop: CarriedOrders) -> None:
    sent = await _sent(shop)
    await shop.js.purge_stream(EVENTS)
    assert (await shop.check())["events.sent_once"].count == sent


async def _sent(shop: CarriedOrders) -> int:
    return sum([len(row["events"]) async for row in shop.mongo.outbox.find({"status": "sent"})])


async def test_an_event_that_is_in_the_stream_twice_is_found(shop: CarriedOrders) -> None:
    name, place = await shop.row_of("near", 1)
    row = await shop.mongo.outbox.find_one({"_id": name})
    assert row is not None
    event = row["events"][place]
    config = (await shop.js.stream_info(EVENTS)).config
    await shop.js.update_stream(config.evolve(duplicate_window=0.1))
    await _until_forgotten(shop, event)
    finding = (await shop.check())["events.sent_once"]
    assert finding.examples == [f"{event['id']}: 2 times in the stream"]


async def _until_forgotten(shop: CarriedOrders, event: dict[str, Any]) -> None:
    """Publish again until the server no longer takes it for a duplicate."""
    subject = event_subject(event["partner"], event["type"])

    async def new() -> bool:
        ack = await shop.js.publish(subject, b"{}", headers={"Nats-Msg-Id": event["id"]})
        return not ack.duplicate

    await eventually(new, message="the server kept calling it a duplicate")


@pytest.mark.parametrize("event_id", ["stranger", None])
async def test_a_message_that_is_not_from_the_outbox_is_found(shop: CarriedOrders, event_id: str | None) -> None:
    await shop.publish("evt.v1.near.parcel.offered", event_id)
    findings = await shop.check()
    assert set(findings) == {"events.known"}


async def test_a_gap_in_a_partners_numbers_is_found(shop: CarriedOrders) -> None:
    await shop.renumber("retailer", {4: 40})
    findings = await shop.check()
    assert "events.numbers" in findings
    assert findings["events.numbers"].violated


async def test_a_number_that_was_given_twice_is_found(shop: CarriedOrders) -> None:
    await shop.renumber("retailer", {2: 1})
    assert "retailer: number 1 was given twice" in (await shop.check())["events.numbers"].examples


async def test_events_in_the_wrong_order_are_found(shop: CarriedOrders) -> None:
    await shop.renumber("retailer", {1: 2, 2: 1})
    findings = await shop.check()
    assert set(findings) == {"events.in_order"}


@pytest.mark.parametrize("status", ["pending", "stamped"])
async def test_an_event_that_waits_too_long_is_a_warning(shop: CarriedOrders, status: str) -> None:
    at = datetime.now(UTC) - timedelta(seconds=61)
    (row,) = rows_of([outgoing("near", "late", "parcel.offered.v1", "p1", at, {})], at)
    row |= {"status": status}
    await shop.mongo.outbox.insert_one(row)
    findings = await shop.check()
    assert set(findings) == {"events.pending"}
    assert not findings["events.pending"].violated


async def test_events_older_than_the_stream_keeps_them_are_not_missed(shop: CarriedOrders) -> None:
    config = (await shop.js.stream_info(EVENTS)).config
    await shop.js.update_stream(config.evolve(max_age=3600))
    long_ago = datetime.now(UTC) - timedelta(hours=2)
    await shop.mongo.outbox.update_many({"status": "sent"}, {"$set": {"sent_at": long_ago}})
    await shop.js.purge_stream(EVENTS)
    assert await shop.check() == {}


async def test_a_partners_rows_that_have_begun_to_expire_are_no_gap(shop: CarriedOrders) -> None:
    expired = datetime.now(UTC) - timedelta(days=14)
    rows = [(await shop.row_of("retailer", number))[0] for number in (1, 2, 3)]
    await shop.mongo.outbox.update_many({"_id": {"$in": rows}}, {"$set": {"sent_at": expired}})
    await shop.mongo.outbox.delete_one({"_id": rows[1]})
    assert "events.numbers" not in await shop.check()


async def test_without_the_stream_the_rest_is_still_checked(shop: CarriedOrders) -> None:
    await shop.js.purge_stream(EVENTS)
    await shop.mongo.stock.update_one({"_id": "near/cup"}, {"$inc": {"on_hand": 1}})
    assert [finding.invariant for finding in await check(shop.mongo, None)] == ["ledger.levels"]


def test_what_cannot_be_checked_is_not_called_checked() -> None:
    everything = {invariant.name for invariant in checked(stream=True, provider=True)}
    assert everything == {invariant.name for invariant in INVARIANTS}
    assert everything - {invariant.name for invariant in checked(stream=False, provider=True)} == OF_STREAM
    assert everything - {i.name for i in checked(stream=True, provider=False)} == {"payments.agreed"}


async def test_the_kept_value_on_the_server_is_the_one_the_order_path_settles_for(mongo: Mongo) -> None:
    chance = random.Random(7)
    made = [_shipped_somehow(chance, number) for number in range(300)]
    await mongo.orders.insert_many([one.as_row() for one in made])
    rows = mongo.orders.aggregate([{"$project": {"kept": orders.kept_value()}}])
    kept = {row["_id"]: row["kept"] async for row in rows}
    assert kept == {one.id: kept_value(one) for one in made}
    assert len(set(kept.values())) > 50


def _shipped_somehow(chance: random.Random, number: int) -> OrderState:
    """Amounts up to the largest that is allowed, shared over units in ways that do not come out even."""
    lines = [("tea", chance.randint(1, 50_000)) for _ in range(chance.randint(1, 4))]
    made = order(*lines, order_id=f"order-{number}")
    for line in made.lines:
        line.amount = chance.choice([chance.randint(0, 999), chance.randint(0, 10**12)])
    for _ in range(chance.randint(0, 3)):
        units = {line.line: chance.randint(1, line.quantity) for line in made.lines if chance.random() < 0.7}
        about = parcel(made, lines=units, state=chance.choice(list(ParcelState)))
        for item in about.items:
            item.returned = chance.choice([0, chance.randint(0, item.quantity)])
    return made


async def test_a_provider_that_has_other_sums_is_found(shop: CarriedOrders, payment_url: str) -> None:
    key = {"order": f"order-{uuid.uuid4().hex}", "currency": "CNY"}
    intents = []
    async with HttpPaymentGateway(payment_url) as provider:
        reference = None
        for operation in ("authorise", "capture"):
            intent = {"key": f"{key['order']}:{operation}", "operation": operation, "amount": 300}
            asked = PaymentInstruction.model_validate({**key, **intent, "token": "tok_1", "reference": reference})
            outcome = await provider.perform(asked)
            assert outcome.status == "done"
            reference = outcome.reference
            intents.append({**intent, "state": "done"})
    paid = {"authorised": 0, "captured": 300, "refunded": 0, "intents": intents}
    ended = await shop.mongo.orders.find_one({"_id": shop.delivered})
    assert ended is not None
    await shop.mongo.orders.insert_one({**ended, "_id": key["order"], "payment": {**ended["payment"], **paid}})
    booked = await shop.mongo.entries.find({"order": shop.delivered}).to_list(None)
    also = [{**e, "_id": f"also:{e['_id']}", "cause": f"also:{e['cause']}", "order": key["order"]} for e in booked]
    await shop.mongo.entries.insert_many(also)
    assert await check(shop.mongo, shop.js, payment_url) == []
    await shop.change(key["order"], **{"payment.refunded": 1})
    findings = {finding.invariant: finding for finding in await check(shop.mongo, shop.js, payment_url)}
    assert set(findings) == {"orders.money", "payments.agreed", "settlement.customers"}
    assert "refunded 1, held 0; at the provider 300, 0, 0" in findings["payments.agreed"].examples[0]


async def _returned(shop: CarriedOrders, units: int = 1) -> str:
    """A return of some tea of the delivered order, received and booked as a step would."""
    one = Return(
        id=f"{shop.delivered}.r1",
        order=shop.delivered,
        parcel=f"{shop.delivered}.p1",
        location="near",
        lines=[ReturnLine(line=1, sku="tea", quantity=units, sellable=units)],
        reason="changed_mind",
        state=ReturnState.RECEIVED,
        by="shop",
        opened_at=datetime.now(UTC),
        started=True,
    )
    await shop.mongo.returns.insert_one(one.as_row())
    row = {"line": 1, "sellable": units, "damaged": 0, "missing": 0, "refund": units}
    data: dict[str, Any] = {"return": one.id, "location": "near", "lines": [row]}
    came = event("return.received", shop.delivered, by="near", parcel=one.parcel, **data)
    await shop.mongo.inbox.insert_one(came.unread(BATCH) | {"_id": f"{one.id}:received"})
    await shop.step()
    return one.id


async def test_a_return_that_was_booked_is_all_well(shop: CarriedOrders) -> None:
    returned = await _returned(shop)
    row = await shop.mongo.returns.find_one({"_id": returned})
    assert row is not None
    assert row["amount"] == 100
    assert await shop.broken() == set()


async def test_units_that_are_marked_without_a_return_are_found(shop: CarriedOrders) -> None:
    returned = await _returned(shop)
    await shop.change(shop.delivered, **{"parcels.0.items.0.returned": 2})
    assert "returns.marked" in await shop.broken()
    await shop.change(shop.delivered, **{"parcels.0.items.0.returned": 0})
    examples = (await shop.check())["returns.marked"].examples
    assert examples == [f"{shop.delivered}.p1 line 1: no units are marked as returned"]
    await shop.mongo.returns.delete_one({"_id": returned})
    assert (
        (await shop.check())["returns.stocked"].examples[0].endswith("0 sellable units came back, 1 are in the ledger")
    )


async def test_returned_goods_that_are_not_in_the_ledger_are_found(shop: CarriedOrders) -> None:
    returned = await _returned(shop)
    await shop.mongo.returns.update_one({"_id": returned}, {"$set": {"lines.0.sellable": 0, "lines.0.damaged": 1}})
    assert await shop.broken() == {"returns.stocked"}


async def test_a_return_that_nobody_follows_is_a_warning(shop: CarriedOrders) -> None:
    returned = await _returned(shop)
    long_ago = datetime.now(UTC) - timedelta(seconds=90)
    await shop.mongo.returns.update_one({"_id": returned}, {"$set": {"started": False, "opened_at": long_ago}})
    findings = await shop.check()
    assert "returns.followed" in findings
    assert not findings["returns.followed"].violated


async def test_an_order_that_gave_back_more_than_it_took_is_found(shop: CarriedOrders) -> None:
    await shop.change(shop.accepted, **{"payment.refunded": 301})
    assert await shop.broken() == {"orders.refunded"}
