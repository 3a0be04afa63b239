"""A newcomer on the whole system: applies, is reviewed at the terminal, signs, collects its access, acknowledges the
test, sells its first order, is suspended, and leaves."""

import random
import uuid
from collections.abc import AsyncIterator
from typing import Any, cast

import aiohttp
import orjson
import pytest
from fastapi import FastAPI

from contracts.subjects import reply_subject
from infra.mongo import Mongo
from tests.delivery.partners import Partner, connected
from tests.e2e.places import reaches
from tests.gateway.applying import Applicant
from tests.gateway.running import Answered, Api
from tests.support import eventually
from tests.workers.desk import run_tongqu
from workers.shop import Shop
from workers.system import System

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
async def api(system: System) -> AsyncIterator[Api]:
    async with aiohttp.ClientSession() as session:
        url, key = system.settings.require("gateway_url"), system.settings.require("operator_key")
        # The gateway is a process of its own; nothing of it is reached but by HTTP.
        yield Api(url, key, session, cast(FastAPI, None))


class Newcomer:
    """One applicant and, later, the partner that it becomes."""

    def __init__(self, system: System, api: Api, applicant: Applicant) -> None:
        self.system = system
        self.api = api
        self.applicant = applicant
        self.partner = f"partner-{applicant.id.removeprefix('app-')}"
        self.place = f"{self.partner}-1"

    async def tongqu(self, *arguments: object) -> str:
        """At the operator's terminal."""
        said = await run_tongqu(self.system.data_dir, "partner", *arguments)
        assert said.status == 0, said.out
        return said.out

    async def comes_to_its_reviewers(self) -> None:
        await self.applicant.supply_all()
        assert (await self.applicant.submit()).status == 200
        await self.applicant.stands("bank")
        amount = await self.applicant.amount(self.system.settings.require("bank_url"))
        assert (await self.applicant.name_amount(amount)).body["stage"] == "review"

    async def is_approved_at_the_terminal(self) -> None:
        assert self.applicant.id in await self.tongqu("queue")
        story = await self.tongqu("show", self.applicant.id)
        assert "food_licence" in story and "a reviewer" in story
        assert "Undecided: none" in await self.tongqu("review", self.applicant.id, "passed", "accept")
        seen = (await self.api.get(f"/v1/reviews/{self.applicant.id}", status=200)).body
        assert "agreement" in await self.tongqu("decide", self.applicant.id, "approve")
        [again] = [line for line in seen["audit"] if line["did"] == "saw" and line["by"].startswith("operator-")][:1]
        assert again["subject"] == self.applicant.id

    async def signs(self) -> None:
        async def link() -> str | None:
            answer = await self.applicant.api.get(f"{self.applicant.path}/agreement")
            signers = answer.body["signers"] if answer.status == 200 else []
            return next((one["link"] for one in signers if one.get("link")), None)

        opened = await eventually(link, timeout=60, message="no link to sign with")
        async with aiohttp.ClientSession() as session, session.post(f"{opened}/signature") as answer:
            assert answer.status == 200
        await self.applicant.stands("testing")

    async def collects(self) -> dict[str, Any]:
        answer = await self.applicant.api.post(f"{self.applicant.path}/credentials", {}, status=200)
        assert answer.headers["Cache-Control"] == "no-store"
        body: dict[str, Any] = answer.body
        again = await self.applicant.api.post(f"{self.applicant.path}/credentials", {}, status=409)
        assert again.code == "collected_already"
        return body

    async def order(self, shop: Shop) -> str:
        """An order of what only this partner has."""
        body = {
            "id": f"order-{uuid.uuid4().hex[:12]}",
            "currency": "CNY",
            "lines": [{"line": 1, "sku": f"sku-{self.partner}", "quantity": 1, "unit_price": 500}],
            "total": 500,
            "ship_to": {"division": "330106", "point": {"lat": 30.27, "lon": 120.15, "datum": "WGS84"}},
        }
        return str((await shop.send("POST", "/v1/orders", body))["id"])

    async def command(self, what: str, body: dict[str, Any], status: int = 200) -> Answered:
        return await self.api.post(f"/v1/partners/{self.partner}/{what}", body, status=status)


async def heard(ear: Partner, stream: str, kind: str, **data: Any) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        for message in await ear.read(stream=stream, wait_s=0.3):
            event = orjson.loads(message.data)
            if event["type"] == kind and data.items() <= event["data"].items():
                return cast(dict[str, Any], event)
        return None

    event: dict[str, Any] | None = await eventually(look, timeout=60, message=f"{stream} never heard {kind}")
    assert event is not None
    return event


