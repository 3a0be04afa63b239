"""Service cases on the whole system: real processes, killed in between; nothing is paid twice, no case is lost."""

from functools import partial
from typing import Any

import orjson
from nats.js import JetStreamContext

from contracts.cases import CaseEvent
from infra.cases import Cases
from infra.keyring import keyring
from infra.mongo import Mongo
from infra.outbox import outgoing, rows_of
from infra.sealing import Sealing
from tests.e2e.places import Places, reaches
from tests.support import eventually
from workers.gateway.service_examples import CALENDAR, POLICY
from workers.report import read_report
from workers.shop import Shop
from workers.system import System


async def _case_is(mongo: Mongo, case: str, **wanted: Any) -> dict[str, Any]:
    async def there() -> dict[str, Any] | None:
        return await mongo.cases.find_one({"_id": case, **wanted})

    row: dict[str, Any] | None = await eventually(there, timeout=90, message=f"{case} never came to be {wanted}")
    assert row is not None
    return row


async def _delivered(places: Places, mongo: Mongo) -> tuple[str, str]:
    order = await places.place(customer=f"c-{places.sku}")
    parcel = await places.near.offered(order)
    await places.near.says(parcel, "accepted", "shipped", "delivered")
    await reaches(mongo, order, "closed")
    return order, parcel


async def _open(shop: Shop, order: str, key: str, **more: Any) -> str:
    body = {"kind": "complaint", "order": order, "text": "杯子碎了", "person": True, **more}
    opened = await shop.send("POST", "/v1/cases", body, {"Idempotency-Key": key})
    return str(opened["id"])


async def test_a_compensation_is_paid_once_although_everybody_is_killed(
    system: System, places: Places, mongo: Mongo, shop: Shop
) -> None:
    order, _ = await _delivered(places, mongo)
    case = await _open(shop, order, f"open-{order}")
    assert await _open(shop, order, f"open-{order}") == case
    system.processes["fulfilment"].kill()
    give = {"amount": 120, "reason": "a broken cup"}
    key = {"Idempotency-Key": f"give-{order}"}
    await shop.send("POST", f"/v1/cases/{case}/compensations", give, key)
    await _case_is(mongo, case, **{"compensations.0.state": "approved"})
    system.processes["service"].kill()
    system.processes["fulfilment"].start()
    system.processes["service"].start()
    await shop.send("POST", f"/v1/cases/{case}/compensations", give, key)
    row = await _case_is(mongo, case, **{"compensations.0.state": "paid"})
    assert len(row["compensations"]) == 1
    paid = (await reaches(mongo, order, "closed"))["payment"]
    assert (paid["captured"], paid["refunded"]) == (500, 120)


async def test_what_came_in_while_nobody_worked_is_taken_in_afterwards(
    system: System, places: Places, mongo: Mongo, shop: Shop
) -> None:
    order, _ = await _delivered(places, mongo)
    case = await _open(shop, order, f"open-{order}")
    system.processes["service"].kill()
    cases = Cases(mongo, Sealing(keyring(system.settings)))
    at = mongo.clock.now()
    words = [
        CaseEvent(id=f"{case}:w{number}", case=case, at=at, by="app", what="say", text=f"第 {number} 句")
        for number in range(5)
    ]
    await cases.write_events(words)
    await cases.write_events(words)
    system.processes["service"].start()
    row = await _case_is(mongo, case, messages={"$gte": 6})
    assert row["messages"] == 6
    said = [one.text for one in await cases.messages(case)]
    assert said == ["杯子碎了", *(f"第 {number} 句" for number in range(5))]


