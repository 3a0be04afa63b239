"""Temporal, as the gateway uses it: connected when it is first needed, so that orders are taken while it is away."""

import asyncio
from typing import Any

from temporalio.client import (
    Client,
    ScheduleDescription,
    WithStartWorkflowOperation,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDConflictPolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from contracts.failures import refusal_of
from contracts.fulfilment import REGION
from contracts.refusals import Refusal
from contracts.replenishing import Region
from infra.settings import Settings
from infra.supply_schedules import describe_schedule, ensure_schedule, pause_schedule
from infra.temporal import connect

_WITHIN_S = 30.0
_SOON_S = 5.0
_ANSWERED_WITHIN_S = 3.0


class Durable:
    """One object per process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: Client | None = None
        self._connecting = asyncio.Lock()

    async def _connected(self) -> Client:
        async with self._connecting:
            if self._client is None:
                if self._settings.temporal_address is None:
                    raise _unavailable("This gateway was not told where Temporal is (TONGQU_TEMPORAL_ADDRESS).")
                try:
                    self._client = await connect(self._settings)
                except (RuntimeError, RPCError) as error:
                    raise _unavailable("Temporal does not answer at the moment.") from error
            return self._client

    async def start(self, workflow: str, argument: object, workflow_id: str, task_queue: str, summary: str) -> None:
        """Start a workflow; one that was started under this id before is left as it is. Raises Refusal 503."""
        client = await self._connected()
        try:
            await client.start_workflow(
                workflow, argument, id=workflow_id, task_queue=task_queue, static_summary=summary
            )
        except WorkflowAlreadyStartedError:
            return
        except RPCError as error:
            raise _unavailable("Temporal does not answer at the moment.") from error

    async def start_with(
        self,
        workflow: str,
        argument: object,
        workflow_id: str,
        task_queue: str,
        update: str,
        summary: str,
        within_s: float = _WITHIN_S,
    ) -> None:
        """Start a workflow together with its first update, which takes the same argument, and wait for that update;
        one that runs already is only updated. Raises the Refusal that the workflow made of it, or 503 when the outcome
        is not known in time."""
        client = await self._connected()
        start: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
            workflow,
            argument,
            id=workflow_id,
            task_queue=task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary=summary,
        )
        try:
            async with asyncio.timeout(within_s):
                await client.execute_update_with_start_workflow(
                    update, argument, start_workflow_operation=start, id=workflow_id
                )
        except WorkflowUpdateFailedError as error:
            raise refusal_of(error.cause) or error.cause or error from error
        except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
            raise _unavailable("The outcome is not known yet.") from error
        except RPCError as error:
            raise _unavailable("Temporal does not answer at the moment.") from error

    async def wake(
        self, workflow: str, argument: object, workflow_id: str, task_queue: str, update: str, region: str
    ) -> None:
        """Update a workflow, which is started if it does not run, and wait until that is done. Raises Refusal 503 when
        the outcome is not known in time."""
        client = await self._connected()
        start: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
            workflow,
            argument,
            id=workflow_id,
            task_queue=task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            search_attributes=TypedSearchAttributes([SearchAttributePair(REGION, [region] if region else [])]),
        )
        try:
            async with asyncio.timeout(_SOON_S):
                await client.execute_update_with_start_workflow(update, start_workflow_operation=start)
        except WorkflowUpdateFailedError as error:
            raise error.cause or error from error
        except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
            raise _unavailable("The outcome is not known yet.") from error
        except RPCError as error:
            raise _unavailable("Temporal does not answer at the moment.") from error

    async def update(self, workflow_id: str, update: str, argument: object, update_id: str) -> bool:
        """Carry an update out, once for an id. False: there is no such workflow, or it has ended.

        Raises the Refusal that the workflow made of it, or 503 when the outcome is not known in time.
        """
        client = await self._connected()
        handle = client.get_workflow_handle(workflow_id)
        try:
            async with asyncio.timeout(_WITHIN_S):
                await handle.execute_update(update, argument, id=update_id)
        except WorkflowUpdateFailedError as error:
            raise refusal_of(error.cause) or error.cause or error from error
        except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
            raise _unavailable("The outcome is not known yet.") from error
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False
            raise _unavailable("Temporal does not answer at the moment.") from error
        return True

    async def signal(self, workflow_id: str, signal: str) -> bool:
        """False: there is no such workflow, or it has ended. Raises Refusal 503."""
        client = await self._connected()
        try:
            await client.get_workflow_handle(workflow_id).signal(signal)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False
            raise _unavailable("Temporal does not answer at the moment.") from error
        return True

    async def schedule_region(self, region: Region) -> None:
        """Run a region as it says. Raises Refusal 503."""
        client = await self._connected()
        try:
            await ensure_schedule(client, region)
        except RPCError as error:
            if error.status is RPCStatusCode.INVALID_ARGUMENT:
                remedy = "Send five fields, such as 0 3 * * *: minute, hour, day, month, weekday."
                detail = f"This is no schedule: {region.cron}."
                raise Refusal("bad_cron", detail, remedy=remedy, field="cron") from error
            raise _unavailable("Temporal does not answer at the moment.") from error

    async def region_schedule(self, region: str) -> ScheduleDescription | None:
        """None: there is none. Raises Refusal 503."""
        client = await self._connected()
        try:
            return await describe_schedule(client, region)
        except RPCError as error:
            raise _unavailable("Temporal does not answer at the moment.") from error

    async def pause_region(self, region: str, *, paused: bool, note: str) -> None:
        """Raises Refusal 503."""
        client = await self._connected()
        try:
            await pause_schedule(client, region, paused=paused, note=note)
        except RPCError as error:
            raise _unavailable("Temporal does not answer at the moment.") from error

    async def cancel(self, workflow_id: str) -> bool:
        """Ask a workflow to end. False: there is none, or it has ended. Raises Refusal 503."""
        client = await self._connected()
        try:
            await client.get_workflow_handle(workflow_id).cancel()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False
            raise _unavailable("Temporal does not answer at the moment.") from error
        return True

    async def query(self, workflow_id: str, query: str, result: type[Any]) -> Any:
        """What a workflow answers; None when there is none, or nobody answers for it now."""
        client = await self._connected()
        try:
            async with asyncio.timeout(_ANSWERED_WITHIN_S):
                return await client.get_workflow_handle(workflow_id).query(query, result_type=result)
        except (TimeoutError, RPCError, WorkflowQueryFailedError, WorkflowQueryRejectedError):
            return None


def _unavailable(detail: str) -> Refusal:
    remedy = "Send the same request again, with its Idempotency-Key, after the seconds that Retry-After names."
    return Refusal("workflows_unavailable", detail, remedy=remedy, status=503, retry_after=2)
