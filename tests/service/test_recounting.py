"""A change of policy or calendar moves the open cases, and each says from when to when; nothing else moves."""

from datetime import UTC, datetime

from activities.service.recounting import tell_older
from contracts.base import Request
from contracts.cases import CaseRecord
from contracts.service_calendar import BUILTIN, CalendarDraft
from contracts.service_policy import DEFAULT, ServicePolicyDraft
from infra.mongo import Mongo, Session
from infra.service_book import CALENDARS, POLICIES, Kind, Versioned, keep
from tests.service.casemaking import hire, team
from tests.service.world import Floor
from workers.servicing.recounting import Recounting

ALWAYS = ServicePolicyDraft.model_validate(
    DEFAULT.model_dump(exclude={"version", "at"}) | {"calendar": "around-the-clock", "title": DEFAULT.title}
)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


async def kept(mongo: Mongo, kind: Kind[Versioned], draft: Request) -> None:
    async def work(session: Session) -> Versioned:
        return await keep(mongo, kind, draft, NOON, session)

    await mongo.transaction(work)


def said(record: CaseRecord, what: str) -> list[str]:
    return [one.note or "" for one in record.timeline if one.what == what]


async def test_open_cases_move_and_say_from_when_to_when(floor: Floor) -> None:
    await hire(floor.mongo, team("line", 1, "lin", "wang"))
    open_case, done = await floor.open(customer="c-1"), await floor.open(customer="c-2")
    await floor.happens(done, "resolve")
    before, resolved = await floor.record(open_case), await floor.record(done)
    assert await tell_older(floor.cases) == 0
    await kept(floor.mongo, POLICIES, ALWAYS)
    # Stopped before anybody rang, and begun again.
    assert (await tell_older(floor.cases), await tell_older(floor.cases)) == (1, 1)
    await floor.look(open_case)
    after = await floor.record(open_case)
    assert after.policy == "default@2 around-the-clock@1"
    assert before.clocks.resolution is not None and after.clocks.resolution is not None
    old, new = before.clocks.resolution.due, after.clocks.resolution.due
    assert old is not None and new is not None and new < old
    (moved,) = [one for one in said(after, "clock_moved") if one.startswith("resolution: ")]
    assert f"{old:%Y-%m-%d %H:%M}" in moved and f"-> {new:%Y-%m-%d %H:%M}" in moved
    assert "cn-service@1" in moved and "around-the-clock@1" in moved
    assert (await floor.record(done)).clocks == resolved.clocks
    assert await tell_older(floor.cases) == 0


async def test_a_case_that_is_looked_at_before_it_is_woken_moves_first(floor: Floor) -> None:
    await hire(floor.mongo, team("line", 1, "lin"))
    case = await floor.open(customer="c-1")
    await kept(floor.mongo, POLICIES, ALWAYS)
    await floor.happens(case, "note", text="?")
    record = await floor.record(case)
    assert record.policy == "default@2 around-the-clock@1" and said(record, "clock_moved")
    assert record.clocks.resolution is not None and record.clocks.resolution.calendar == "around-the-clock@1"


async def test_every_change_is_noticed_once_and_what_changed_before_the_start_too(floor: Floor) -> None:
    await hire(floor.mongo, team("line", 1, "lin"))
    case = await floor.open(customer="c-1", priority="low")
    recounting = Recounting(floor.cases)
    assert await recounting.once() == 0
    for version, changed in ((2, BUILTIN["around-the-clock"].work), (3, BUILTIN["cn-office"].work)):
        await kept(floor.mongo, CALENDARS, CalendarDraft(id="cn-service", title=DEFAULT.title, work=changed))
        assert (await recounting.once(), await recounting.once()) == (1, 0)
        assert await Recounting(floor.cases).once() == 1
        await floor.look(case)
        assert f"cn-service@{version}" in ((await floor.record(case)).policy or "")
    # Another team is no matter of deadlines.
    await hire(floor.mongo, team("more", 1, "wang"))
    assert await recounting.once() == 0
    assert len([one for one in said(await floor.record(case), "clock_moved") if one.startswith("resolution")]) == 2
