"""The Temporal worker that carries applications, partners and their agreements."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from nats.js import JetStreamContext
from temporalio.client import Client
from temporalio.worker import Worker, WorkerDeploymentConfig, WorkflowRunner

from activities.agreements.signing import AgreementActivities
from activities.heartbeat import EVERY_S
from activities.onboarding.carrying import OnboardingActivities
from activities.onboarding.check import CheckActivities
from activities.onboarding.provisioning import Hands
from activities.onboarding.requirements import RequirementBook
from activities.partners.carrying import PartnerActivities
from contracts.agreement_record import Party
from contracts.onboarding import TASK_QUEUE
from infra.access import PartnerAccess
from infra.agreements import Agreements
from infra.applications import Applications
from infra.bank import HttpBank
from infra.keyring import keyring
from infra.mongo import Mongo
from infra.sealing import Sealing
from infra.settings import Settings
from infra.signatures import HttpSignaturePort
from infra.temporal import sandbox
from workflows.catalogue import PARTNER_WORKFLOWS

Activities = list[Callable[..., Any]]


def activities_of(
    onboarding: OnboardingActivities,
    checks: CheckActivities,
    partners: PartnerActivities,
    agreements: AgreementActivities,
) -> Activities:
    return [
        checks.open,
        checks.check,
        checks.deposit,
        onboarding.carry_out,
        onboarding.move,
        onboarding.remind,
        onboarding.provision,
        onboarding.undo,
        onboarding.send_test,
        onboarding.look_for_test,
        partners.stand,
        partners.carry_out,
        partners.remind,
        partners.expire,
        partners.urge,
        partners.renewed,
        partners.leave,
        agreements.draft,
        agreements.stand,
        agreements.send,
        agreements.look,
        agreements.remind,
        agreements.store,
        agreements.expire,
        agreements.carry_out,
    ]


@asynccontextmanager
async def partner_activities(settings: Settings, mongo: Mongo, js: JetStreamContext) -> AsyncIterator[Activities]:
    """All that carries partners, with the bank and the signature provider of the settings."""
    sealing = Sealing(keyring(settings))
    applications, agreements = Applications(mongo, sealing), Agreements(mongo, sealing)
    access = PartnerAccess(mongo, settings)
    hands = Hands(mongo, js, applications, RequirementBook(mongo), access)
    retailer = Party(
        name=settings.retailer_name,
        credit_code=settings.retailer_credit_code,
        address=settings.retailer_address,
        represented_by=settings.retailer_signatory,
    )
    async with (
        HttpBank(settings.require("bank_url")) as bank,
        HttpSignaturePort(settings.require("signature_url"), settings.require("signature_key")) as port,
    ):
        try:
            yield activities_of(
                OnboardingActivities(hands),
                CheckActivities(mongo, sealing, bank),
                PartnerActivities(mongo, access),
                AgreementActivities(agreements, port, retailer, settings.signature_roots, applications.find),
            )
        finally:
            await access.close()


def partner_worker(
    temporal: Client,
    activities: Sequence[Callable[..., Any]],
    task_queue: str = TASK_QUEUE,
    deployment: WorkerDeploymentConfig | None = None,
    runner: WorkflowRunner | None = None,
    max_cached_workflows: int = 1000,
) -> Worker:
    """On a queue of its own, so that weeks of onboarding keep no order waiting."""
    return Worker(
        temporal,
        task_queue=task_queue,
        workflows=PARTNER_WORKFLOWS,
        activities=activities,
        workflow_runner=runner or sandbox(),
        deployment_config=deployment,
        max_concurrent_activities=200,
        max_cached_workflows=max_cached_workflows,
        max_heartbeat_throttle_interval=timedelta(seconds=EVERY_S),
        graceful_shutdown_timeout=timedelta(seconds=10),
    )
