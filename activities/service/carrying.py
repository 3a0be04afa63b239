"""The activity that carries a case: takes in what has come, lets time pass, has the first level answer, and has orders
paid back or corrected. To do it again at any point changes nothing."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from temporalio import activity

from activities.heartbeat import heartbeats
from activities.service.compensating import COUNTS, corrected, look_again, paid
from activities.service.firstlevel import BotTurn, FirstLevel, take_turn, to_answer
from activities.service.office import promise_for, whose
from activities.service.orderdesk import OrderDesk
from activities.service.taking import pass_time, step
from activities.service.timing import give
from activities.service.work import Work, begin
from activities.service.writing import write
from contracts.cases import CARRY, LIVE, Carry, CaseEvent, CaseRecord, Standing
from contracts.casework import standing_of, under_way
from contracts.service_teams import Assignment
from infra.cases import Cases, Stale
from infra.mongo import Session
from infra.order_api import NotNow
from infra.service_book import Book, ServiceBook

log = logging.getLogger(__name__)
_EVENTS_AT_ONCE = 100
_ROUNDS = 20
"""More things to do at once than that are left to the next step."""
_BOT_TRIES = 3

Change = Callable[[Work], None]


class UnknownCase(LookupError):
    def __init__(self, case: str) -> None:
        super().__init__(f"there is no case {case}")


class CaseActivities:
    """`first_level`: null where people answer from the beginning."""

    def __init__(self, cases: Cases, desk: OrderDesk, first_level: FirstLevel | None = None) -> None:
        self._cases = cases
        self._mongo = cases.mongo
        self._book = ServiceBook(cases.mongo)
        self._desk = desk
        self._first_level = first_level

    @activity.defn(name=CARRY)
    async def carry(self, asked: Carry) -> Standing:
        async with heartbeats():
            case = await self._step(asked.case, asked.now)
            for _ in range(_ROUNDS):
                if to_answer(case):
                    case = await self._answer(case, asked.now)
                elif case.look_at is not None and case.look_at <= asked.now:
                    case = await self._look(case, asked.now)
                elif await self._cases.unread(case.id, 1):
                    case = await self._step(asked.case, asked.now)
                else:
                    return standing_of(case, case.due)
        return standing_of(case, case.due).model_copy(update={"busy": True})

    async def _step(self, case: str, now: datetime) -> CaseRecord:
        """Take in what has come in, and what time has brought."""

        async def work(session: Session) -> CaseRecord:
            before = await self._read(case, session)
            events = await self._cases.unread(case, _EVENTS_AT_ONCE, session)
            late = before.due is not None and before.due <= now
            if not events and not late and before.taken_up:
                return before
            book = await self._book.current(session)
            done = step(
                before,
                events,
                now,
                promise_for(book, before),
                elsewhere=await self._elsewhere(before, events, session),
                ended=await self._ended(events, session),
            )
            return await self._write(done, book, now, session)

        return await self._again_when_stale(work)

    async def _elsewhere(self, case: CaseRecord, events: Sequence[CaseEvent], session: Session) -> int:
        """What other cases about the order have given: a limit is one, however many cases there are."""
        if case.order is None or all(one.what != "compensate" for one in events):
            return 0
        others = self._mongo.cases.find(
            {"order": case.order, "_id": {"$ne": case.id}}, {"compensations": 1}, session=session
        )
        return sum([one["amount"] async for row in others for one in row["compensations"] if one["state"] in COUNTS])

    async def _ended(self, events: Sequence[CaseEvent], session: Session) -> frozenset[str]:
        """Of the cases into which this one is to be merged, those that have ended. The others are touched: of two that
        are merged into each other one is told that it cannot be."""
        wanted = {str(one.data["into"]) for one in events if one.what == "merge"}
        live = set()
        for case in sorted(wanted):
            touched = await self._mongo.cases.update_one(
                {"_id": case, "state": {"$in": sorted(LIVE)}}, {"$inc": {"joined": 1}}, session=session
            )
            live |= {case} if touched.matched_count else set()
        return frozenset(wanted - live)

    async def _change(self, case: str, now: datetime, change: Change) -> CaseRecord:
        """Write what came from outside."""

        async def work(session: Session) -> CaseRecord:
            before = await self._read(case, session)
            book = await self._book.current(session)
            done = begin(before, promise_for(book, before))
            pass_time(done, now)
            change(done)
            return await self._write(done, book, now, session)

        return await self._again_when_stale(work)

    async def _write(self, work: Work, book: Book, now: datetime, session: Session) -> CaseRecord:
        case, turn = work.case, None
        if case.wants and (case.choose_at is None or case.choose_at <= now or case.level != work.before.level):
            rule = work.given.policy.level(case.level).assignee
            found = await whose(self._mongo, book, case, rule, now, session)
            turn = chosen(work, found, now)
        if case.look_at is not None and not under_way(case):
            case.look_at = None
        return await write(self._cases, work, turn, now, session)

    async def _answer(self, case: CaseRecord, now: datetime) -> CaseRecord:
        """By the first level; people have it when that cannot."""
        seen = case.messages
        turn = await self._turn(case, now)
        return await self._change(case.id, now, lambda work: take_turn(work, seen, turn, now))

    async def _turn(self, case: CaseRecord, now: datetime) -> BotTurn:
        if self._first_level is None:
            return BotTurn(does="hands_over", text=None, kind=None, why="no_bot")
        messages = await self._cases.newest(case.id)
        try:
            return await self._first_level.answer(case, messages, now)
        except Exception as error:
            if activity.info().attempt < _BOT_TRIES:
                raise
            # Of words of customers nothing is logged.
            log.error("the bot cannot answer %s: %s", case.id, type(error).__name__)
            return BotTurn(does="hands_over", text=None, kind=None, why="bot_failed")

    async def _look(self, case: CaseRecord, now: datetime) -> CaseRecord:
        """Have done what is wanted of the order, and see what became of it."""
        done: list[Change] = []
        for wanted in case.corrections:
            if wanted.state == "todo":
                done += await self._tried(self._correction(case, wanted.number, now))
        for given in case.compensations:
            if given.state == "approved":
                done += await self._tried(self._compensation(case, given.number, now))

        def change(work: Work) -> None:
            for one in done:
                one(work)
            if under_way(work.case):
                look_again(work, now)

        return await self._change(case.id, now, change)

    async def _correction(self, case: CaseRecord, number: int, now: datetime) -> Change:
        wanted = next(one for one in case.corrections if one.number == number)
        code = await self._desk.correct(case, wanted)
        return lambda work: corrected(work, number, now, code)

    async def _compensation(self, case: CaseRecord, number: int, now: datetime) -> Change:
        given = next(one for one in case.compensations if one.number == number)
        code = await self._desk.compensate(case, given)
        return lambda work: paid(work, number, now, code)

    async def _tried(self, change: Awaitable[Change]) -> list[Change]:
        """Nothing when it cannot be known now; it is looked at again later."""
        try:
            return [await change]
        except NotNow:
            return []

    async def _read(self, case: str, session: Session) -> CaseRecord:
        found = await self._cases.find(case, session)
        if found is None:
            raise UnknownCase(case)
        return found

    async def _again_when_stale(self, work: Callable[[Session], Awaitable[CaseRecord]]) -> CaseRecord:
        """Another worker that was thought dead may write the same case."""
        while True:
            try:
                return await self._mongo.transaction(work)
            except Stale:
                continue


def chosen(work: Work, found: Assignment, at: datetime) -> float | None:
    """Give it to whom the rules have found; where nobody can, it waits until somebody comes on duty. Returns the turn
    that is to be kept."""
    case = work.case
    if found.agent is None:
        give(work, found.team or case.team, None, at)
        case.wants, case.choose_at = True, found.next_at
        return None
    give(work, found.team or case.team, found.agent, at)
    why = found.looked[0].because if found.looked else None
    work.note(at, "given", note=f"{found.agent}{f': {why}' if why else ''}")
    return found.turn
