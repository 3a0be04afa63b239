"""The `tongqu` command on a running system: what an operator sees, does, and is told when it cannot be done."""

import asyncio
import json
import os
import signal
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contracts.subjects import DLQ, reply_subject
from infra.keys import hash_key
from infra.nats import connect_by
from tests.support import eventually
from tests.workers.desk import FAR, HOME, NEAR, Desk, run_tongqu
from workers.shop import RequestRefused, Shop

pytestmark = pytest.mark.timeout(300)


async def test_help_imports_no_driver() -> None:
    heavy = "{'motor', 'nats', 'pydantic', 'temporalio', 'fastapi', 'numpy', 'aiohttp'}"
    check = f"import sys, workers.cli; sys.exit(', '.join({heavy} & set(sys.modules)) or 0)"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", check, stderr=asyncio.subprocess.PIPE)
    _, imported = await process.communicate()
    assert (process.returncode, imported) == (0, b"")


async def test_without_a_system_the_remedy_is_said(tmp_path: Path) -> None:
    said = await run_tongqu(tmp_path, "order", "list")
    assert said.status == 1
    assert "TONGQU_GATEWAY_URL" in said.out
    assert "Traceback" not in said.out


async def test_an_api_that_does_not_answer_is_said(tmp_path: Path) -> None:
    address = {"TONGQU_GATEWAY_URL": "http://127.0.0.1:9", "TONGQU_OPERATOR_KEY": "tq_none"}
    said = await run_tongqu(tmp_path, "order", "list", environment=address)
    assert said.status == 1
    assert "http://127.0.0.1:9 cannot be reached" in said.out


async def test_a_database_that_is_silent_is_not_waited_for_long(tmp_path: Path) -> None:
    """As one that is stopped: it takes connections and says nothing."""
    silent = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    address = {"TONGQU_MONGO_URL": f"mongodb://127.0.0.1:{port}/", "TONGQU_NATS_URL": "nats://127.0.0.1:9"}
    said = await run_tongqu(tmp_path, "status", environment=address)
    silent.close()
    assert said.status == 1
    assert "does not answer within" in said.out and "Traceback" not in said.out


async def test_an_order_is_shown_with_its_whole_story(desk: Desk) -> None:
    order = await desk.dispatched(quantity=2)
    said = await desk.tongqu("order", "show", order)
    assert said.status == 0
    for words in (order, "dispatched", "330106", "¥25.00 prepaid", NEAR, FAR, "chosen", "parcel.offered", "2 × tea"):
        assert words in said.out, words
    batch = (await desk.mongo.orders.find_one({"_id": order}) or {})["batch"]
    assert f"{desk.system.settings.temporal_ui_url}/namespaces/default/workflows/{batch}" in said.out
    shown = (await desk.tongqu("order", "show", order, "--json")).json
    assert shown["decisions"][0]["candidates"][0]["location"] == NEAR


async def test_the_reasons_of_a_decision_are_told_and_drawn(desk: Desk) -> None:
    order = await desk.dispatched(quantity=2)
    said = await desk.tongqu("order", "why", order, "--location", FAR)
    assert said.status == 0
    for words in (
        "winner     near-store",
        "2 × tea",
        "runner-up  far-store",
        "could ship all",
        "had 100",
        "comes out the same",
    ):
        assert words in said.out, words
    assert (await desk.tongqu("order", "why", order, "--json")).json["outcome"] == "single"
    picture = desk.system.data_dir / "why.html"
    assert (await desk.tongqu("order", "why", order, "--html", picture, "--lang", "zh")).status == 0
    assert "为何这样派单" in picture.read_text(encoding="utf-8")
    assert "no decision 7" in (await desk.tongqu("order", "why", order, "--decision", 7)).out


