"""A day of cases on the server that skips time: no breach unnoticed, no case lost, the ladder as designed, load even.

Forty-two people on the first line in six shifts around the clock, twelve specialists, two leads. Customers open cases
all day, most at noon; some write again, some reopen. People answer and resolve in their own time; some cases they never
touch, so that silence, breaches and the ladder have their part. Everything is carried by the process, the activity
and the database as they are; afterwards each case is held against what was promised, reckoned anew.
"""

import asyncio
import random
import uuid
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from temporalio.client import WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

from activities.service.carrying import CaseActivities
from activities.service.opening import open_case
from bench.cases_check import Told, check
from bench.rig import bar
from contracts.cases import LOOK, WORKFLOW, CaseEvent, CaseRecord, Doing, Live, Opening, new_case_id
from contracts.service_teams import Agent, Duty, Rota, RotaDraft, Team, TeamDraft
from infra.cases import Cases
from infra.embedded import Servers
from infra.embedded.timeskipping import time_skipping
from infra.indexes import make_indexes
from infra.keyring import keyring
from infra.mongo import Mongo, Session
from infra.order_api import HttpOrderDesk
from infra.sealing import Sealing
from infra.service_book import ROTAS, TEAMS, keep, read_book
from infra.settings import EnvironmentSettings, Settings
from infra.temporal import register_search_attributes
from workers.service import service_worker

CASES = 5_000
EVEN_WITHIN, TOLD_WITHIN_S = 0.1, 90.0
_AT_ONCE = 25
_TICK = timedelta(minutes=5)
_GRID_S, _AFTER_S, _BEFORE_S = 60, 20, 40
"""Things are begun so long after a moment at which timers fire, and before the next: the server that skips time never
again looks at a process that gives up a timer in the moment in which it fires (temporalio/sdk-java#3088), and its clock
goes on while things are done. A timer fires as much after the full minute as the step took that began it."""
_WORK_OFF = timedelta(days=4)
"""After the day: so long people go on with what is left."""
_CLOSED_AFTER = timedelta(days=16)
_ITS_OWN = (RPCStatusCode.UNKNOWN, RPCStatusCode.UNAVAILABLE)
"""Errors of the server that skips time, on a machine that has much to do."""
_TRIES = 10
_SLEEPS_AT_MOST = timedelta(hours=2)
"""The server answers a sleep when all timers in it have fired: a long one takes longer than a call may."""
_JUDGED_FROM = 30
"""Load is judged where each of a shift has so much: below, one case more or less is several percent."""
_REGIONS = ("330106", "440106", "510104", "110105", "420106", "610102")
_PRIORITIES = ("urgent", *["high"] * 3, *["normal"] * 12, *["low"] * 4)
Given = TypeVar("Given")
Row = dict[str, Any]


@dataclass
class Plan:
    """What will become of a case: `touched`: somebody works on it. Times since it was given to them, in minutes."""

    at: datetime
    asked: Opening
    touched: bool
    answers_min: float
    resolves_min: float
    writes_again: bool
    reopens: bool


