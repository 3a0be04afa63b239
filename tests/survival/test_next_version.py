"""Workers of the next version take over running workflows, one of which that version has changed."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from contracts.fulfilment import ORDERS, STAGE
from infra.processes import Process
from infra.settings import Settings
from infra.temporal import connect
from infra.versions import VersionUnknown, make_current, versions
from tests.support import eventually
from tests.survival.town import Town, town

pytestmark = pytest.mark.timeout(240)
"""Many processes; a machine that has more to do takes its time."""
OURS = Path(__file__).parents[2]
BEFORE = Path(__file__).with_name("before")
_SLOW = {"accept_s": [0, 0.1], "pack_s": [0, 0.1], "ship_s": [0, 0.1], "deliver_s": [6, 8], "group_s": 0.1}


@pytest.fixture
def version_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes run the version before: this one, with the workflow as it was."""
    tree = tmp_path / "before"
    for package in ("contracts", "workflows", "activities", "workers", "infra"):
        shutil.copytree(OURS / package, tree / package, ignore=shutil.ignore_patterns("__pycache__"))
    for changed in BEFORE.glob("*.py"):
        shutil.copy(changed, tree / "workflows" / changed.name)
    monkeypatch.setenv("PYTHONPATH", str(tree))
    # Else a process takes the packages that lie where it is started.
    monkeypatch.setenv("PYTHONSAFEPATH", "1")


async def carried_by(temporal: Client, workflow: str) -> str:
    """The build whose worker made the last step of a workflow."""
    info = (await temporal.get_workflow_handle(workflow).describe()).raw_description.workflow_execution_info
    return info.versioning_info.deployment_version.build_id


async def a_return(place: Town, order: str) -> str:
    """Announced by a customer; it waits for the goods."""
    parcel = f"{order}.p1"
    body = {"parcel": parcel, "quantities": {"1": 1}, "reason": "changed_mind"}
    returned = (await place.shop.send("POST", f"/v1/orders/{order}/returns", body))["id"]

    async def waits() -> bool:
        return await place.mongo.returns.find_one({"_id": returned, "state": "approved"}) is not None

    await eventually(waits, timeout=30, message=f"{returned} was not approved")
    return str(returned)


async def received(place: Town, returned: str) -> None:
    await place.shop.send("POST", f"/v1/returns/{returned}/receipt", {"lines": [{"line": 1, "sellable": 1}]})

    async def ended() -> Any:
        return await place.mongo.returns.find_one({"_id": returned, "state": "closed"})

    await eventually(ended, timeout=30, message=f"{returned} did not end")


@pytest.mark.usefixtures("version_before")
async def test_the_next_version_takes_over_what_runs(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with town(data, stores=_SLOW, worker_build="before", batch_max=20) as place:
        temporal = await connect(place.system.settings)
        async with place.load("early") as load:
            await load.accepts(4)
        early = load.accepted
        await place.all_closed(early[:1])
        old_return = await a_return(place, early[0])
        assert await carried_by(temporal, old_return) == "before"
        async with place.load("open", pause_s=0.5) as load:
            await load.accepts(4)
            new = _next_worker(place, tmp_path)
            new.start()
            try:
                await make_current(temporal, place.system.settings.worker_deployment, "after")
                await load.accepts(4)
                await _drained(temporal, place)
                await place.system.processes["fulfilment"].stop()
                await load.accepts(4)
                load.stop()
                await place.all_closed([*early, *load.accepted])
                await received(place, old_return)
                new_return = await a_return(place, early[1])
                assert await carried_by(temporal, new_return) == "after"
                await _searchable(temporal, new_return, early[1])
                assert old_return not in await _found(temporal, early[0]), "what had begun goes on as it was"
                await received(place, new_return)
                await place.holds()
            finally:
                await new.stop()


async def test_a_build_without_workers_cannot_take_over(temporal_address: str, tmp_path: Path) -> None:
    temporal = await connect(Settings(temporal_address=temporal_address, data_dir=tmp_path))
    with pytest.raises(VersionUnknown, match="TONGQU_WORKER_BUILD"):
        await make_current(temporal, "nobody", "never", wait_s=0)
    assert await versions(temporal, "nobody") == []


def _next_worker(place: Town, folder: Path) -> Process:
    env = {**place.system.environment, "PYTHONPATH": str(OURS), "TONGQU_WORKER_BUILD": "after"}
    return Process.of_module("after", "workers.fulfilment", log=folder / "after.log", env=env)


async def _drained(temporal: Client, place: Town) -> None:
    """No batch is left that the version before has to carry on: each has made a step with the next one."""

    async def nothing_left() -> bool:
        running = "WorkflowType = 'OrderFulfilment' AND ExecutionStatus = 'Running'"
        left = [each.id async for each in temporal.list_workflows(running)]
        builds = [await carried_by(temporal, batch) for batch in left]
        assert "before" not in builds, builds
        known = {version.build: version for version in await versions(temporal, "tongqu")}
        return known["after"].current and not known["before"].current

    await eventually(nothing_left, timeout=100)


async def _found(temporal: Client, order: str) -> list[str]:
    query = f"{ORDERS.name} = '{order}' AND WorkflowType = 'OrderReturn'"
    return [each.id async for each in temporal.list_workflows(query)]


async def _searchable(temporal: Client, returned: str, order: str) -> None:
    async def there() -> bool:
        return returned in await _found(temporal, order)

    await eventually(there, message="the return is not found by its order")
    description = await temporal.get_workflow_handle(returned).describe()
    assert description.typed_search_attributes.get(STAGE) == ["approved"]