async def test_the_way_of_a_parcel_is_shown(desk: Desk) -> None:
    order = await desk.dispatched()
    scan = {"id": "1", "carrier": "yunque", "state": "in_transit", "at": datetime(2026, 3, 2, tzinfo=UTC)}
    scans = [{**scan, "place": "嘉兴[分拨]"}]
    await desk.mongo.orders.update_one({"_id": order}, {"$set": {"parcels.0.scans": scans}})
    said = await desk.tongqu("order", "show", order)
    for words in ("way of", "yunque", "in_transit", "嘉兴[分拨]"):
        assert words in said.out, words


async def test_orders_are_listed_by_stage(desk: Desk) -> None:
    order, backordered = await desk.dispatched(), await desk.place(quantity=5000)
    await desk.reaches(backordered, "backordered")
    said = await desk.tongqu("order", "list", "--stage", "backordered")
    assert backordered in said.out
    assert order not in said.out
    listed = (await desk.tongqu("order", "list", "--stage", "dispatched", "--json")).json["orders"]
    assert order in [one["id"] for one in listed]


async def test_a_cancellation_tells_its_outcome_and_keeps_its_reason(desk: Desk) -> None:
    order = await desk.dispatched()
    said = await desk.tongqu("order", "cancel", order, "--reason", "bought twice", "--wait", "20")
    assert said.status == 0
    assert "cancellation: cancelled" in said.out
    assert "bought twice" in (await desk.tongqu("order", "show", order)).out
    await desk.reaches(order, "cancelled")


async def test_an_order_is_released_held_and_retried(desk: Desk) -> None:
    order = await desk.dispatched()
    assert "is held" in (await desk.tongqu("order", "release", order, "--reason", "fraud check")).out
    assert "is dispatched" in (await desk.tongqu("order", "retry", order, "--reason", "all clear")).out
    reasons = [entry.get("reason") for entry in (await desk.order(order))["timeline"]]
    assert {"fraud check", "all clear"} <= set(reasons)


async def test_a_reroute_finds_another_store(desk: Desk) -> None:
    order = await desk.dispatched()
    said = await desk.tongqu("order", "reroute", order, "--parcel", f"{order}.p1", "--reason", "flooded")
    assert "is dispatched" in said.out
    parcels = [(parcel["location"], parcel["state"]) for parcel in (await desk.order(order))["parcels"]]
    assert parcels == [(NEAR, "withdrawn"), (FAR, "offered")]


async def test_a_payment_that_is_awaited_is_reported(desk: Desk) -> None:
    order = await desk.place(payment={"method": "later"}, customer="c-1")
    await desk.reaches(order, "paying")
    shown = (await desk.tongqu("order", "show", order)).out
    assert "goods held" in shown and "held" in shown
    wrong = await desk.tongqu("order", "pay", order, "--amount", "1", "--reference", "wx-1")
    assert (wrong.status, "amount" in wrong.out) == (1, True)
    assert "is dispatched" in (await desk.tongqu("order", "pay", order, "--amount", "1250", "--reference", "wx-1")).out


async def test_an_order_is_sent_to_another_address(desk: Desk) -> None:
    order = await desk.dispatched()
    where = ("--division", "110101", "--lat", "39.9", "--lon", "116.4", "--name", "王芳")
    assert "is dispatched" in (await desk.tongqu("order", "address", order, *where)).out
    moved = await desk.order(order)
    assert (moved["division"], moved["parcels"][-1]["location"]) == ("110101", FAR)


async def test_goods_come_back(desk: Desk) -> None:
    order = await desk.dispatched(quantity=2)
    early = await desk.tongqu("order", "return", order, "--parcel", f"{order}.p1", "--reason", "changed_mind")
    assert (early.status, "not_returnable" in early.out) == (1, True)
    shipped = {"id": f"{order}:1", "parcel": f"{order}.p1", "kind": "delivered"}
    await desk.answers(NEAR, shipped)
    await desk.reaches(order, "closed")
    arguments = ("--parcel", f"{order}.p1", "--reason", "changed_mind", "--units")
    assert "line=units" in (await desk.tongqu("order", "return", order, *arguments, "one")).out
    said = await desk.tongqu("order", "return", order, *arguments, "1=1")
    assert f"return {order}.r1 of {order}: requested" in said.out


