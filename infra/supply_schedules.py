"""Temporal schedules of regions: one each, which leaves a run out while the one before is still under way."""

from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleDescription,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError, RPCStatusCode

from contracts.replenishing import TASK_QUEUE, WORKFLOW, Region, Replenish

_CAUGHT_UP_WITHIN = timedelta(hours=6)
"""After the server was away: a run that was due in this time is made up for, once."""


def schedule_id(region: str) -> str:
    return f"supply-{region}"


def schedule_of(region: Region) -> Schedule:
    """Raises ValueError for a region without cron."""
    if region.cron is None:
        raise ValueError(f"the region {region.id} has no cron")
    return Schedule(
        action=ScheduleActionStartWorkflow(
            WORKFLOW,
            Replenish(region=region.id),
            id=schedule_id(region.id),
            task_queue=TASK_QUEUE,
            static_summary=f"replenishment of {region.id}",
        ),
        spec=ScheduleSpec(cron_expressions=[region.cron], time_zone_name=region.time_zone),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=_CAUGHT_UP_WITHIN),
        state=ScheduleState(note=f"replenishment of {region.id}"),
    )


async def ensure_schedule(client: Client, region: Region) -> None:
    """As the region says: made, changed or taken away. One that somebody has paused stays so."""
    handle = client.get_schedule_handle(schedule_id(region.id))
    if region.cron is None:
        try:
            await handle.delete()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
        return
    wanted = schedule_of(region)

    def changed(known: ScheduleUpdateInput) -> ScheduleUpdate:
        wanted.state = known.description.schedule.state
        return ScheduleUpdate(schedule=wanted)

    try:
        await client.create_schedule(schedule_id(region.id), wanted)
    except ScheduleAlreadyRunningError:
        await handle.update(changed)


async def describe_schedule(client: Client, region: str) -> ScheduleDescription | None:
    try:
        return await client.get_schedule_handle(schedule_id(region)).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise


async def pause_schedule(client: Client, region: str, *, paused: bool, note: str) -> None:
    handle = client.get_schedule_handle(schedule_id(region))
    await (handle.pause(note=note) if paused else handle.unpause(note=note))
