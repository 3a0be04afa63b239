"""The sandbox carriers and the gateway, both real: labels are booked, and parcels move along until their orders end."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from activities.carriers.booking import CarrierActivities
from contracts.base import milliseconds
from contracts.fulfilment import Ask
from infra.carriers import HttpCarrierPort
from infra.demo_carriers import carriers
from infra.embedded.ports import HOST, free_port
from infra.keys import Scope, create_key
from infra.mongo import Mongo
from infra.processes import Process
from tests.gateway.carrying import Carrier
from tests.gateway.running import Api, fresh
from tests.support import eventually

DAY_S = 0.3


class Desk:
    """A sandbox that tells the gateway, and the steps of the orders whose parcels it carries."""

    def __init__(self, api: Api, mongo: Mongo, folder: Path, keys: Path) -> None:
        port = free_port()
        self.url = f"http://{HOST}:{port}"
        self._api, self._mongo = api, mongo
        self._steps = Carrier(mongo)
        self._arguments = (
            *("--port", str(port), "--db", str(folder / "carriers.db"), "--day-s", str(DAY_S)),
            *("--gateway", api.url, "--keys", str(keys)),
        )
        self._log = folder / "carriers.log"
        self.process = self._made()

    def _made(self) -> Process:
        return Process.of_module("carriers", "workers.carrier_sandbox", *self._arguments, log=self._log)

    async def start(self) -> None:
        self.process = self._made()
        self.process.start()

        async def healthy() -> bool:
            async with aiohttp.ClientSession() as session, session.get(f"{self.url}/healthz") as answer:
                return answer.status == 200

        await self.process.wait_ready(healthy, 30.0)

    async def labelled(self, fate: str) -> tuple[str, str]:
        """An order whose store has accepted, with its label. Its id and its batch."""
        order = (await self._api.place(id=f"{fresh('o')}-fate-{fate}"))["id"]
        batch = await self._steps.claim(order)
        await self._mongo.orders.update_one({"_id": order}, {"$set": {"parcels.0.service": "qinglu/economy"}})
        await self._steps.reply(batch, await self.parcel(order), "accepted")
        async with HttpCarrierPort(self.url) as port:
            booked = await CarrierActivities(self._mongo, port).book(
                Ask(batch=batch, now=milliseconds(datetime.now(UTC)))
            )
        assert booked.done == 1
        await self._steps.step(batch)
        return order, batch

    async def parcel(self, order: str) -> dict[str, Any]:
        parcel: dict[str, Any] = (await self.order(order))["parcels"][0]
        return parcel

    async def order(self, order: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self._api.get(f"/v1/orders/{order}", status=200)).body
        return found

    async def until(self, order: str, batch: str, state: str) -> dict[str, Any]:
        """Step the batch, as its bell would, until the parcel's tracking has come so far."""

        async def reached() -> bool:
            await self._steps.step(batch)
            return bool((await self.parcel(order))["tracking_state"] == state)

        await eventually(reached, timeout=30, message=f"{order} never came to be {state}")
        return await self.order(order)

    async def totals(self) -> dict[str, int]:
        async with aiohttp.ClientSession() as session, session.get(f"{self.url}/v1/totals") as answer:
            found: dict[str, int] = await answer.json()
            return found


@pytest.fixture
async def desk(api: Api, mongo: Mongo, tmp_path: Path) -> AsyncIterator[Desk]:
    keys = {}
    for carrier in carriers():
        row = {**carrier.model_dump(exclude={"id"}), "version": 1}
        await mongo.carriers.replace_one({"_id": carrier.id}, row, upsert=True)
        keys[carrier.id] = await create_key(mongo, carrier.id, [Scope.CARRIERS_TRACK])
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(keys))
    made = Desk(api, mongo, tmp_path, path)
    await made.start()
    yield made
    await made.process.stop()


@pytest.mark.parametrize("fate", ["ok", "twice", "jumbled"])
async def test_a_parcel_arrives_however_its_scans_are_told(desk: Desk, fate: str) -> None:
    order, batch = await desk.labelled(fate)
    row = await desk.until(order, batch, "delivered")
    assert row["stage"] == "closed"
    scans = row["parcels"][0]["scans"]
    assert [scan["at"] for scan in scans] == sorted(scan["at"] for scan in scans)
    assert len({scan["id"] for scan in scans}) == len(scans)


@pytest.mark.parametrize(
    ("fate", "scanned", "parcel"),
    [("lost", "lost", "lost"), ("refused", "refused", "returning"), ("returned", "returned", "returning")],
)
async def test_trouble_on_the_way_reaches_the_order(desk: Desk, fate: str, scanned: str, parcel: str) -> None:
    order, batch = await desk.labelled(fate)
    row = await desk.until(order, batch, scanned)
    assert row["parcels"][0]["state"] == parcel


async def test_after_a_crash_of_the_carrier_no_scan_is_missing(desk: Desk) -> None:
    order, batch = await desk.labelled("ok")
    desk.process.kill()
    await desk.process.wait(10.0)
    await desk.start()
    await desk.until(order, batch, "delivered")
    assert await _all_told(desk) == {"labels": 1, "voided": 0, "waiting": 0, "told": 6, "given_up": 0}


async def test_every_scan_that_was_planned_is_told(desk: Desk) -> None:
    order, batch = await desk.labelled("ok")
    row = await desk.until(order, batch, "delivered")
    states = [scan["state"] for scan in row["parcels"][0]["scans"]]
    assert states == ["labelled", "collected", "in_transit", "in_transit", "out_for_delivery", "delivered"]
    assert await _all_told(desk) == {"labels": 1, "voided": 0, "waiting": 0, "told": 6, "given_up": 0}


async def _all_told(desk: Desk) -> dict[str, int]:
    """What the carrier has told, once nothing waits to be told: one by one, each as soon as it is taken."""

    async def told() -> bool:
        return (await desk.totals())["waiting"] == 0

    await eventually(told, timeout=10, message="scans still wait")
    return await desk.totals()