async def test_a_partner_hears_of_its_case_and_answers(places: Places, mongo: Mongo, shop: Shop) -> None:
    order, _ = await _delivered(places, mongo)
    case = await _open(shop, order, f"open-{order}")
    await shop.send("POST", f"/v1/cases/{case}/partner-question", {"text": "Was it packed well?"})
    heard = await places.near.hears("case.opened.v1", case=case)
    assert heard["data"]["question"] == "Was it packed well?"
    reply = {
        "specversion": "1.0",
        "id": f"answer-{case}",
        "source": places.near.location,
        "type": "case.replies.v1",
        "data": {"replies": [{"id": "a1", "case": case, "text": "是的，有照片。"}]},
    }
    await places.far.sends(orjson.dumps({**reply, "id": f"wrong-{case}"}))
    refused = await places.far.hears("reply.refused.v1", reply="a1")
    assert refused["data"]["code"] == "unknown_case"
    await places.near.sends(orjson.dumps(reply))
    await _case_is(mongo, case, state="open", messages=3)
    inside = await shop.send("GET", f"/v1/cases/{case}/messages")
    assert [(one["sender"], one["internal"]) for one in inside["messages"]][1:] == [("agent", True), ("partner", True)]


async def test_a_lost_parcel_is_sent_again_by_the_order_and_the_partners_score_counts_it(
    places: Places, mongo: Mongo, shop: Shop
) -> None:
    order, parcel = await _delivered(places, mongo)
    case = await _open(shop, order, f"open-{order}")
    body = {"action": "reship", "parcel": parcel, "reason": "never arrived"}
    await shop.send("POST", f"/v1/cases/{case}/corrections", body)
    await _case_is(mongo, case, **{"corrections.0.state": "done"})
    again = (await reaches(mongo, order, "dispatched"))["parcels"][1]["id"]
    await places.near.says(again, "shipped", "delivered")
    await reaches(mongo, order, "closed")
    await shop.send("POST", f"/v1/cases/{case}/resolution", {"code": "corrected", "fault": "partner", "text": "已补发"})
    await shop.send("POST", f"/v1/cases/{case}/rating", {"score": 4})
    rows = [row async for row in mongo.partner_cases.find({"partner": places.near.location})]
    assert [(row["rated"], row["stars"]) for row in rows] == [(1, 4)]
    score = (await shop.send("GET", f"/v1/partners/{places.near.location}/score"))["score"]
    assert (score["satisfaction"]["hits"], score["satisfaction"]["n"], score["service"]["n"]) == (3, 4, 0)


async def test_cases_open_themselves_by_what_orders_tell(places: Places, mongo: Mongo, shop: Shop) -> None:
    """Both stores refuse, a third is not there: the retailer is told of it, and service looks."""
    order = await places.place(customer="c-refused")
    for store in (places.near, places.far):
        parcel = await store.offered(order)
        await store.says(parcel, "rejected", reason="damaged")
    await reaches(mongo, order, "backordered")
    row = await mongo.orders.find_one({"_id": order})
    assert row is not None
    at = mongo.clock.now()
    told = {"order": order, "parcel": parcel, "location": places.far.location, "promised_at": at.isoformat()}
    late = outgoing("retailer", f"late:{order}", "parcel.late.v1", parcel, at, told)
    await mongo.outbox.insert_many(rows_of([late], at))

    async def opened() -> dict[str, Any] | None:
        return await mongo.cases.find_one({"order": order, "taken_up": True})

    case: dict[str, Any] | None = await eventually(opened, timeout=60, message="no case was opened")
    assert case is not None
    assert (case["kind"], case["priority"], case["partner"]) == ("late_missed", "high", places.far.location)
    assert case["causes"] == [f"late:{order}"]
    await shop.send("POST", f"/v1/orders/{order}/cancellation", {"reason": "no more"})


async def test_an_order_that_three_stores_refuse_opens_a_case(
    places: Places, mongo: Mongo, shop: Shop, jetstream: JetStreamContext
) -> None:
    third = (await Places.open(shop, jetstream)).near
    await shop.put_stock([{"location": third.location, "sku": places.sku, "quantity": 10}])
    order = await places.place(customer="c-refused-thrice")
    for number in range(3):
        wanted = {"_id": order, f"parcels.{number}.state": "offered"}
        row = await eventually(
            partial(mongo.orders.find_one, wanted), timeout=30, message=f"no store {number} was asked"
        )
        assert row is not None
        parcel = row["parcels"][number]
        store = {one.location: one for one in (places.near, places.far, third)}[parcel["location"]]
        await store.says(parcel["id"], "rejected", reason="damaged")

    async def opened() -> dict[str, Any] | None:
        return await mongo.cases.find_one({"order": order, "taken_up": True})

    case: dict[str, Any] | None = await eventually(opened, timeout=60, message="no case was opened")
    assert case is not None
    assert (case["kind"], case["priority"], case["state"]) == ("order_refused", "normal", "open")


