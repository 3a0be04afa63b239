"""Cases over HTTP, on the real Temporal server: what channels, people and those who approve may see and do."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from activities.service.carrying import CaseActivities
from infra.cases import Cases
from infra.keys import Scope, create_key
from infra.mongo import Mongo
from infra.order_api import HttpOrderDesk
from infra.settings import Settings
from infra.temporal import connect, register_search_attributes
from tests.gateway.running import Api, fresh
from tests.gateway.running import order as order_of
from tests.support import eventually
from workers.service import service_worker

CHANNEL = (Scope.CASES_WRITE, Scope.CASES_READ)


@pytest.fixture(scope="module")
async def service(gateway_settings: Settings, mongo: Mongo, api: Api, key: str) -> AsyncIterator[Cases]:
    """A worker without a bot: people answer."""
    cases = api.gateway.cases
    client = await connect(gateway_settings)
    await register_search_attributes(client, gateway_settings.temporal_namespace)
    async with (
        HttpOrderDesk(api.url, key) as desk,
        service_worker(client, [CaseActivities(cases, desk).carry]),
    ):
        yield cases


@pytest.fixture
async def channel(api: Api, mongo: Mongo) -> Api:
    return api.with_key(await create_key(mongo, fresh("channel"), CHANNEL))


@pytest.fixture
async def person(api: Api, mongo: Mongo) -> Api:
    return api.with_key(await create_key(mongo, fresh("lin"), [Scope.SERVICE, Scope.CASES_READ]))


async def opened(channel: Api, **more: Any) -> dict[str, Any]:
    body = {"kind": "complaint", "customer": fresh("c"), "region": "330106", "text": "坏了", "person": True, **more}
    answer = await channel.post("/v1/cases", body, status=201)
    return dict(answer.body)


async def placed(api: Api, order: str) -> None:
    """An order of 50,000 yuan that nobody carries."""
    body = {
        "id": order,
        "currency": "CNY",
        "lines": [{"line": 1, "sku": "tea", "quantity": 1, "unit_price": 50_000_00}],
        "total": 50_000_00,
        "ship_to": {"division": "330106", "point": {"lat": 30.27, "lon": 120.15, "datum": "WGS84"}},
    }
    await api.put("/v1/skus", {"skus": [{"sku": "tea"}]})
    await api.post("/v1/orders", body, status=202)


class TestOpening:
    async def test_the_same_request_again_is_the_same_case(self, service: Cases, channel: Api) -> None:
        body = {"kind": "complaint", "region": "330106", "text": "坏了", "person": True}
        keyed = {"Idempotency_Key": fresh("key")}
        first = await channel.post("/v1/cases", body, status=201, **keyed)
        again = await channel.post("/v1/cases", body, status=201, **keyed)
        assert first.body["id"] == again.body["id"]
        messages = await channel.get(f"/v1/cases/{first.body['id']}/messages", status=200)
        assert [one["text"] for one in messages.body["messages"]] == ["坏了"]

    async def test_the_same_matter_is_taken_in(self, service: Cases, channel: Api) -> None:
        customer = fresh("c")
        first = await opened(channel, customer=customer)
        second = await opened(channel, customer=customer, text="还是坏的")
        assert (second["id"], second["merged"], second["messages"]) == (first["id"], True, 2)

    async def test_names_and_phones_are_masked(self, service: Cases, channel: Api) -> None:
        made = await opened(channel, name="王小明", phone="13812345678")
        assert (made["customer"]["name"], made["customer"]["phone"]) == ("王**", "138****5678")

    async def test_an_unknown_order_is_refused_by_its_field(self, service: Cases, channel: Api) -> None:
        refused = await channel.post("/v1/cases", {"order": "no-such-order", "text": "?"}, status=422)
        assert (refused.code, refused.body["field"]) == ("unknown_order", "order")

    async def test_the_order_of_another_customer_is_like_none(self, service: Cases, api: Api, channel: Api) -> None:
        await api.put("/v1/skus", {"skus": [{"sku": "tea"}]})
        order = order_of(id=fresh("whose"), customer="c-victim")
        await api.post("/v1/orders", order, status=202)
        words = {"text": "取消这个订单", "customer": fresh("c-thief")}
        refused = await channel.post("/v1/cases", {"order": order["id"], **words}, status=422)
        none = await channel.post("/v1/cases", {"order": "no-such-order", **words}, status=422)
        assert (refused.code, refused.body["field"], refused.body["remedy"]) == (
            none.code,
            none.body["field"],
            none.body["remedy"],
        )
        whoever = await opened(channel, order=order["id"], customer=None)
        assert (whoever["customer"]["reference"], whoever["customer"]["inferred"]) == ("c-victim", True)
        await channel.post("/v1/cases", {"order": order["id"], **words}, status=422)
        owner = await opened(channel, order=order["id"], customer="c-victim")
        assert owner["id"] == whoever["id"]


class TestWorking:
    async def test_an_answer_is_seen_by_the_channel_and_a_note_is_not(
        self, service: Cases, channel: Api, person: Api
    ) -> None:
        case = (await opened(channel))["id"]
        await person.post(f"/v1/cases/{case}/notes", {"text": "顾客很急"}, status=200)
        replied = await person.post(f"/v1/cases/{case}/reply", {"text": "马上处理"}, status=200)
        assert replied.body["state"] == "waiting_customer"
        seen = await channel.get(f"/v1/cases/{case}/messages", status=200)
        assert [one["sender"] for one in seen.body["messages"]] == ["customer", "agent"]
        inside = await person.get(f"/v1/cases/{case}/messages", status=200)
        assert len(inside.body["messages"]) == 3

    async def test_a_refusal_changes_nothing(self, service: Cases, channel: Api, person: Api) -> None:
        case = (await opened(channel))["id"]
        before = (await channel.get(f"/v1/cases/{case}", status=200)).body["version"]
        refused = await person.post(f"/v1/cases/{case}/compensations", {"amount": 5, "reason": "late"}, status=409)
        assert refused.code == "no_order"
        assert (await channel.get(f"/v1/cases/{case}", status=200)).body["version"] == before

    async def test_resolved_rated_and_explained(self, service: Cases, channel: Api, person: Api) -> None:
        case = (await opened(channel))["id"]
        why = (await person.get(f"/v1/cases/{case}/why", status=200)).body
        assert {one["clock"] for one in why["deadlines"]} >= {"first_response", "resolution"}
        early = await channel.post(f"/v1/cases/{case}/rating", {"score": 5}, status=409)
        assert early.code == "not_resolved"
        await person.post(f"/v1/cases/{case}/resolution", {"text": "好了"}, status=200)
        rated = await channel.post(f"/v1/cases/{case}/rating", {"score": 5}, status=200)
        assert rated.body["satisfaction"]["score"] == 5

    async def test_two_cases_of_one_matter_are_merged(
        self, service: Cases, channel: Api, person: Api, mongo: Mongo
    ) -> None:
        one, other = (await opened(channel))["id"], (await opened(channel))["id"]
        merged = await person.post(f"/v1/cases/{one}/merging", {"into": other}, status=200)
        assert (merged.body["state"], merged.body["merged_into"]) == ("closed", other)
        into = await mongo.case_inbox.find_one({"_id": f"merged:{one}"})
        assert into is not None and into["case"] == other
        refused = await channel.post(f"/v1/cases/{one}/messages", {"text": "?"}, status=409)
        assert refused.code == "case_closed" and other in refused.body["detail"]

    async def test_of_two_that_are_merged_into_each_other_one_goes_on(
        self, service: Cases, channel: Api, person: Api
    ) -> None:
        one, other = (await opened(channel))["id"], (await opened(channel))["id"]
        await asyncio.gather(
            person.post(f"/v1/cases/{one}/merging", {"into": other}),
            person.post(f"/v1/cases/{other}/merging", {"into": one}),
        )

        async def live() -> set[str]:
            states = {case: await channel.get(f"/v1/cases/{case}", status=200) for case in (one, other)}
            return {case for case, seen in states.items() if seen.body["state"] != "closed"}

        async def settled() -> bool:
            return await service.mongo.case_inbox.count_documents({"case": {"$in": [one, other]}, "taken": None}) == 0

        await eventually(settled, timeout=60)
        assert len(await live()) == 1


class TestMoney:
    async def test_it_is_paid_by_the_order_after_somebody_else_has_approved_it(
        self, service: Cases, api: Api, channel: Api, person: Api, mongo: Mongo
    ) -> None:
        """The order is carried by nobody here: what is asked of it lies in its inbox, once."""
        made = fresh("order")
        await placed(api, made)
        case = (await opened(channel, order=made))["id"]
        offer = {"amount": 20_000_00, "reason": "all of it broken"}
        offered = await person.post(f"/v1/cases/{case}/compensations", offer, status=200)
        assert offered.body["state"] == "waiting_approval"
        decision = {"number": 1, "approve": True}
        assert (await person.post(f"/v1/cases/{case}/decision", decision, status=403)).code == "scope_missing"
        lead = api.with_key(await create_key(mongo, fresh("lead"), [Scope.SERVICE_APPROVE]))
        await lead.post(f"/v1/cases/{case}/decision", decision, status=200)

        async def asked() -> int:
            return await mongo.inbox.count_documents({"order": made, "kind": "command.goodwill"})

        await eventually(asked, timeout=60)
        row = await mongo.inbox.find_one({"order": made, "kind": "command.goodwill"})
        assert row is not None and row["data"]["amount"] == 20_000_00
        assert await asked() == 1

    async def test_more_than_the_customer_pays_is_refused_before_anybody_has_to_decide(
        self, service: Cases, api: Api, channel: Api, person: Api, mongo: Mongo
    ) -> None:
        order = fresh("order")
        await placed(api, order)
        case = (await opened(channel, order=order))["id"]
        offer = {"amount": 50_000_01, "reason": "all of it broken"}
        refused = await person.post(f"/v1/cases/{case}/compensations", offer, status=422)
        assert (refused.code, refused.body["field"]) == ("over_what_is_paid", "amount")
        assert "Send 5000000 or less" in refused.body["remedy"]
        other = await person.post(
            f"/v1/cases/{case}/compensations", {"amount": 1, "currency": "EUR", "reason": "late"}, status=422
        )
        assert (other.code, other.body["field"]) == ("other_currency", "currency")
        assert await mongo.case_inbox.find_one({"case": case, "what": "compensate"}) is None
        offered = await person.post(f"/v1/cases/{case}/compensations", offer | {"amount": 50_000_00}, status=200)
        assert offered.body["state"] == "waiting_approval"


async def test_queues_count_what_is_open(service: Cases, channel: Api, person: Api, mongo: Mongo) -> None:
    await opened(channel)
    shown = (await person.get("/v1/cases/queues", status=200)).body
    live = await mongo.cases.count_documents({"state": {"$nin": ["resolved", "closed"]}})
    assert shown["open"] == live == sum(one["open"] for one in shown["queues"])
    assert shown["queues"][0]["oldest_case"].startswith("case-")


async def test_pages_hold_every_case_once(service: Cases, channel: Api) -> None:
    customer = fresh("c")
    made = {(await opened(channel, customer=customer, kind=kind))["id"] for kind in ("complaint", "invoice", "other")}
    found: list[str] = []
    cursor = ""
    while True:
        page = (await channel.get(f"/v1/cases?customer={customer}&limit=1{cursor}", status=200)).body
        found += [one["id"] for one in page["cases"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert len(found) == 3 and set(found) == made
