"""A world for agreements: applications, a provider that is real, and signers that open their links."""

import itertools
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import orjson
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from activities.agreements.signing import AgreementActivities
from contracts.agreement_record import Agreement, Party
from contracts.agreements import WORKFLOW, Cancel, Command, Draft, Resend, Sign, Signed, Standing, signing_id
from contracts.applications import Application, Fields
from contracts.onboarding import Standing as Onboarding
from infra.agreements import Agreements
from infra.keyring import Keyring, new_key
from infra.mongo import Mongo
from infra.sealing import Sealing
from infra.signatures import HttpSignaturePort
from tests.conftest import SignatureSandbox
from tests.support import eventually

SEALING = Sealing(Keyring.parse(new_key("tests")))
NOW = datetime(2026, 11, 23, tzinfo=UTC)
RETAILER = Party(
    name="通衢示范零售有限公司", credit_code="91330100MA2TQDEM32", address="杭州市", represented_by="李运营"
)
FIELDS: dict[str, Any] = {
    "company": {
        "name": "杭州茶庄有限公司",
        "credit_code": "91330100799655058B",
        "legal_representative": "王芳",
        "address": "杭州市西湖区文三路 90 号",
    },
    "contact": {"name": "王芳", "phone": "13800138000", "email": "wang@example.com"},
    "territory": {"prefixes": ["3301"], "exclusive": True},
    "signatories": [
        {"name": "王芳", "email": "wang@example.com"},
        {"name": "赵敏", "email": "zhao@example.com"},
    ],
}


def application(name: str, **changes: Any) -> Application:
    """A franchise store that wants Hangzhou for itself; two people sign."""
    fields = {**FIELDS, **changes.pop("fields", {})}
    standing = Onboarding(application=name, stage="agreement")
    return Application.model_validate(
        {
            "id": name,
            "kind": "franchise",
            "region": "330106",
            "categories": ["food"],
            "requirements": "franchise@1",
            "token_hash": "0" * 64,
            "fields": Fields.model_validate(fields),
            "standing": standing,
            "created_at": NOW,
            "updated_at": NOW,
            **changes,
        }
    )


class Signers:
    """They have nothing but their links."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def open(self, link: str, part: str = "") -> tuple[int, bytes]:
        async with self._session.get(link + part, headers={"Accept": "text/html"}) as answer:
            return answer.status, await answer.read()

    async def sign(self, link: str) -> int:
        async with self._session.post(f"{link}/signature") as answer:
            return answer.status

    async def decline(self, link: str, reason: str) -> int:
        async with self._session.post(f"{link}/refusal", data={"reason": reason}) as answer:
            return answer.status


class Office:
    """The retailer's office: drafts agreements, has them signed, and looks at what is kept."""

    def __init__(
        self,
        mongo: Mongo,
        port: HttpSignaturePort,
        sandbox: SignatureSandbox,
        env: WorkflowEnvironment | None = None,
        task_queue: str = "",
        sealing: Sealing = SEALING,
    ) -> None:
        self.mongo = mongo
        self.port = port
        self.env = env
        self.task_queue = task_queue
        self.applications: dict[str, Application] = {}
        self.kept = Agreements(mongo, sealing)
        self.activities = AgreementActivities(self.kept, port, RETAILER, sandbox.roots, self.find)
        self._prefix = uuid.uuid4().hex[:8]
        self._numbers = itertools.count(1)

    async def find(self, name: str) -> Application | None:
        return self.applications.get(name)

    async def draft(self, **changes: Any) -> Sign:
        """Of a new application, unless its id is given."""
        asked = {name: changes.pop(name) for name in list(changes) if name in Draft.model_fields}
        name = asked.pop("application", None) or f"app-{self._prefix}-{next(self._numbers)}"
        self.applications.setdefault(name, application(name, **changes))
        now = await self.env.get_current_time() if self.env else NOW
        return await self.activities.draft(Draft(application=name, **{"now": now, **asked}))

    async def begin(self, **changes: Any) -> tuple[Sign, "WorkflowHandle[Any, Signed]"]:
        sign = await self.draft(**changes)
        return sign, await self.have_signed(sign)

    async def have_signed(self, sign: Sign) -> "WorkflowHandle[Any, Signed]":
        assert self.env is not None
        return await self.env.client.start_workflow(
            WORKFLOW, sign, id=signing_id(sign.agreement), task_queue=self.task_queue, result_type=Signed
        )

    async def agreement(self, name: str) -> Agreement:
        known = await self.kept.find(name)
        assert known is not None
        return known

    async def link(self, agreement: str, signer: str, sends: int = 1) -> str:
        """Wait, in real time, until a signer has its link."""

        async def look() -> str | None:
            known = (await self.agreement(agreement)).signer(signer)
            return known.link if known.sends == sends else None

        found: str | None = await eventually(look, timeout=60, message=f"{signer} got no link {sends}")
        assert found is not None
        return found

    async def stands(self, agreement: str, state: str) -> Agreement:
        async def look() -> Agreement | None:
            known = await self.agreement(agreement)
            return known if known.state == state else None

        found: Agreement | None = await eventually(look, timeout=60, message=f"{agreement} never was {state}")
        assert found is not None
        return found

    async def resend(self, handle: "WorkflowHandle[Any, Signed]", signer: str) -> Standing:
        command = Command(by="desk", resend=Resend(signer=signer))
        standing: Standing = await handle.execute_update("resend", command, result_type=Standing)
        return standing

    async def cancel(self, handle: "WorkflowHandle[Any, Signed]", reason: str = "改变主意") -> Standing:
        command = Command(by="desk", cancel=Cancel(reason=reason))
        standing: Standing = await handle.execute_update("cancel", command, result_type=Standing)
        return standing

    async def told(self) -> list[dict[str, Any]]:
        """What the retailer's systems hear, in order."""
        rows = self.mongo.outbox.find({"events.partner": "retailer"}).sort([("at", 1), ("key", 1)])
        return [orjson.loads(event["body"]) async for row in rows for event in row["events"]]

    async def pass_time(self, **span: float) -> None:
        assert self.env is not None
        await self.env.sleep(timedelta(**span))