async def test_a_new_calendar_moves_open_cases_and_each_says_from_what_to_what(mongo: Mongo, shop: Shop) -> None:
    """Over HTTP, by the process that runs: nobody touches the case."""
    calendar = {**CALENDAR, "id": "moved-hours"}
    await shop.send("POST", "/v1/service/calendars", calendar)
    policy = {**POLICY, "id": "moved", "regions": ["65"], "calendar": "moved-hours"}
    await shop.send("POST", "/v1/service/policies", policy)
    body = {"kind": "complaint", "customer": "c-moved", "region": "650102", "text": "坏了", "person": True}
    opened = await shop.send("POST", "/v1/cases", body)
    case = str(opened["id"])
    before = await _case_is(mongo, case, policy={"$regex": "moved-hours@1"})
    always = {"hours": {day: [{"opens": "00:00", "closes": "23:59"}] for day in CALENDAR["work"]["hours"]}}
    await shop.send("POST", "/v1/service/calendars", {**calendar, "work": always})
    after = await _case_is(mongo, case, policy={"$regex": "moved-hours@2"})
    old, new = (row["clocks"]["resolution"]["due"] for row in (before, after))
    assert new < old
    said = [one["note"] for one in after["timeline"] if one["what"] == "clock_moved"]
    (moved,) = [one for one in said if one.startswith("resolution:")]
    assert f"{old:%Y-%m-%d %H:%M}" in moved and f"{new:%Y-%m-%d %H:%M}" in moved
    assert "moved-hours@1" in moved and "moved-hours@2" in moved


async def test_the_bot_answers_from_the_order_itself_and_hands_over_when_asked(
    places: Places, mongo: Mongo, shop: Shop
) -> None:
    order, parcel = await _delivered(places, mongo)
    asked = {"order": order, "customer": f"c-{places.sku}", "text": "我的快递到哪里了？"}
    opened = await shop.send("POST", "/v1/cases", asked)
    case = opened["id"]
    row = await _case_is(mongo, case, messages={"$gte": 2})
    said = (await shop.send("GET", f"/v1/cases/{case}/messages"))["messages"]
    assert (row["kind"], row["state"], said[1]["sender"]) == ("order_status", "bot", "bot")
    assert order in said[1]["text"] and parcel in said[1]["text"]
    await shop.send("POST", f"/v1/cases/{case}/messages", {"text": "转人工"})
    people = await _case_is(mongo, case, state="open")
    assert people["clocks"]["first_response"] is not None


async def test_the_queues_show_what_is_open(shop: Shop, mongo: Mongo) -> None:
    shown = await shop.send("GET", "/v1/cases/queues")
    live = await mongo.cases.count_documents({"state": {"$in": ["bot", "open", "waiting_customer", "waiting_partner"]}})
    assert shown["open"] == live > 0
    listed = await shop.send("GET", "/v1/cases?state=live&limit=1")
    assert listed["next"]
    why = await shop.send("GET", f"/v1/cases/{listed['cases'][0]['id']}/why")
    assert why["deadlines"] and why["waits_for"]


async def test_nothing_is_violated_after_all_of_this(system: System, mongo: Mongo) -> None:
    async def told() -> bool:
        return await mongo.outbox.count_documents({"status": {"$ne": "sent"}}) == 0

    await eventually(told, timeout=60, message="the outbox never became empty")
    report = await read_report(mongo, system.settings)
    assert [finding for finding in report.findings if finding.violated] == []
