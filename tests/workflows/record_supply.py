"""Records histories of replenishment for the replay test: `.venv/bin/pytest tests/workflows/record_supply.py`."""

from datetime import timedelta

from temporalio.client import WorkflowFailureError

from activities.supply.deciding import decide_where
from contracts.buying import WORKFLOW as PURCHASE
from contracts.replenishing import ORDERING_WORKFLOW, WORKFLOW, Where, ordering_id
from contracts.transfers import WORKFLOW as TRANSFER
from contracts.transfers import Command
from tests.workflows.buying import Purchasing
from tests.workflows.record_histories import _keep
from tests.workflows.test_buying import buying
from tests.workflows.test_replenishment import Desk, approved_transfer, desk, pool, short_and_full

__all__ = ["buying", "desk", "pool"]


async def test_record_a_run_nobody_decides_on_and_the_one_that_supersedes_it(desk: Desk) -> None:
    await short_and_full(desk)
    _, first = await desk.start()
    await first.result()
    _, second = await desk.start()
    await second.result()
    await _keep("superseded", first, WORKFLOW)
    await _keep("superseding", second, WORKFLOW)


async def test_record_a_run_that_is_cancelled(desk: Desk) -> None:
    await short_and_full(desk)
    _, process = await desk.start()
    await process.cancel()
    try:
        await process.result()
    except WorkflowFailureError:
        pass
    await _keep("cancelled", process, WORKFLOW)


async def test_record_a_run_that_its_policy_approves(desk: Desk) -> None:
    await short_and_full(desk, id="default", version=2, approve_below=10**9)
    run, process = await desk.start()
    await process.result()
    ordering = desk.env.client.get_workflow_handle(ordering_id(f"{run}:policy"))
    assert await ordering.result() > 0
    await _keep("approved_by_policy", process, WORKFLOW)
    await _keep("by_policy", ordering, ORDERING_WORKFLOW)


async def test_record_what_people_approve_and_order_twice(desk: Desk) -> None:
    await short_and_full(desk)
    run = await desk.run()
    await decide_where(desk.mongo, Where(run=run), "approved", desk.by("d1"))
    assert await desk.order("d1") == 3
    await _keep("approved", desk.env.client.get_workflow_handle(ordering_id("d1")), ORDERING_WORKFLOW)
    assert await desk.order("d1") == 0
    await _keep("nothing_left", desk.env.client.get_workflow_handle(ordering_id("d1")), ORDERING_WORKFLOW)


async def test_record_a_transfer_that_comes_late_and_in_parts(desk: Desk) -> None:
    transfer = await approved_transfer(desk)
    await desk.env.sleep(timedelta(days=6))
    await transfer.execute_update("command", Command.model_validate({"by": "full", "ship": {}}))
    for reference, units in (("DN-1", 15), ("DN-2", 3)):
        lines = [{"sku": "tea", "units": units, "damaged": 1}]
        receipt = {"by": "short", "receive": {"reference": reference, "lines": lines}}
        await transfer.execute_update("command", Command.model_validate(receipt))
    assert await transfer.result() == "received"
    await _keep("late_and_in_parts", transfer, TRANSFER)


async def test_record_a_transfer_that_is_called_off(desk: Desk) -> None:
    transfer = await approved_transfer(desk)
    await transfer.execute_update("command", Command.model_validate({"by": "full", "cancel": {"reason": "Sold out."}}))
    assert await transfer.result() == "cancelled"
    await _keep("called_off", transfer, TRANSFER)


async def test_record_a_confirmed_order_that_comes_in_parts(buying: Purchasing) -> None:
    process = await buying.order(await buying.supplier("sup-a", 100))
    await buying.says(process.id, "confirmed")
    await buying.stands(process.id, "confirmed")
    await buying.receive(process.id, "dn-1", ("tea", 4))
    await buying.pass_days(3)
    await buying.receive(process.id, "dn-2", ("tea", 6))
    lines = [{"line": 1, "quantity": 10, "unit_price": 100}]
    await buying.says(process.id, "invoiced", reference="inv-1", lines=lines)
    await process.result()
    await _keep("confirmed_and_received_in_parts", process, PURCHASE)
