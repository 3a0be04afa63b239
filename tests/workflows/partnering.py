"""A world of partners: applicants whose papers are in order, reviewers, and partners' systems, on real servers."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import aiohttp
import orjson
from nats.js import JetStreamContext
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client, WithStartWorkflowOperation, WorkflowExecutionStatus, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

from activities.onboarding.provisioning import Hands
from activities.onboarding.requirements import RequirementBook
from bench.applicants import complete
from contracts.agreements import WAKE, signing_id
from contracts.applications import Application
from contracts.onboarding import (
    WORKFLOW,
    Apply,
    Command,
    ConfirmDeposit,
    Deadlines,
    Decide,
    Doing,
    ReviewItem,
    Stage,
    Standing,
    Submit,
    Withdraw,
    onboarding_id,
    partner_of,
)
from contracts.requirements import builtin_sets
from infra.access import PartnerAccess
from infra.agreements import Agreements
from infra.applications import Applications
from infra.keyring import keyring
from infra.mongo import Mongo
from infra.sealing import Sealing
from infra.settings import Settings
from tests.signing import Signers
from tests.support import eventually

DAY = 86_400
DEADLINES = Deadlines(look_s=0, look_again_s=5 * DAY)
"""As they are, but that one look for the test event is over at once: while an activity works, no time is skipped."""
REQUIREMENTS = "franchise@1"


class Office:
    """The retailer's partner office and those that apply to it. `task_queue` keeps tests apart."""

    def __init__(
        self,
        mongo: Mongo,
        env: WorkflowEnvironment,
        js: JetStreamContext,
        applications: Applications,
        bank_url: str,
        task_queue: str,
        session: aiohttp.ClientSession,
        settings: Settings,
    ) -> None:
        self.mongo = mongo
        self.env = env
        self.js = js
        self.applications = applications
        self.bank_url = bank_url
        self.task_queue = task_queue
        self.signers = Signers(session)
        self.settings = settings
        self.access = PartnerAccess(mongo, settings)
        self.hands = Hands(mongo, js, applications, RequirementBook(mongo), self.access)
        self.agreements = Agreements(mongo, Sealing(keyring(settings)))
        self._session = session

    @property
    def client(self) -> Client:
        return self.env.client

    async def write(self, change: Callable[[Application], Application] | None = None, **more: Any) -> Application:
        """An application that is complete, as a draft; `change` spoils it."""
        number = uuid.uuid4().int % 10**8
        now = await self.env.get_current_time()
        made = complete(number, builtin_sets()[REQUIREMENTS], now, **more)
        made = made.model_copy(update={"standing": Standing(application=made.id)})
        made = change(made) if change is not None else made
        await self.applications.insert(made)
        return made

    async def start(self, application: Application, deadlines: Deadlines = DEADLINES) -> WorkflowHandle[Any, str]:
        """By the update with which an application begins; sent again, it finds itself done."""
        apply = Apply(
            application=application.id,
            kind=application.kind,
            region=application.region,
            requirements=application.requirements,
            deadlines=deadlines,
        )
        begin: WithStartWorkflowOperation[Any, str] = WithStartWorkflowOperation(
            WORKFLOW,
            apply,
            id=onboarding_id(application.id),
            task_queue=self.task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            result_type=str,
        )
        await self.client.execute_update_with_start_workflow(
            "apply", apply, start_workflow_operation=begin, result_type=Standing
        )
        handle: WorkflowHandle[Any, str] = await begin.workflow_handle()
        return handle

    async def begin(self, **more: Any) -> WorkflowHandle[Any, str]:
        """A complete draft whose workflow runs."""
        return await self.start(await self.write(**more))

    async def reviewed(self, **more: Any) -> WorkflowHandle[Any, str]:
        """An application that has come to its reviewers, with its account confirmed."""
        process = await self.begin(**more)
        await self.submit(process)
        await self.stands(process, "bank")
        await self.confirm(process, await self.deposited(process))
        await self.stands(process, "review")
        return process

    async def update(self, process: WorkflowHandle[Any, str], what: Doing, command: Command) -> Standing:
        standing: Standing = await process.execute_update(what, command, result_type=Standing)
        return standing

    async def submit(self, process: WorkflowHandle[Any, str]) -> Standing:
        return await self.update(process, "submit", Command(by="applicant", submit=Submit()))

    async def withdraw(self, process: WorkflowHandle[Any, str]) -> Standing:
        return await self.update(process, "withdraw", Command(by="applicant", withdraw=Withdraw()))

    async def confirm(self, process: WorkflowHandle[Any, str], amount: int) -> Standing:
        asked = ConfirmDeposit(amount=amount)
        return await self.update(process, "confirm_deposit", Command(by="applicant", confirm_deposit=asked))

    async def review(
        self, process: WorkflowHandle[Any, str], item: str, decision: Any, comment: str | None = None, by: str = "mei"
    ) -> Standing:
        asked = ReviewItem(item=item, decision=decision, comment=comment)
        return await self.update(process, "review", Command(by=by, review=asked))

    async def decide(
        self, process: WorkflowHandle[Any, str], decision: Any, by: str = "mei", reason: str | None = None
    ) -> Standing:
        return await self.update(process, "decide", Command(by=by, decide=Decide(decision=decision, reason=reason)))

    async def accept_all(self, process: WorkflowHandle[Any, str], by: str = "mei") -> None:
        for item in (await self.standing(process)).undecided:
            await self.review(process, item, "accept", by=by)

    async def approve(self, process: WorkflowHandle[Any, str], by: str = "mei") -> Standing:
        await self.accept_all(process, by)
        return await self.decide(process, "approve", by)

    async def ended(self, process: WorkflowHandle[Any, str]) -> str:
        """Let days pass until it has ended; how it stands then. (Only handles of a plain start skip time by
        themselves.)"""
        for _ in range(100):
            if (await process.describe()).status is not WorkflowExecutionStatus.RUNNING:
                return await process.result()
            await self.env.sleep(timedelta(days=1))
        raise AssertionError(f"{process.id} runs for more than a hundred days")

    async def correct(self, process: WorkflowHandle[Any, str], item: str) -> None:
        """The applicant supplies a document anew, as it should be."""
        application = await self.applications.find(_application(process))
        assert application is not None
        good = complete(int(application.id.removeprefix("app-")), builtin_sets()[REQUIREMENTS], application.created_at)
        papers = {**application.documents, item: good.documents[item]}
        items = [
            one.model_copy(update={"state": "supplied"}) if one.item == item else one
            for one in application.standing.items
        ]
        standing = application.standing.model_copy(update={"items": items})
        await self.applications.replace(application.model_copy(update={"documents": papers, "standing": standing}))

    async def standing(self, process: WorkflowHandle[Any, str]) -> Standing:
        row = await self.mongo.applications.find_one({"_id": _application(process)})
        assert row is not None
        return Standing.model_validate(row["standing"])

    async def stands(
        self, process: WorkflowHandle[Any, str], stage: Stage, also: Callable[[Standing], Any] | None = None
    ) -> Standing:
        """Wait until it stands so, and whose turn it is was written down."""

        async def look() -> Standing | None:
            standing = await self.standing(process)
            told = standing.turn is not None or stage in ("active", "rejected", "withdrawn", "expired")
            return standing if standing.stage == stage and told and (also is None or also(standing)) else None

        found: Standing | None = await eventually(look, timeout=60, message=f"never came to {stage}")
        assert found is not None
        return found

    async def deposited(self, process: WorkflowHandle[Any, str]) -> int:
        """What the applicant's bank shows of the deposit, in fen."""
        known = await self.applications.find(_application(process))
        assert known is not None and known.fields.bank_account is not None
        number = known.fields.bank_account.number
        url = f"{self.bank_url}/v1/accounts/{number}/statement"
        async with self._session.get(url) as answer:
            statement = orjson.loads(await answer.read())
        return int(statement["entries"][-1]["amount"])

    async def link(self, agreement: str, signer: str = "partner-1") -> str:
        """Wait, in real time, until a signer has its link."""

        async def look() -> str | None:
            known = await self.agreements.find(agreement)
            return next((one.link for one in known.signers if one.id == signer), None) if known else None

        found: str | None = await eventually(look, timeout=60, message=f"{signer} got no link")
        assert found is not None
        return found

    async def agreement_of(self, process: WorkflowHandle[Any, str]) -> str:
        """The one that is out for signature."""
        standing = await self.stands(process, "agreement", lambda one: one.agreement)
        assert standing.agreement is not None
        return standing.agreement

    async def sign(self, process: WorkflowHandle[Any, str]) -> str:
        """The partner's signer signs; the retailer's seal follows."""
        agreement = await self.agreement_of(process)
        assert await self.signers.sign(await self.link(agreement)) == 200
        await self.called_back(process, agreement)
        return agreement

    async def decline(self, process: WorkflowHandle[Any, str], reason: str) -> str:
        agreement = await self.agreement_of(process)
        await self.signers.decline(await self.link(agreement), reason)
        await self.called_back(process, agreement)
        return agreement

    async def called_back(self, process: WorkflowHandle[Any, Any], agreement: str) -> None:
        """The provider calls back until the signing has ended."""
        signing = self.client.get_workflow_handle(signing_id(agreement))

        async def over() -> bool:
            row = await self.mongo.agreements.find_one({"_id": agreement}, {"state": 1})
            if row is not None and row["state"] in ("signed", "declined"):
                return True
            try:
                await signing.signal(WAKE)
            except RPCError as error:  # It has ended meanwhile.
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
            return False

        await eventually(over, timeout=60, message=f"{agreement} was never signed")

    async def tested(self, **more: Any) -> WorkflowHandle[Any, str]:
        """An applicant that was approved, has signed and was made a partner; its test event is not acknowledged."""
        process = await self.reviewed(**more)
        await self.approve(process)
        await self.sign(process)
        await self.stands(process, "testing")
        return process

    async def partner(self, process: WorkflowHandle[Any, str]) -> dict[str, Any]:
        row = await self.mongo.partners.find_one({"_id": partner_of(_application(process))})
        assert row is not None
        return row

    async def told(self, whom: str) -> list[dict[str, Any]]:
        rows = self.mongo.outbox.find({"events.partner": whom}).sort([("at", 1), ("key", 1)])
        events = [event async for row in rows for event in row["events"] if event["partner"] == whom]
        return [orjson.loads(event["body"]) for event in events]

    async def told_of(self, whom: str, kind: str) -> list[dict[str, Any]]:
        return [event["data"] for event in await self.told(whom) if event["type"] == kind]


async def shown(process: WorkflowHandle[Any, Any]) -> str:
    """What the Temporal UI shows of a workflow."""
    metadata = await process.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    return str(metadata.current_details)


def _application(process: WorkflowHandle[Any, Any]) -> str:
    return process.id.removeprefix("onboarding-")
