"""A worker that dies in the middle of a step is noticed in seconds, whatever the step was."""

from datetime import timedelta

from temporalio.api.enums.v1 import EventType

from activities.heartbeat import EVERY_S
from tests.workflows.test_returns import closed_order, opened
from tests.workflows.world import World

_NOTICED_WITHIN = timedelta(seconds=10)


async def test_every_step_of_an_order_and_of_its_return_is_watched_by_heartbeats(world: World) -> None:
    order, parcel = await closed_order(world, payment={"method": "card", "token": "tok_ok"})
    process = await world.follow(await opened(world, order, parcel, 2))
    await world.return_is(f"{order}.r1", "approved")
    batch = world.env.client.get_workflow_handle((await world.order(order))["batch"])
    watched: dict[str, set[timedelta]] = {}
    for handle in (batch, process):
        async for event in handle.fetch_history_events():
            if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
                scheduled = event.activity_task_scheduled_event_attributes
                timeout = scheduled.heartbeat_timeout.ToTimedelta()
                watched.setdefault(scheduled.activity_type.name, set()).add(timeout)
    assert set(watched) == {"orders.advance", "payments.settle", "returns.advance"}
    assert set.union(*watched.values()) == {_NOTICED_WITHIN}
    assert timedelta(seconds=5 * EVERY_S) < _NOTICED_WITHIN