@dataclass
class Floor:
    """The day as it goes."""

    cases: Cases
    env: WorkflowEnvironment
    queue: str
    chance: random.Random
    plans: dict[str, Plan] = field(default_factory=dict)
    numbers: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    replied: set[tuple[str, str]] = field(default_factory=set)
    wrote: set[str] = field(default_factory=set)
    reopened: set[str] = field(default_factory=set)

    async def open(self, plan: Plan) -> None:
        case = new_case_id()
        self.plans[case] = plan
        await open_case(self.cases, case, plan.asked, "app", await self.env.get_current_time())
        await self._look(case)

    async def does(self, case: str, what: Doing, by: str, **data: Any) -> None:
        """What is refused is counted: in a race with a deadline somebody else may have the case by now."""
        self.numbers[case] += 1
        now = await self.env.get_current_time()
        text = data.pop("text", None)
        event = CaseEvent(id=f"{case}:e{self.numbers[case]}", case=case, at=now, by=by, what=what, data=data, text=text)
        await self.cases.write_events([event])
        await self._look(case)
        found = await self.cases.outcome(event.id)
        if found is None or found["taken"] is None:
            self.refused["never taken"] += 1
        elif found["refused"]:
            self.refused[found["refused"]["code"]] += 1

    async def _look(self, case: str) -> None:
        for left in range(_TRIES - 1, -1, -1):
            start: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
                WORKFLOW,
                Live(case=case),
                id=case,
                task_queue=self.queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            )
            try:
                await self.env.client.execute_update_with_start_workflow(LOOK, start_workflow_operation=start)
                return
            except RPCError as error:
                if error.status not in _ITS_OWN or not left:
                    raise
                await asyncio.sleep(1)

    async def until(self, moment: datetime) -> None:
        """Let time pass."""
        while (now := await self.env.get_current_time()) < moment:
            await self.env.sleep(min(moment - now, _SLEEPS_AT_MOST))

    async def at_once(self, call: Callable[[Given], Awaitable[None]], work: Sequence[Given]) -> None:
        for begin in range(0, len(work), _AT_ONCE):
            now = await self.env.get_current_time()
            past = now.timestamp() % _GRID_S
            if not _AFTER_S <= past <= _BEFORE_S:
                await self.until(now + timedelta(seconds=(_AFTER_S - past) % _GRID_S))
            await asyncio.gather(*(call(given) for given in work[begin : begin + _AT_ONCE]))

    async def tick(self, now: datetime) -> None:
        """Whoever has something to do by now does it."""
        fields = {"state": 1, "assignee": 1, "assigned_at": 1, "resolved_at": 1}
        rows = self.cases.mongo.cases.find({"state": {"$in": ["open", "waiting_customer", "resolved"]}}, fields)
        todo = [one async for row in rows if (one := self._next(row, now)) is not None]
        await self.at_once(lambda one: self.does(one[0], one[1], one[2], **one[3]), todo)

    def _next(self, row: Row, now: datetime) -> tuple[str, Doing, str, Row] | None:
        case, plan, agent = row["_id"], self.plans[row["_id"]], row["assignee"]
        if row["state"] == "resolved":
            if plan.reopens and case not in self.reopened and now - row["resolved_at"] > timedelta(hours=3):
                self.reopened.add(case)
                return case, "say", "app", {"text": "还是没有解决"}
            return None
        if row["state"] == "waiting_customer" and plan.writes_again and case not in self.wrote:
            self.wrote.add(case)
            return case, "say", "app", {"text": "请问有进展吗？"}
        if agent is None or not (plan.touched or agent.startswith("l-")):
            return None
        since = (now - row["assigned_at"]).total_seconds() / 60
        if since >= plan.resolves_min and (case, agent) in self.replied:
            return case, "resolve", agent, {}
        if since >= plan.answers_min and (case, agent) not in self.replied:
            self.replied.add((case, agent))
            return case, "reply", agent, {"text": "您好，正在为您处理。", "wait": plan.writes_again}
        return None


def plans(count: int, begun: datetime, chance: random.Random) -> list[Plan]:
    """A day, by the time at which cases come; most at noon, some at night. Pure, but for `chance`."""
    made = []
    for part in sorted(chance.betavariate(2, 2) for _ in range(count)):
        asked = Opening(
            kind="complaint",
            person=True,
            region=chance.choice(_REGIONS),
            priority=chance.choice(_PRIORITIES),
            language="en" if chance.random() < 0.08 else "zh",
            dialect="cantonese" if chance.random() < 0.15 else None,
        )
        answers = chance.lognormvariate(2.6, 0.8)
        made.append(
            Plan(
                at=begun + timedelta(seconds=part * 86_399),
                asked=asked,
                touched=chance.random() < 0.85,
                answers_min=answers,
                resolves_min=answers + chance.expovariate(1 / 45),
                writes_again=chance.random() < 0.2,
                reopens=chance.random() < 0.05,
            )
        )
    return made


def people() -> list[tuple[TeamDraft, RotaDraft]]:
    """First line: forty-two in six shifts of eight hours that begin every four, with every language in each;
    specialists in two shifts, leads always."""
    line = [
        Agent(
            id=f"p-{number:02}",
            languages=["zh", "en"] if number // 6 % 3 == 0 else ["zh"],
            dialects=["cantonese"] if number // 6 % 4 == 1 else [],
            capacity=400,
        )
        for number in range(42)
    ]
    experts = [Agent(id=f"x-{number:02}", languages=["zh", "en"], capacity=400) for number in range(12)]
    leads = [Agent(id=f"l-{number}", languages=["zh", "en"], capacity=1000) for number in range(2)]
    return [
        _team("line", 1, line, 6, 480),
        _team("experts", 2, experts, 2, 720),
        _team("leads", 3, leads, 1, 1440, lead="l-0"),
    ]


def _team(
    name: str, level: int, agents: list[Agent], shifts: int, minutes: int, **more: Any
) -> tuple[TeamDraft, RotaDraft]:
    every = 24 // shifts
    duties = [
        Duty(agent=one.id, day=0, begins=f"{number % shifts * every:02}:00", minutes=minutes)
        for number, one in enumerate(agents)
    ]
    title = {"zh": name, "en": name}
    team = TeamDraft.model_validate({"id": name, "title": title, "level": level, "agents": agents, **more})
    return team, RotaDraft(team=name, anchor=date(2026, 1, 1), cycle_days=1, duties=duties, whole=True)


async def hire(mongo: Mongo, at: datetime) -> None:
    async def work(session: Session) -> tuple[Team, Rota]:
        for team, rota in people():
            found = await keep(mongo, TEAMS, team, at, session), await keep(mongo, ROTAS, rota, at, session)
        return found

    await mongo.transaction(work)


