"""Who rings gets round to every case, however many of them are stuck."""

from datetime import timedelta

from temporalio.service import RPCError

from activities.service.opening import record_of
from contracts.cases import CaseEvent, Opening
from tests.service.world import Floor
from workers.servicing.ringing import Ringing

_NOBODY = "nobody-polls"
_LONG_AGO = timedelta(hours=1)


async def _lie(floor: Floor, count: int, *, late: bool) -> list[str]:
    """Cases that nobody carries: late, or with something that nobody takes in."""
    at = floor.mongo.clock.now() - _LONG_AGO
    made = [f"case-{number:03}" for number in range(count)]
    for case in made:
        record = record_of(case, Opening(kind="complaint", region="330106"), "app", at, None)
        await floor.cases.insert(record.model_copy(update={"due": at if late else None}))
    if not late:
        await floor.cases.write_events(
            [CaseEvent(id=f"{case}:1", case=case, at=at, by="app", what="say", text="?") for case in made]
        )
    return made


async def _rung(floor: Floor, cases: list[str]) -> list[str]:
    """Those whose process was started."""
    found = []
    for case in cases:
        try:
            await floor.env.client.get_workflow_handle(case).describe()
        except RPCError:
            continue
        found.append(case)
    return found


class TestRinging:
    async def test_late_cases_that_stay_late_do_not_starve_the_others(self, floor: Floor) -> None:
        cases = await _lie(floor, 5, late=True)
        ringing = Ringing(floor.mongo, floor.env.client, _NOBODY, at_once=2)
        assert [await ringing.once() for _ in range(3)] == [2, 2, 1]
        assert await _rung(floor, cases) == cases

    async def test_what_nobody_takes_in_does_not_starve_the_others(self, floor: Floor) -> None:
        cases = await _lie(floor, 5, late=False)
        ringing = Ringing(floor.mongo, floor.env.client, _NOBODY, at_once=2)
        assert [await ringing.once() for _ in range(3)] == [2, 2, 1]
        assert await _rung(floor, cases) == cases

    async def test_a_round_begins_anew_and_finds_what_came_before_where_it_stood(self, floor: Floor) -> None:
        await _lie(floor, 4, late=False)
        ringing = Ringing(floor.mongo, floor.env.client, _NOBODY, at_once=2)
        assert [await ringing.once() for _ in range(3)] == [2, 2, 0]
        at = floor.mongo.clock.now() - _LONG_AGO
        record = record_of("case-000a", Opening(kind="complaint", region="330106"), "app", at, None)
        await floor.cases.insert(record.model_copy(update={"due": None}))
        said = CaseEvent(id="case-000a:1", case="case-000a", at=at, by="app", what="say", text="?")
        await floor.cases.write_events([said])
        assert sum([await ringing.once() for _ in range(3)]) == 1
        assert await _rung(floor, ["case-000a"]) == ["case-000a"]
