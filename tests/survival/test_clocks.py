"""Wall clocks of our processes jump by an hour, back and ahead, under load: nobody sees any of it."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.clock import Clock
from infra.mongo import Mongo
from tests.support import eventually
from tests.survival.clocks import Clocks
from tests.survival.town import QUICK, WORKERS, Town, town

pytestmark = pytest.mark.timeout(300)
"""Many processes; a machine that has more to do takes its time."""


@pytest.fixture
def clocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clocks:
    """All processes that are started from here on have a clock that can be set."""
    clocks = Clocks(tmp_path)
    for name, value in clocks.environment.items():
        monkeypatch.setenv(name, value)
    return clocks


def test_a_process_believes_the_clock_it_is_given(clocks: Clocks) -> None:
    """Else the other tests would see nothing."""
    asks = "import sys, time, datetime\nfor _ in sys.stdin:\n print(time.time(), datetime.datetime.now().timestamp(),"
    asks += " time.monotonic(), flush=True)"
    with subprocess.Popen([sys.executable, "-c", asks], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def ask() -> list[float]:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(b"\n")
            process.stdin.flush()
            return [float(word) for word in process.stdout.readline().split()]

        before = ask()
        clocks.set_ahead(process.pid, -1)
        after = ask()
        assert before[0] - after[0] == pytest.approx(3600, abs=30)
        assert before[1] - after[1] == pytest.approx(3600, abs=30)
        assert 0 <= after[2] - before[2] < 30, "the monotonic clock is left alone"
        process.stdin.close()


@pytest.mark.parametrize("hours", [-1, 1], ids=["back", "ahead"])
async def test_an_hour_back_or_ahead_under_load_does_no_harm(tmp_path: Path, clocks: Clocks, hours: float) -> None:
    async with town(tmp_path, batch_max=20) as place, place.load(f"clock{hours}") as load:
        for name in WORKERS:
            await load.accepts(10)
            clocks.set_ahead(place.system.processes[name].pid, hours)
            await load.accepts(10)
        load.stop()
        await place.all_closed(load.accepted)
        await place.holds()
        await _times_are_true(place, load.accepted)


async def _times_are_true(place: Town, orders: list[str]) -> None:
    """What is written down is by the database's clock, whosoever writes it."""
    now = datetime.now(UTC)
    near = timedelta(minutes=10)
    wrong: dict[str, Any] = {"$or": [{"$lt": now - near}, {"$gt": now + near}]}
    for collection, field in (
        (place.mongo.orders, "placed_at"),
        (place.mongo.inbox, "received_at"),
        (place.mongo.inbox, "drained"),
        (place.mongo.outbox, "sent_at"),
        (place.mongo.outbox, "at"),
        (place.mongo.batches, "created_at"),
        (place.mongo.idempotency, "at"),
    ):
        out = {"$or": [{field: limit} for limit in wrong["$or"]]}
        assert await collection.count_documents(out) == 0, f"{field} of {collection.name}"
    assert await place.mongo.orders.count_documents({"_id": {"$in": orders}}) == len(orders)


async def test_deadlines_come_when_they_are_due_and_lost_starts_are_found(tmp_path: Path, clocks: Clocks) -> None:
    """A store that does not answer, a batch that nobody started, an event for which nobody rang: with every process's
    clock an hour behind, and an hour ahead for half of them."""
    async with town(tmp_path, stores={**QUICK, "silent_rate": 1.0}, accept_within_s=3) as place:
        for hours, name in zip((-1, 1, 1, -1), WORKERS, strict=True):
            clocks.set_ahead(place.system.processes[name].pid, hours)
        place.system.processes["fulfilment"].kill()
        async with place.load("silent", pause_s=0.2) as load:
            await load.accepts(3)
        # Claimed while nobody could start them: the sweep finds these by their time.
        place.system.processes["fulfilment"].start()

        async def given_to_another() -> bool:
            again = {"_id": {"$in": load.accepted}, "attempt": {"$gte": 2}}
            return await place.mongo.orders.count_documents(again) == len(load.accepted)

        await eventually(given_to_another, timeout=30, message="a deadline did not come")


class TestClock:
    async def test_it_goes_on_by_itself_and_by_nobodys_wall_clock(self) -> None:
        then = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
        asked = []

        async def ask() -> datetime:
            asked.append(1)
            return then

        clock = Clock(ask)
        await clock.set()
        first, second = clock.now(), clock.now()
        assert then <= first <= second < then + timedelta(seconds=5)
        assert len(asked) == 1

    async def test_a_database_that_is_away_keeps_nobody_from_starting(self) -> None:
        async def ask() -> datetime:
            raise ConnectionError("away")

        clock = Clock(ask)
        await clock.start()
        assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)

    async def test_it_is_the_databases(self, mongo: Mongo) -> None:
        await mongo.clock.set()
        assert abs(mongo.clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
