"""What an operator does in the Temporal UI, and what gets lost on the way: nothing stays lying."""

from datetime import UTC, datetime, timedelta

from temporalio.client import Client

from contracts.carriers import Scan, TrackingState
from contracts.ids import new_batch_id
from infra.mongo import Mongo
from infra.provision import provision
from infra.temporal import connect
from tests.e2e.places import Places, reaches
from tests.support import eventually
from workers.system import System


async def _temporal(system: System) -> Client:
    return await connect(system.settings)


async def test_after_terminate_the_open_orders_go_on_in_a_new_batch(
    system: System, places: Places, mongo: Mongo
) -> None:
    order = await places.place()
    parcel = await places.near.offered(order)
    row = await reaches(mongo, order, "dispatched")
    await (await _temporal(system)).get_workflow_handle(row["batch"]).terminate("by mistake")

    async def moved() -> bool:
        found = await mongo.orders.find_one({"_id": order})
        return found is not None and found["batch"] not in (None, row["batch"])

    await eventually(moved, timeout=30, message="the order stayed in the terminated batch")
    await places.near.says(parcel, "shipped", "delivered")
    assert (await reaches(mongo, order, "closed"))["attempt"] == 1


async def test_cancel_in_the_temporal_ui_cancels_what_has_not_been_shipped(
    system: System, places: Places, mongo: Mongo
) -> None:
    order = await places.place()
    await places.near.offered(order)
    row = await reaches(mongo, order, "dispatched")
    await (await _temporal(system)).get_workflow_handle(row["batch"]).cancel()
    assert (await reaches(mongo, order, "cancelled"))["cancellation"]["by"] == "operator"
    await places.near.hears("parcel.withdrawn.v1", order=order)


async def test_reset_changes_nothing_twice(system: System, places: Places, mongo: Mongo) -> None:
    order = await places.place()
    parcel = await places.near.offered(order)
    batch = (await reaches(mongo, order, "dispatched"))["batch"]
    await _reset_to_the_start(await _temporal(system), system.settings.temporal_namespace, batch)
    await places.near.says(parcel, "shipped", "delivered")
    row = await reaches(mongo, order, "closed")
    assert len(row["parcels"]) == 1
    assert await mongo.ledger.count_documents({"order": order, "kind": "reserved"}) == 1


async def _reset_to_the_start(temporal: Client, namespace: str, batch: str) -> None:
    from temporalio.api.common.v1 import WorkflowExecution
    from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest

    await temporal.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=namespace,
            workflow_execution=WorkflowExecution(workflow_id=batch),
            reason="a test",
            workflow_task_finish_event_id=4,
            request_id=f"reset-{batch}",
        )
    )


async def test_a_batch_that_was_claimed_and_never_started_is_started_by_the_sweep(places: Places, mongo: Mongo) -> None:
    order = await places.place()
    await reaches(mongo, order, "dispatched")
    lost = new_batch_id()
    long_ago = datetime.now(UTC) - timedelta(minutes=5)
    await mongo.batches.insert_one({"_id": lost, "status": "claimed", "size": 1, "created_at": long_ago})
    await mongo.orders.update_one({"_id": order}, {"$set": {"batch": lost}})

    async def running() -> bool:
        batch = await mongo.batches.find_one({"_id": lost})
        return batch is not None and batch["status"] == "running"

    await eventually(running, timeout=30, message="the sweep did not start the lost batch")


async def test_an_event_whose_bell_was_lost_is_found_by_the_sweep(places: Places, mongo: Mongo) -> None:
    order = await places.place()
    parcel = await places.near.offered(order)
    await reaches(mongo, order, "dispatched")
    await mongo.inbox.insert_one(
        {
            "_id": f"unrung:{order}",
            "order": order,
            "batch": "batch-of-somebody-else",
            "kind": "reply.accepted",
            "received_at": datetime.now(UTC),
            "by": places.near.location,
            "parcel": parcel,
            "data": {},
            "drained": None,
        }
    )
    await reaches(mongo, order, "accepted")


async def test_what_came_for_an_order_that_had_ended_is_taken_in_whatever_batch_it_lies_in(
    places: Places, mongo: Mongo
) -> None:
    order = await places.place()
    parcel = await places.near.offered(order)
    await places.near.says(parcel, "shipped", "delivered")
    await reaches(mongo, order, "closed")
    scan = Scan(id=f"s-{order}", carrier="yunque", state=TrackingState.DELIVERED, at=datetime.now(UTC))
    late = {
        "_id": f"late:{order}",
        "order": order,
        "batch": "batch-that-ended-long-ago",
        "kind": "tracking",
        "received_at": datetime.now(UTC),
        "by": "yunque",
        "parcel": parcel,
        "data": scan.model_dump(),
        "drained": None,
    }
    await mongo.inbox.insert_one(late)

    async def taken_in() -> bool:
        found = await mongo.inbox.find_one({"_id": late["_id"]})
        return found is not None and found["drained"] is not None

    await eventually(taken_in, timeout=40, message="the order was claimed again and again without its event")
    await reaches(mongo, order, "closed")


async def test_when_temporal_has_lost_its_data_open_orders_go_on_in_new_batches(
    system: System, places: Places, mongo: Mongo
) -> None:
    order = await places.place()
    parcel = await places.near.offered(order)
    await places.near.says(parcel, "accepted")
    before = (await reaches(mongo, order, "accepted"))["batch"]
    system.servers.processes["temporal"].kill()
    for file in (system.data_dir / "temporal").glob("temporal.sqlite*"):
        file.unlink()
    await system.servers.start_again("temporal")
    await provision(system.settings)
    await places.near.says(parcel, "shipped", "delivered")
    row = await reaches(mongo, order, "closed", timeout=60)
    assert row["batch"] != before
