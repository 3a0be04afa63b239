"""Purchase orders over HTTP, on the real Temporal server: from the order to the match, as both sides see it."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.partnership import PartnerRecord
from contracts.workdays import day_of
from infra.keys import Scope, create_key
from infra.mongo import Mongo
from infra.settings import Settings
from infra.temporal import connect, register_search_attributes
from tests.gateway.running import Api, fresh
from tests.support import eventually
from workers.buying import PurchaseStarter, buying_worker
from workers.events.suppliers import keep_report, write_down
from workers.reply_forms import Received, Refused, read


@dataclass(frozen=True)
class Trade:
    """The retailer (`api`), one who approves for it (`lead`), one supplier (`supplier`), and what the event worker does
    with what it sends."""

    api: Api
    lead: Api
    supplier: Api
    name: str
    mongo: Mongo
    starter: PurchaseStarter

    async def order(self, units: int = 10, price: int = 100, sku: str = "tea", **more: Any) -> str:
        line = {"sku": sku, "quantity": units, "unit_price": price, "due": _days(20)}
        body = {"supplier": self.name, "location": "near", "lines": [line], **more}
        made = await self.api.post("/v1/purchase-orders", body, status=202)
        await self.starter.once()
        return str(made.body["id"])

    async def says(self, order: str, kind: str, **fields: Any) -> list[Refused]:
        """As it comes from the bus; what was refused at the door."""
        reply = {"id": uuid.uuid4().hex, "order": order, "kind": kind, **fields}
        refused = await self.sends("purchase.replies.v1", {"replies": [reply]})
        await self.starter.once()
        return refused

    async def sends(self, kind: str, data: dict[str, Any], partner: str | None = None) -> list[Refused]:
        import orjson

        event = {"specversion": "1.0", "id": uuid.uuid4().hex, "source": "supplier", "type": kind, "data": data}
        said = read(Received(partner or self.name, 1, self.mongo.clock.now(), orjson.dumps(event)))
        refused = [*said.refused, *await write_down(self.mongo, said.purchases)]
        for supply in said.supplies:
            refused += await keep_report(self.mongo, supply)
        return refused

    async def stands(self, order: str, state: str) -> dict[str, Any]:
        async def look() -> dict[str, Any] | None:
            answer = await self.api.get(f"/v1/purchase-orders/{order}", status=200)
            return answer.body if answer.body["state"] == state else None

        found: dict[str, Any] | None = await eventually(look, timeout=60, message=f"{order} never was {state}")
        assert found is not None
        return found


def _days(ahead: int) -> str:
    return (day_of(datetime.now(UTC)) + timedelta(days=ahead)).isoformat()


@pytest.fixture
async def trade(api: Api, gateway_settings: Settings, mongo: Mongo) -> AsyncIterator[Trade]:
    name = fresh("sup")
    record = PartnerRecord.model_validate(
        {
            "id": name,
            "kind": "supplier",
            "state": "active",
            "name": name,
            "credit_code": "91330100799655058B",
            "application": f"app-{name}",
            "agreement": f"agr-{name}",
            "agreement_until": "2030-01-01T00:00:00Z",
        }
    )
    await mongo.partners.insert_one(record.as_row())
    own = await create_key(mongo, name, [Scope.PARTNER], partner=name)
    lead = await create_key(mongo, "lead", [Scope.PURCHASES_READ, Scope.PURCHASES_APPROVE])
    named = [{"name": "lead", "roles": ["buyer", "purchasing_lead"], "up_to": 6_000_000}]
    await api.put("/v1/purchase-approvers", {"approvers": named}, status=200)
    client = await connect(gateway_settings)
    await register_search_attributes(client, gateway_settings.temporal_namespace)

    async def ring(_: set[str]) -> None:
        """No order waits for goods here."""

    async with buying_worker(client, mongo, ring):
        yield Trade(api, api.with_key(lead), api.with_key(own), name, mongo, PurchaseStarter(mongo, client))


async def test_an_order_by_hand_from_approval_to_the_match(trade: Trade) -> None:
    api, before = trade.api, await _on_hand(trade)
    order = await trade.order(units=1_000, price=1_000)
    assert (await trade.stands(order, "approval"))["turn"]["role"] == "buyer"
    hidden = await trade.supplier.get(f"/v1/partner/purchase-orders/{order}", status=404)
    assert hidden.code == "unknown_order", "a supplier sees what it was asked for, and nothing before"
    own_order = await api.post(f"/v1/purchase-orders/{order}/approval", {}, status=403)
    assert own_order.code == "own_order", "who asked may not approve"
    await trade.lead.post(f"/v1/purchase-orders/{order}/approval", {"note": "ok"}, status=200)
    own = await trade.supplier.get(f"/v1/partner/purchase-orders/{order}", status=200)
    assert own.body["answer_by"] and "terms" not in own.body and "approved_by" not in own.body
    assert not await trade.says(order, "confirmed")
    await trade.stands(order, "confirmed")
    receipt = {"reference": "DN-1", "items": [{"sku": "tea", "quantity": 1_000}, {"sku": "pot", "quantity": 2}]}
    received = await api.post(f"/v1/purchase-orders/{order}/receipts", receipt, status=200)
    assert (received.body["state"], received.body["open_units"]) == ("received", 0)
    assert await _on_hand(trade) == before + 1_000
    again = await api.post(f"/v1/purchase-orders/{order}/receipts", receipt, status=200)
    assert len(again.body["receipts"]) == 1
    assert await _on_hand(trade) == before + 1_000
    lines = [{"line": 1, "quantity": 1_000, "unit_price": 1_001}]
    invoice = {"number": "INV-1", "total": 1_001_000, "lines": lines}
    wrong = await api.post(f"/v1/purchase-orders/{order}/invoices", invoice, status=200)
    assert wrong.body["invoices"][0]["mismatches"][0]["amount"] == 1_000
    decision = {"number": "INV-1", "accept": True, "reason": "agreed"}
    closed = await trade.lead.post(f"/v1/purchase-orders/{order}/invoice-decisions", decision, status=200)
    assert closed.body["state"] == "closed"

    async def repeated() -> bool:
        answer = await api.post(f"/v1/purchase-orders/{order}/receipts", receipt)
        return answer.status == 200 and len(answer.body["receipts"]) == 1

    assert await eventually(repeated, timeout=20), "the last delivery told again is no mistake"
    late = await api.post(f"/v1/purchase-orders/{order}/cancellation", {"reason": "?"}, status=409)
    assert late.code == "nothing_open"


async def _on_hand(trade: Trade) -> int:
    row = await trade.mongo.stock.find_one({"_id": "near/tea"})
    return int(row["on_hand"]) if row else 0


async def test_what_cannot_be_ordered_names_the_field(trade: Trade) -> None:
    line = {"sku": "tea", "quantity": 1, "unit_price": 1, "due": _days(5)}
    good = {"supplier": trade.name, "location": "near", "lines": [line]}
    for change, code, field in (
        ({"supplier": "nobody"}, "unknown_supplier", "supplier"),
        ({"location": "nowhere"}, "unknown_location", "location"),
        ({"lines": [{**line, "sku": "nothing"}]}, "unknown_sku", "lines.0.sku"),
        ({"lines": [{**line, "due": "2020-01-01"}]}, "bad_day", "lines.0.due"),
    ):
        refused = await trade.api.post("/v1/purchase-orders", {**good, **change}, status=422)
        assert (refused.code, refused.body["field"]) == (code, field)
    name = fresh("po-mine")
    first = await trade.api.post("/v1/purchase-orders", {**good, "id": name}, status=202)
    again = await trade.api.post("/v1/purchase-orders", {**good, "id": name}, status=202)
    assert first.body["created_at"] == again.body["created_at"]
    other = {**good, "id": name, "lines": [{**line, "quantity": 2}]}
    assert (await trade.api.post("/v1/purchase-orders", other, status=409)).code == "id_taken"


async def test_a_supplier_answers_for_its_own_orders_only(trade: Trade) -> None:
    order = await trade.order()
    reply = {"id": "r1", "order": order, "kind": "confirmed"}
    for partner in ("somebody", "retailer"):
        [refused] = await trade.sends("purchase.replies.v1", {"replies": [reply]}, partner)
        assert refused.code == "unknown_order"
    unreadable = await trade.sends("purchase.replies.v1", {"replies": [{**reply, "kind": "maybe"}]})
    assert [one.code for one in unreadable] == ["invalid_reply"]
    assert (await trade.api.get(f"/v1/purchase-orders/{order}")).body["state"] == "sent"
    event = {
        "specversion": "1.0",
        "id": "e1",
        "source": trade.name,
        "type": "purchase.replies.v1",
        "data": {"replies": [{"id": "r1", "order": order, "kind": "maybe"}]},
    }
    bad = await trade.supplier.post("/v1/partner/replies", event, status=422)
    assert bad.body["errors"], bad.body
    event["data"] = {"replies": [{**reply, "kind": "declined"}]}
    bare = await trade.supplier.post("/v1/partner/replies", event, status=422)
    assert bare.faults.keys() == {"data.replies.0.reason"}
    event["data"] = {"replies": [reply]}
    await trade.supplier.post("/v1/partner/replies", event, status=202)


async def test_reports_are_kept_by_sku_and_the_newest_counts(trade: Trade) -> None:
    items = [{"sku": "tea", "on_hand": 5, "per_week": 10, "lead_days": 3}, {"sku": "nothing", "on_hand": 1}]
    [refused] = await trade.sends("supply.reported.v1", {"items": items})
    assert (refused.code, refused.field) == ("unknown_sku", "data.items.1")
    assert not await trade.sends("supply.reported.v1", {"items": [{"sku": "tea", "on_hand": 7}]})
    own = await trade.supplier.get("/v1/partner/supply", status=200)
    assert [(one["sku"], one["on_hand"], one["per_week"]) for one in own.body["reports"]] == [("tea", 7, None)]


async def test_a_score_shows_its_lines_and_one_can_be_objected_to(trade: Trade) -> None:
    empty = await trade.supplier.get("/v1/partner/score", status=200)
    assert empty.body["score"]["value"] is None
    assert empty.body["score"]["lines"] == {"hits": 0, "n": 0, "value": None, "low": None, "high": None}
    order = await trade.order()
    await trade.says(order, "confirmed")
    await trade.stands(order, "confirmed")
    items = [{"sku": "tea", "quantity": 10}]
    await trade.api.post(f"/v1/purchase-orders/{order}/receipts", {"reference": "DN-1", "items": items}, status=200)
    # The day on which it was promised has passed since, and the goods came after it.
    yesterday = _days(-1)
    await trade.mongo.purchase_orders.update_one(
        {"_id": order}, {"$set": {"lines.0.promised": yesterday, "lines.0.due": yesterday}}
    )
    seen = await trade.api.get(f"/v1/suppliers/{trade.name}/score", status=200)
    [line] = seen.body["lines"]
    assert (line["verdict"], line["arrived"], line["arrived_by_day"]) == ("late", 10, 0)
    assert seen.body["score"]["lines"]["hits"] == 0 and seen.body["score"]["comparable"] is False
    objection = {"order": order, "line": 1, "reason": "门店停电"}
    made = await trade.supplier.post("/v1/partner/score/disputes", objection, status=200)
    assert made.body["state"] == "open"
    other = {**objection, "line": 2}
    assert (await trade.supplier.post("/v1/partner/score/disputes", other, status=404)).code == "unknown_line"
    assert made.body["answer_by"] and "turn" not in made.body, "until when, and not whose turn it is inside"
    await trade.starter.once()
    listed = await trade.api.get(f"/v1/supplier-disputes?supplier={trade.name}&state=open", status=200)
    [waiting] = listed.body["disputes"]
    assert waiting["turn"]["role"] == "buyer" and waiting["waits_for"].startswith("an answer by buyer;")
    decided = {**objection, "accept": True, "reason": "已核实"}
    not_theirs = await trade.api.post(f"/v1/suppliers/{trade.name}/dispute-answers", decided, status=403)
    assert (not_theirs.code, "lead" in not_theirs.body["remedy"]) == ("other_role", True)
    await trade.lead.post(f"/v1/suppliers/{trade.name}/dispute-answers", decided, status=200)
    twice = await trade.lead.post(f"/v1/suppliers/{trade.name}/dispute-answers", decided, status=409)
    assert twice.code == "no_open_dispute"
    after = await trade.supplier.get("/v1/partner/score", status=200)
    assert (after.body["score"]["lines"]["n"], after.body["lines"][0]["left_out"]) == (0, "disputed")


async def test_who_approves_is_data_with_versions_and_a_limit_that_is_named(trade: Trade) -> None:
    order = await trade.order(units=1_000, price=6_001)
    beyond = await trade.lead.post(f"/v1/purchase-orders/{order}/approval", {}, status=403)
    assert beyond.code == "above_limit"
    assert "lead may approve up to ¥60000.00; this is worth ¥60010.00" in beyond.body["detail"]
    before = await trade.api.get("/v1/purchase-approvers", status=200)
    named = {"approvers": [{"name": "lead", "roles": ["purchasing_lead"]}]}
    denied = await trade.lead.put("/v1/purchase-approvers", named, status=403)
    assert denied.code == "scope_missing", "who approves may not raise the own limit"
    made = await trade.api.put("/v1/purchase-approvers", named, status=200)
    again = await trade.api.put("/v1/purchase-approvers", named, status=200)
    assert made.body["version"] == again.body["version"] == before.body["version"] + 1
    approved = await trade.lead.post(f"/v1/purchase-orders/{order}/approval", {}, status=200)
    assert approved.body["approved_by"] == "lead", "it holds at once, also for what waited already"
    twice = {"approvers": [*named["approvers"], *named["approvers"]]}
    assert "twice" in str((await trade.api.put("/v1/purchase-approvers", twice, status=422)).body)


async def test_terms_are_versions_and_orders_keep_theirs(trade: Trade) -> None:
    first = await trade.order()
    terms = {"levels": [{"role": "buyer"}], "four_eyes_above": None, "answer_work_s": 3600}
    made = await trade.api.put("/v1/purchase-terms", terms, status=200)
    again = await trade.api.put("/v1/purchase-terms", terms, status=200)
    assert made.body["version"] == again.body["version"] >= 1
    second = await trade.order()
    assert (await trade.api.get(f"/v1/purchase-orders/{first}")).body["state"] == "sent"
    assert (await trade.api.get(f"/v1/purchase-orders/{second}")).body["state"] == "approval"
    bad = await trade.api.put("/v1/purchase-terms", {"levels": [{}, {"role": "buyer"}]}, status=422)
    assert "rise" in bad.body["detail"] or bad.body["errors"]
    await trade.mongo.buying_terms.delete_many({})
