"""Temporal's database is deleted: orders, returns, statements and the schedule are taken up again without help."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts.settlement import statement_id
from contracts.settling import SCHEDULE
from infra.mongo import Mongo
from infra.temporal import connect
from tests.support import eventually
from tests.survival.town import QUICK, STORES, Town, town

pytestmark = pytest.mark.timeout(300)
"""Many processes; a machine that has more to do takes its time."""
_SLOW = {**QUICK, "ship_s": [5, 8]}


async def has(mongo: Mongo, collection: str, **fields: Any) -> dict[str, Any]:
    async def found() -> dict[str, Any] | None:
        return await mongo.db[collection].find_one(fields)

    row: dict[str, Any] | None = await eventually(found, timeout=60, message=f"no {fields} among the {collection}")
    assert row is not None
    return row


async def delete_temporal(place: Town) -> None:
    place.system.servers.processes["temporal"].kill()
    for file in (place.system.data_dir / "temporal").glob("temporal.sqlite*"):
        file.unlink()
    await place.system.servers.start_again("temporal")


async def a_statement(place: Town) -> str:
    """Ready, and waiting for the partner."""
    period = f"{datetime.now(UTC) + timedelta(hours=8):%Y-%m}"
    asked = {
        "period": period,
        "until": datetime.now(UTC).isoformat(),
        "partners": [STORES[0]],
        "approval": {"auto_approve_after_s": 86_400},
    }
    await place.shop.send("POST", "/v1/settlements", asked)
    statement = statement_id(STORES[0], period)
    await has(place.mongo, "statements", _id=statement, state="ready")
    return statement


async def test_all_that_was_open_goes_on(tmp_path: Path) -> None:
    async with town(tmp_path, stores=_SLOW, batch_max=20) as place:
        await has(place.mongo, "counters", _id="temporal")
        async with place.load("sold") as load:
            await load.accepts(1)
        await place.all_closed(load.accepted)
        order = load.accepted[0]
        body = {"parcel": f"{order}.p1", "quantities": {"1": 1}, "reason": "changed_mind"}
        returned = (await place.shop.send("POST", f"/v1/orders/{order}/returns", body))["id"]
        await has(place.mongo, "returns", _id=returned, state="approved")
        statement = await a_statement(place)
        async with place.load("open") as load:
            await load.accepts(10)
            await delete_temporal(place)
            await load.accepts(10)
        await place.all_closed(load.accepted)
        await place.shop.send("POST", f"/v1/returns/{returned}/receipt", {"lines": [{"line": 1, "sellable": 1}]})
        await has(place.mongo, "returns", _id=returned, state="closed")
        temporal = await connect(place.system.settings)
        assert (await temporal.get_schedule_handle(SCHEDULE).describe()).id == SCHEDULE
        await place.shop.send("POST", f"/v1/settlements/{statement}/approval", {})
        row = await has(place.mongo, "statements", _id=statement, approved_by={"$ne": None})
        assert row["approval"]["auto_approve_after_s"] == 86_400
        assert [revision["number"] for revision in row["revisions"]] == [1], "nothing was made twice"
        await place.holds()