async def answers(partner: Partner, place: str, parcel: str, *kinds: str) -> None:
    replies = [{"id": f"{parcel}:{kind}", "parcel": parcel, "kind": kind} for kind in kinds]
    event = {
        "specversion": "1.0",
        "id": uuid.uuid4().hex,
        "source": place,
        "type": "parcel.replies.v1",
        "data": {"replies": replies},
    }
    await partner.js.publish(reply_subject(place), orjson.dumps(event), headers={"Nats-Msg-Id": event["id"]})


async def test_a_newcomer_from_the_application_to_the_first_order_and_its_end(
    system: System, api: Api, mongo: Mongo, shop: Shop
) -> None:
    applicant = await Applicant.begin(api, random.randrange(10**8))
    newcomer = Newcomer(system, api, applicant)
    early = await applicant.api.post(f"{applicant.path}/credentials", {}, status=409)
    assert early.code == "no_partner_yet"
    await newcomer.comes_to_its_reviewers()
    await newcomer.is_approved_at_the_terminal()
    await newcomer.signs()
    access = await newcomer.collects()
    credentials = access["credentials"]
    assert credentials["streams"] == [newcomer.partner, newcomer.place]
    assert (await api.get(f"/v1/partners/{newcomer.partner}", status=200)).body["state"] == "testing"
    early = await newcomer.command("suspend", {"reason": "太早"}, status=409)
    assert early.code == "partner_not_active"

    async with connected(
        system.settings.require("nats_url"), credentials["creds"], newcomer.partner, inbox=credentials["inbox"]
    ) as partner:
        await heard(partner, newcomer.partner, "partner.test.v1")
        await applicant.stands("active")
        assert "active" in await newcomer.tongqu("list", "--state", "active")
        ways = (await api.get(f"/v1/partners/{newcomer.partner}", status=200)).body["ways"]
        own, place = ways["streams"]
        assert (own["stream"], own["active"]) == (newcomer.partner, None)
        assert 2 <= own["taken_in"] <= own["told"]
        assert (place["stream"], place["active"], place["told"]) == (newcomer.place, True, 0)
        assert (ways["keys"], ways["credentials"]) == (1, 1)
        assert "1 API keys, 1 credentials for NATS until" in await newcomer.tongqu("show", newcomer.partner)
        await shop.put_stock([{"location": newcomer.place, "sku": f"sku-{newcomer.partner}", "quantity": 5}])
        first = await newcomer.order(shop)
        offer = await heard(partner, newcomer.place, "parcel.offered.v1", order=first)
        parcel = offer["data"]["parcel"]
        await answers(partner, newcomer.place, parcel, "accepted")
        await reaches(mongo, first, "accepted")

        assert "suspended" in await newcomer.tongqu("suspend", newcomer.partner, "--reason", "门店装修")
        second = await newcomer.order(shop)
        await reaches(mongo, second, "backordered")
        await answers(partner, newcomer.place, parcel, "packed", "shipped", "delivered")
        await reaches(mongo, first, "closed")
        assert "active" in await newcomer.tongqu("resume", newcomer.partner)

        third = await newcomer.order(shop)
        offer = await heard(partner, newcomer.place, "parcel.offered.v1", order=third)
        await answers(partner, newcomer.place, offer["data"]["parcel"], "accepted")
        await reaches(mongo, third, "accepted")
        still_open = await newcomer.command("terminate", {"reason": "合同到期"}, status=409)
        assert still_open.code == "still_open" and third in still_open.body["detail"]
        leaving = (await newcomer.command("terminate", {"reason": "合同到期", "when_done": True})).body
        assert (leaving["state"], leaving["terminating"]) == ("suspended", True)
        revoked = await newcomer.tongqu("credentials", newcomer.partner, "--revoke")
        assert "1 keys, 0 webhooks and all credentials ended" in revoked
        await partner.gone()
    gone = await api.with_key(access["key"]).get("/v1/partner/events", status=401)
    assert gone.code == "unknown_key"
    story = await newcomer.tongqu("show", newcomer.partner)
    assert "leaving" in story or "open orders and money" in story
    for secret in (access["key"], credentials["creds"].splitlines()[1]):
        async for row in mongo.idempotency.find():
            assert secret not in str(row)
