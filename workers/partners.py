"""The Temporal worker that carries applications, partners and their agreements."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.worker import Worker, WorkerDeploymentConfig, WorkflowRunner

from activities.heartbeat import EVERY_S
from activities.onboarding.carrying import OnboardingActivities
from activities.onboarding.check import CheckActivities
from activities.partners.carrying import PartnerActivities
from contracts.onboarding import TASK_QUEUE
from infra.temporal import sandbox
from workflows import PARTNER_WORKFLOWS


def activities_of(
    onboarding: OnboardingActivities, checks: CheckActivities, partners: PartnerActivities
) -> list[Callable[..., Any]]:
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
    ]


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