async def test_what_is_not_waited_for_is_said_to_be_unknown(desk: Desk) -> None:
    order = await desk.dispatched()
    said = await desk.tongqu("order", "release", order, "--reason", "later", "--wait", "0")
    assert said.status == 0
    assert f"not known yet: tongqu order show {order}" in said.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("order", "show", "nobody"), "There is no order nobody."),
        (("order", "cancel", "nobody", "--reason", "why"), "There is no order nobody."),
        (("order", "list", "--region", "moon"), "region"),
    ],
)
async def test_a_refusal_is_said_in_plain_words(desk: Desk, arguments: tuple[str, ...], words: str) -> None:
    said = await desk.tongqu(*arguments)
    assert said.status == 1
    assert words in said.out
    assert "Traceback" not in said.out


async def test_a_command_needs_a_reason(desk: Desk) -> None:
    said = await desk.tongqu("order", "release", "any")
    assert said.status == 2
    assert "--reason" in said.out


async def test_a_key_is_shown_once_stored_as_its_hash_and_works_within_its_scopes(desk: Desk) -> None:
    said = await desk.tongqu("key", "create", "shop.desk", "--scope", "orders:read")
    key = said.out.strip()
    row = await desk.mongo.api_keys.find_one({"_id": hash_key(key)})
    assert row is not None
    assert (row["name"], row["scopes"]) == ("shop.desk", ["orders:read"])
    assert key not in str(row)
    async with Shop(desk.system.settings.require("gateway_url"), key) as shop:
        assert "orders" in await shop.send("GET", "/v1/orders")
        with pytest.raises(RequestRefused, match="orders:write"):
            await shop.place([])


async def test_a_scope_that_does_not_exist_is_refused_with_those_that_do(desk: Desk) -> None:
    said = await desk.tongqu("key", "create", "shop.desk", "--scope", "orders:everything")
    assert said.status == 1
    assert "orders:read" in said.out
    assert await desk.mongo.api_keys.find_one({"scopes": "orders:everything"}) is None


async def test_dead_letters_are_listed_shown_and_sent_again_corrected(desk: Desk) -> None:
    order = await desk.dispatched()
    client = await connect_by(desk.system.settings, "test")
    js = client.jetstream()
    await js.publish(reply_subject(NEAR), b"no [json] at all")

    async def dead() -> int:
        return (await js.stream_info(DLQ)).state.messages

    await eventually(dead, message="the message never came to the dead letters")
    [letter] = (await desk.tongqu("dlq", "list", "--json")).json
    assert (letter["subject"], letter["reason"]) == (reply_subject(NEAR), "not_json")
    assert "not_json" in (await desk.tongqu("dlq", "list")).out
    assert "no [json] at all" in (await desk.tongqu("dlq", "show", letter["number"])).out
    corrected = desk.system.data_dir / "corrected.json"
    reply = {"id": f"{order}:redriven", "parcel": f"{order}.p1", "kind": "accepted"}
    event = {"specversion": "1.0", "id": "1", "source": NEAR, "type": "parcel.replies.v1"}
    corrected.write_text(json.dumps({**event, "data": {"replies": [reply]}}))
    said = await desk.tongqu("dlq", "redrive", letter["number"], "--body", corrected)
    assert said.status == 0, said.out
    await desk.reaches(order, "accepted")
    assert await dead() == 0
    assert "no dead letters" in (await desk.tongqu("dlq", "list")).out
    assert (await desk.tongqu("dlq", "show", letter["number"])).status == 1
    await client.close()


async def test_a_redrive_without_letters_to_send_is_refused(desk: Desk) -> None:
    assert (await desk.tongqu("dlq", "redrive")).status == 1
    assert (await desk.tongqu("dlq", "redrive", 4711)).status == 1


