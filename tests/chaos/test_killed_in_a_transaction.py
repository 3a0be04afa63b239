"""A process that is killed between its first write and its commit holds up the others for seconds only."""

import asyncio
import sys
import time
from pathlib import Path

import pytest

from infra.embedded.mongod import TRANSACTION_AT_MOST_S
from infra.mongo import Mongo, Session
from infra.processes import Process
from tests.chaos.rig import ROOT
from tests.support import eventually

DIES = """
import asyncio, pathlib, sys
from infra.mongo import Mongo

async def work(session):
    await mongo.counters.update_one({"_id": "stock"}, {"$inc": {"version": 1}}, session=session)
    pathlib.Path(sys.argv[3]).touch()
    await asyncio.sleep(3600)

async def main():
    global mongo
    mongo = Mongo(sys.argv[1], sys.argv[2])
    await mongo.transaction(work)

asyncio.run(main())
"""


@pytest.mark.timeout(300)
async def test_what_it_had_written_is_free_again_in_seconds(mongo_url: str, database: str, tmp_path: Path) -> None:
    mongo = Mongo(mongo_url, database)
    await mongo.counters.insert_one({"_id": "stock", "version": 1})
    written = tmp_path / "written"
    dying = Process(
        "dying",
        [sys.executable, "-c", DIES, mongo_url, database, written],
        log=tmp_path / "dying.log",
        env={"PYTHONPATH": str(ROOT)},
    )
    dying.start()
    await eventually(written.exists, timeout=30, message="the other process did not write")
    dying.kill()

    async def work(session: Session) -> None:
        await mongo.counters.update_one({"_id": "stock"}, {"$inc": {"version": 10}}, session=session)

    began = time.monotonic()
    async with asyncio.timeout(60):
        await mongo.transaction(work)
    assert 1 < time.monotonic() - began < 2 * TRANSACTION_AT_MOST_S
    assert (await mongo.counters.find_one({"_id": "stock"}) or {})["version"] == 11
    mongo.close()