async def live_through(floor: Floor, planned: Sequence[Plan], begun: datetime, console: Console) -> None:
    """The day, what is left of it, and then the time until the last case is closed for good."""
    waiting, now = list(planned), begun
    with bar(console) as progress:
        opened = progress.add_task("cases opened", total=len(planned))
        over = progress.add_task("cases worked off", total=len(planned))
        while waiting or now < begun + timedelta(days=1) + _WORK_OFF:
            now += _TICK if waiting or now < begun + timedelta(days=2) else 12 * _TICK
            await floor.until(now)
            coming = [one for one in waiting if one.at <= now]
            waiting = waiting[len(coming) :]
            await floor.at_once(floor.open, coming)
            await floor.tick(now)
            left = await floor.cases.mongo.cases.count_documents({"state": {"$in": ["open", "waiting_customer"]}})
            progress.update(opened, completed=len(planned) - len(waiting))
            progress.update(over, completed=len(planned) - len(waiting) - left)
            if not waiting and not left:
                break
        console.print(f"worked off at {now:%Y-%m-%d %H:%M} UTC")
        for _ in progress.track(range(_CLOSED_AFTER.days), description="days until the last is closed for good"):
            await floor.until(await floor.env.get_current_time() + timedelta(days=1))


async def measure(cases: int, seed: int, data_dir: Path, console: Console) -> Row:
    found = EnvironmentSettings(data_dir=data_dir, mongo_cache_gb=1.0)
    async with (
        Servers(found, data_dir, nats=False, temporal=False) as servers,
        await time_skipping() as env,
    ):
        where = servers.addresses
        name = f"day_{uuid.uuid4().hex[:8]}"
        mongo = Mongo(where.mongo_url, name, pool=100)
        await make_indexes(mongo)
        await register_search_attributes(env.client, "default")
        settings = Settings(data_dir=data_dir, mongo_url=where.mongo_url, mongo_database=name)
        kept = Cases(mongo, Sealing(keyring(settings)))
        async with (
            HttpOrderDesk("http://127.0.0.1:9", "tq_none") as desk,
            service_worker(env.client, [CaseActivities(kept, desk).carry], name),
        ):
            result = await _day(Floor(kept, env, name, random.Random(seed)), cases, console)
        mongo.close()
    return result


async def _day(floor: Floor, cases: int, console: Console) -> Row:
    now = await floor.env.get_current_time()
    begun = (now + timedelta(days=1)).astimezone(UTC).replace(hour=16, minute=0, second=0, microsecond=0)
    """Midnight in Shanghai."""
    await hire(floor.cases.mongo, begun)
    await floor.until(begun)
    planned = plans(cases, begun, floor.chance)
    await live_through(floor, planned, begun, console)
    records = [floor.cases.of_row(row) async for row in floor.cases.mongo.cases.find({})]
    told = [
        Told.of(event, row["at"])
        async for row in floor.cases.mongo.outbox.find({})
        for event in row["events"]
        if event["type"] == "case.clock.v1"
    ]
    book = await read_book(floor.cases.mongo)
    checked = check(records, told, book, cases)
    checked |= {"refused": dict(floor.refused), "load": _load(records)}
    return {**checked, "goals": goals_of(checked)}


def _load(records: Sequence[CaseRecord]) -> Row:
    """Cases given in the day, weighed, among those of the first line who have the same shift; the widest distance
    from their mean, of shifts that had enough; none had: there is nothing to judge."""
    taken: dict[str, int] = defaultdict(int)
    for record in records:
        for entry in record.timeline:
            if entry.what == "given" and entry.note is not None:
                taken[entry.note.partition(":")[0]] += 2 if record.priority == "urgent" else 1
    shifts = [[taken[f"p-{number:02}"] for number in range(42) if number % 6 == shift] for shift in range(6)]
    means = [(mine, sum(mine) / len(mine)) for mine in shifts]
    widest = max((abs(one - mean) / mean for mine, mean in means for one in mine if mean >= _JUDGED_FROM), default=None)
    return {"by_shift": shifts, "widest": None if widest is None else round(widest, 4)}


def goals_of(result: Row) -> list[Row]:
    """Each with name, value, target and whether it is met; of load only where it can be judged. Pure."""
    widest = result["load"]["widest"]
    even = [] if widest is None else [_at_most("load within a shift, distance from its mean", widest, EVEN_WITHIN)]
    return [
        _at_most("cases lost or not closed", result["lost"], 0),
        _at_most("breaches that nobody was told of, or told wrongly", len(result["unnoticed"]), 0),
        _at_most("a breach is told after, s", result["told_after_s"], TOLD_WITHIN_S),
        _at_most("steps of the ladder that are not as designed", len(result["off_ladder"]), 0),
        *even,
    ]


def _at_most(name: str, value: float, target: float) -> Row:
    return {"name": name, "value": round(value, 3), "target": target, "met": value <= target}