async def test_refusals_are_counted_by_place_and_code(desk: Desk) -> None:
    await desk.tongqu("order", "show", "nobody")

    async def counted() -> int:
        found: dict[str, dict[str, int]] = (await desk.tongqu("refusals", "--json")).json
        return found.get("api", {}).get("unknown_order", 0)

    assert await eventually(counted, timeout=20) >= 1
    assert "unknown_order" in (await desk.tongqu("refusals")).out


async def test_status_says_how_the_system_stands(desk: Desk) -> None:
    await desk.dispatched()
    standing = (await desk.tongqu("status", "--json")).json
    assert standing["orders"]["dispatched"] >= 1
    assert standing["oldest_open"] is not None
    assert sum(standing["batches"].values()) >= 1
    assert standing["consumers"].keys() == {"WAKE wake", "REPLIES replies"}
    assert f"p-{NEAR}" in standing["partners_behind"]
    assert "dispatched" in (await desk.tongqu("status")).out


async def test_status_tells_what_is_known_while_the_bus_is_away(desk: Desk) -> None:
    await desk.dispatched()
    bus = desk.system.servers.processes["nats"]
    os.kill(bus.pid, signal.SIGSTOP)
    try:
        said = await desk.tongqu("status")
    finally:
        os.kill(bus.pid, signal.SIGCONT)
    assert said.status == 0
    assert "dispatched" in said.out and "no answer within" in said.out
    assert "dead letters" not in said.out


async def test_an_import_uses_the_system_that_is_running(desk: Desk, tmp_path: Path) -> None:
    order = f"import-{uuid.uuid4().hex[:8]}"
    shop = {"type": "location", "id": f"{order}-store", "name": "Wuhan", "division": "420106", "channels": [order]}
    placed: dict[str, Any] = {
        "type": "order",
        "id": order,
        "channel": order,
        "lines": [{"line": 1, "sku": order, "quantity": 2, "unit_price": 500}],
        "total": 1000,
        "ship_to": {"division": "420106", "point": {**HOME, "lat": 30.5, "lon": 114.3}},
    }
    rows = [
        {**shop, "point": {"lat": 30.6, "lon": 114.3, "datum": "WGS84"}},
        {"type": "stock", "location": shop["id"], "sku": order, "quantity": 2},
        {**placed, "id": f"{order}-wrong", "total": 999},
        placed,
        {**placed, "id": f"{order}-unknown", "lines": [{**placed["lines"][0], "sku": f"{order}-none"}]},
        {"type": "stock", "location": f"{order}-nowhere", "sku": order, "quantity": 1},
    ]
    file, rejects = tmp_path / "orders.ndjson", tmp_path / "rejects.ndjson"
    file.write_text("no json\n" + "".join(json.dumps(row) + "\n" for row in rows))
    said = await desk.tongqu("import", "ndjson", file, "--agents", "--rejects", rejects)
    assert said.status == 0, said.out
    assert (await desk.order(order))["stage"] == "closed"
    bad = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert [(row["line"], row["code"]) for row in bad] == [
        (1, "not_json"),
        (4, "prices_do_not_add_up"),
        (6, "unknown_sku"),
        (7, "unknown_location"),
    ]
    assert all(row["reason"] for row in bad)
    again = await desk.tongqu("import", "ndjson", file, "--agents")
    assert "placed before" in again.out
    assert (await desk.mongo.counters.find_one({"_id": "refusal:import:not_json"}) or {})["count"] == 2


async def test_a_request_that_is_too_large_is_halved_until_the_bad_rows_stand_alone(desk: Desk, tmp_path: Path) -> None:
    file, rejects = tmp_path / "large.ndjson", tmp_path / "rejects.ndjson"
    row = json.dumps({"type": "order", "junk": "x" * 900_000})
    file.write_text(f"{row}\n" * 10)
    said = await desk.tongqu("import", "ndjson", file, "--rejects", rejects)
    assert said.status == 1, "no order of the file was placed"
    bad = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert [row["line"] for row in bad] == list(range(1, 11))
    assert {row["code"] for row in bad} == {"invalid"}


