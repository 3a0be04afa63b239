"""An applicant over HTTP, and the workers that carry its application."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

import aiohttp
import orjson

from activities.onboarding.carrying import OnboardingActivities
from activities.onboarding.check import CheckActivities
from activities.onboarding.checking import opened
from activities.onboarding.provisioning import Hands
from activities.onboarding.requirements import RequirementBook
from bench.applicants import facts, forms
from contracts.applications import Application
from contracts.onboarding import Standing
from infra.access import PartnerAccess
from infra.applications import Applications
from infra.bank import HttpBank
from infra.keyring import keyring
from infra.keys import hash_key
from infra.mongo import Mongo
from infra.nats import connect_by
from infra.sealing import Sealing
from infra.settings import Settings
from infra.temporal import connect as connect_temporal
from infra.temporal import register_search_attributes
from tests import papers
from tests.gateway.running import Answered, Api
from tests.support import eventually
from workers.gateway.services import Gateway
from workers.partners import partner_worker

APPLICATION = {"kind": "franchise", "region": "330106", "categories": ["food", "household"]}
CATEGORIES = ("food", "household")
PDF = "application/pdf"


@asynccontextmanager
async def onboarding_worker(settings: Settings, mongo: Mongo, bank_url: str) -> AsyncIterator[None]:
    """From the application to its reviewers."""
    sealing = Sealing(keyring(settings))
    temporal = await connect_temporal(settings)
    await register_search_attributes(temporal, settings.temporal_namespace)
    nats = await connect_by(settings, "tests")
    access = PartnerAccess(mongo, settings)
    applications = Applications(mongo, sealing)
    onboarding = OnboardingActivities(Hands(mongo, nats.jetstream(), applications, RequirementBook(mongo), access))
    async with HttpBank(bank_url) as bank:
        checks = CheckActivities(mongo, sealing, bank)
        activities: list[Callable[..., Any]] = [
            *(checks.open, checks.check, checks.deposit),
            *(onboarding.carry_out, onboarding.move, onboarding.remind),
        ]
        async with partner_worker(temporal, activities):
            yield
    await access.close()
    await nats.close()


async def begun(gateway: Gateway, name: str, token: str) -> None:
    """An application as one is begun, without its workflow."""
    choice = await gateway.book.choose("franchise", "330106", ["tea"])
    assert choice.chosen is not None
    now = gateway.mongo.clock.now()
    application = Application(
        id=name,
        kind="franchise",
        region="330106",
        categories=["tea"],
        requirements=choice.chosen.pinned,
        token_hash=hash_key(token),
        standing=Standing(application=name),
        created_at=now,
        updated_at=now,
    )
    await gateway.applications.insert(opened(application, choice.chosen))


class Applicant:
    """One applicant with its token. `number` decides what it is called and which codes it has."""

    def __init__(self, api: Api, number: int, begun: dict[str, Any]) -> None:
        self.number = number
        self.id: str = begun["id"]
        self.token: str = begun["token"]
        self.begun = begun["application"]
        self.api = api.with_key(self.token)
        self.forms = forms(number)

    @classmethod
    async def begin(cls, api: Api, number: int, **changes: Any) -> "Applicant":
        answer = await api.call("POST", "/v1/applications", {**APPLICATION, **changes}, status=201, Authorization="")
        return cls(api, number, answer.body)

    @property
    def path(self) -> str:
        return f"/v1/applications/{self.id}"

    async def see(self) -> dict[str, Any]:
        body: dict[str, Any] = (await self.api.get(self.path, status=200)).body
        return body

    async def fill_in(self, **forms_: Any) -> Answered:
        return await self.api.put(f"{self.path}/fields", forms_)

    async def upload(self, item: str, content: bytes, kind: str = PDF, **more: Any) -> Answered:
        return await self.api.call(
            "PUT", f"{self.path}/documents/{item}", data=content, **{"Content_Type": kind, **more}
        )

    async def download(self, item: str) -> tuple[bytes, Mapping[str, str]]:
        headers = {"Authorization": f"Bearer {self.token}"}
        url = f"{self.api.url}{self.path}/documents/{item}"
        async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
            assert answer.status == 200
            return await answer.read(), answer.headers.copy()

    async def say(self, item: str, **said: Any) -> Answered:
        return await self.api.put(f"{self.path}/documents/{item}/facts", said)

    async def supply_all(self) -> None:
        """Everything that is asked, in order."""
        asked = self.begun["items"]
        declared = [item["id"] for item in asked if item["kind"] == "declaration"]
        sent = await self.fill_in(**self.forms, declarations=declared)
        assert sent.status == 200, sent
        for item in asked:
            if item["kind"] != "document":
                continue
            kept = await self.upload(item["id"], papers.pdf(mark=f"{self.id} {item['id']}"))
            assert kept.status == 200, kept
            known = facts(item["id"], self.forms, CATEGORIES, self.number, date.today())  # noqa: DTZ011
            said = await self.say(item["id"], **{name: known[name] for name in item["facts_needed"]})
            assert said.status == 200, said

    async def submit(self) -> Answered:
        return await self.api.post(f"{self.path}/submit", {})

    async def name_amount(self, amount: int) -> Answered:
        return await self.api.post(f"{self.path}/deposit", {"amount": amount})

    async def stands(self, stage: str) -> dict[str, Any]:
        """Wait for it; at the bank's turn also for the deposit."""

        async def look() -> dict[str, Any] | None:
            seen = await self.see()
            sent = stage != "bank" or (seen["deposit"] or {}).get("state") == "sent"
            return seen if seen["stage"] == stage and sent else None

        found = await eventually(look, timeout=60, message=f"never came to {stage}")
        return dict(found or {})

    async def amount(self, bank_url: str) -> int:
        """What its bank shows."""
        url = f"{bank_url}/v1/accounts/{self.forms['bank_account']['number']}/statement"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            entries = orjson.loads(await answer.read())["entries"]
        return int(entries[-1]["amount"])
