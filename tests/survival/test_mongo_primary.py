"""A set of three loses its primary under load: clients wait a moment, and nothing else happens to anybody."""

from collections.abc import AsyncIterator

import pytest

from infra.embedded import MongoSet
from infra.settings import Settings
from tests.survival.town import Town, town

pytestmark = pytest.mark.timeout(300)
"""Many processes; a machine that has more to do takes its time."""


@pytest.fixture(scope="module")
async def members(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MongoSet]:
    folder = tmp_path_factory.mktemp("set")
    async with MongoSet(Settings(data_dir=folder, mongo_url=None, mongo_cache_gb=0.25), folder) as members:
        yield members


@pytest.fixture(scope="module")
async def place(members: MongoSet, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    async with town(tmp_path_factory.mktemp("town"), mongo_url=members.url, batch_max=20) as place:
        yield place


async def test_a_primary_that_steps_down_is_survived(members: MongoSet, place: Town) -> None:
    first = await members.primary()
    async with place.load("step-down") as load:
        await load.accepts(15)
        await members.step_down(first)
        await load.accepts(15)
    assert await members.primary() != first
    await place.all_closed(load.accepted)
    await place.holds()


async def test_a_primary_that_is_killed_is_survived(members: MongoSet, place: Town) -> None:
    first = await members.primary()
    async with place.load("killed") as load:
        await load.accepts(15)
        members.processes[first].kill()
        await load.accepts(15)
        await members.start_again(first)
        await load.accepts(5)
    await place.all_closed(load.accepted)
    await place.holds()


async def test_accepted_is_what_a_majority_has(members: MongoSet, place: Town) -> None:
    """With one of three members left nothing is accepted, and nobody is told that it was."""
    first = await members.primary()
    others = [number for number in range(3) if number != first]
    async with place.load("majority") as load:
        await load.accepts(5)
        for number in others:
            members.processes[number].kill()
        before = len(load.accepted)
        await load.answered(503)
        known = len(load.accepted)
        for number in others:
            await members.start_again(number)
        await load.accepts(5)
    assert known - before <= 1, "only what was under way when the members died"
    await place.all_closed(load.accepted)
    await place.holds()