async def test_an_import_whose_orders_nobody_answers_for_gives_up(desk: Desk, tmp_path: Path) -> None:
    order = f"import-{uuid.uuid4().hex[:8]}"
    lines = [{"line": 1, "sku": "tea", "quantity": 1, "unit_price": 100}]
    ship_to = {"division": "330106", "point": HOME}
    row = {"type": "order", "id": order, "lines": lines, "total": 100, "ship_to": ship_to}
    file = tmp_path / "order.ndjson"
    file.write_text(json.dumps(row))
    said = await desk.tongqu("import", "ndjson", file, "--no-agents", "--patience", "2")
    assert said.status == 1
    assert "do their stores answer?" in said.out
    assert (await desk.order(order))["stage"] == "dispatched"


async def test_a_file_that_cannot_be_read_is_said(desk: Desk, tmp_path: Path) -> None:
    said = await desk.tongqu("import", "olist", tmp_path)
    assert said.status == 1
    assert "olist_geolocation_dataset.csv cannot be read" in said.out


async def test_the_check_holds_on_the_running_system_and_fails_when_something_is_broken(desk: Desk) -> None:
    await desk.dispatched()
    said = await desk.tongqu("check")
    assert said.status == 0, said.out
    assert "stock.reservations" in said.out
    await desk.mongo.stock.update_one({"_id": f"{NEAR}/tea"}, {"$inc": {"on_hand": 1}})
    try:
        said, as_json = await desk.tongqu("check"), await desk.tongqu("check", "--json")
    finally:
        await desk.mongo.stock.update_one({"_id": f"{NEAR}/tea"}, {"$inc": {"on_hand": -1}})
    assert (said.status, as_json.status) == (1, 1)
    assert "what to do:" in said.out
    assert as_json.json["holds"] is False
    assert [finding["invariant"] for finding in as_json.json["findings"]] == ["ledger.levels"]
    assert "events.sent_once" in as_json.json["checked"]


async def test_a_partners_key_is_made_and_all_of_them_are_revoked(desk: Desk) -> None:
    made = [(await desk.tongqu("key", "create", "shop-1", "--partner", NEAR)).out.strip() for _ in range(2)]
    rows = [await desk.mongo.api_keys.find_one({"_id": hash_key(key)}) for key in made]
    assert [(row["partner"], row["scopes"]) for row in rows if row] == [(NEAR, ["partner"])] * 2
    wide = await desk.tongqu("key", "create", "shop-1", "--partner", NEAR, "--scope", "operate")
    assert wide.status == 1 and "no other" in wide.out
    assert (await desk.tongqu("key", "create", "shop-1")).status == 1
    hook = {"_id": "wh-near", "stream": NEAR, "state": "active", "paused_for": None, "generation": 1}
    await desk.mongo.webhooks.insert_one(hook)
    assert (await desk.tongqu("key", "revoke", NEAR)).out.strip() == "2 revoked, 1 webhooks rest"
    assert await desk.mongo.api_keys.count_documents({"partner": NEAR}) == 0
    await desk.mongo.webhooks.delete_one({"_id": "wh-near"})


async def test_keys_of_our_own_are_listed_and_revoked_by_name(desk: Desk) -> None:
    for _ in range(2):
        await desk.tongqu("key", "create", "leaver", "--scope", "orders:read")
    await desk.tongqu("key", "create", "leaver", "--partner", NEAR)
    listed = (await desk.tongqu("key", "list")).out
    assert listed.count("leaver") == 3 and "orders:read" in listed and "tq_" not in listed
    for arguments in ((), (NEAR, "--name", "leaver")):
        assert (await desk.tongqu("key", "revoke", *arguments)).status == 1
    assert (await desk.tongqu("key", "revoke", "--name", "leaver")).out.strip() == "2 revoked"
    assert [row["partner"] async for row in desk.mongo.api_keys.find({"name": "leaver"})] == [NEAR]
    assert (await desk.tongqu("key", "revoke", NEAR)).out.strip() == "1 revoked"
