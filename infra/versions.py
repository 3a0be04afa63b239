"""Versions of the workers in Temporal: which one takes new work, and what each still carries."""

import asyncio
from dataclasses import dataclass

from temporalio.api.enums.v1 import VersionDrainageStatus
from temporalio.api.workflowservice.v1 import (
    DescribeWorkerDeploymentRequest,
    SetWorkerDeploymentCurrentVersionRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

_NOT_YET = (
    RPCStatusCode.NOT_FOUND,
    RPCStatusCode.FAILED_PRECONDITION,
    RPCStatusCode.UNAVAILABLE,
    RPCStatusCode.CANCELLED,
    RPCStatusCode.DEADLINE_EXCEEDED,
)
"""The last two: no answer in time."""
_WAIT_S = 60.0
_PAUSE_S = 0.2
_STATUS = {
    VersionDrainageStatus.VERSION_DRAINAGE_STATUS_UNSPECIFIED: "",
    VersionDrainageStatus.VERSION_DRAINAGE_STATUS_DRAINING: "draining",
    VersionDrainageStatus.VERSION_DRAINAGE_STATUS_DRAINED: "drained",
}


class VersionUnknown(Exception):
    """No worker of that version has asked for tasks, or not for all of its task queues."""

    def __init__(self, deployment: str, build: str, why: str) -> None:
        super().__init__(
            f"build {build} of {deployment} cannot take over: {why}; "
            "start workers with TONGQU_WORKER_BUILD set to it, then try again"
        )


@dataclass(frozen=True, slots=True)
class Version:
    """`drainage`: of a version that was current: `draining` while pinned workflows run on it, then `drained`."""

    build: str
    current: bool
    drainage: str


async def make_current(temporal: Client, deployment: str, build: str, *, wait_s: float = _WAIT_S) -> None:
    """Give new workflows, and running ones that upgrade by themselves, to the workers of a build.

    Waits until these have asked for tasks on every queue. Raises VersionUnknown.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait_s
    request = SetWorkerDeploymentCurrentVersionRequest(
        namespace=temporal.namespace, deployment_name=deployment, build_id=build, identity=temporal.identity
    )
    while True:
        try:
            await temporal.workflow_service.set_worker_deployment_current_version(request)
            return
        except RPCError as error:
            if error.status not in _NOT_YET or loop.time() > deadline:
                raise VersionUnknown(deployment, build, error.message) from error
        await asyncio.sleep(_PAUSE_S)


async def versions(temporal: Client, deployment: str) -> list[Version]:
    """Those that the server knows, the newest first; none when no versioned worker was ever there."""
    request = DescribeWorkerDeploymentRequest(namespace=temporal.namespace, deployment_name=deployment)
    try:
        answer = await temporal.workflow_service.describe_worker_deployment(request)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return []
        raise
    info = answer.worker_deployment_info
    current = info.routing_config.current_deployment_version.build_id
    return [
        Version(
            build=summary.deployment_version.build_id,
            current=summary.deployment_version.build_id == current,
            drainage=_STATUS.get(summary.drainage_status, ""),
        )
        for summary in info.version_summaries
    ]
