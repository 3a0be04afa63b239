"""One chaos run: the load, the faults, the quiet afterwards, and the verdict."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from contracts.subjects import RETAILER
from tests.chaos.partner import heard
from tests.chaos.recovery import Happened, Heard, Recovery, recoveries
from tests.chaos.retailer import Ledger, Retailer
from tests.chaos.rig import Rig
from tests.chaos.schedule import Fault, Pace, schedule
from tests.chaos.verify import Parties, Verdict, verify

Tell = Callable[[str, int], None]
"""Is told what happens now, and how many faults have ended."""
_LOOK_EVERY_S = 0.5
_QUIET_LOOKS = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """`rate`: orders a second. `calm_s`: load before the first fault, from which undisturbed times are taken.

    `accept_within_s`: a store's time to answer. Where it is shorter than what a fault lasts, every order is offered
    again after every fault, and the load grows by what it is late.
    """

    seed: int
    faults: int
    rate: float
    pace: Pace
    calm_s: float = 12.0
    after_s: float = 6.0
    """Load after the last fault, which has to recover like the others."""
    accept_within_s: int = 45
    quiet_within_s: float = 240.0


@dataclass(frozen=True, slots=True)
class Outcome:
    plan: Plan
    verdict: Verdict
    recoveries: list[Recovery]
    calm: list[Recovery]
    """The same times from moments without a fault."""
    ended: dict[str, int]
    """Processes that ended by themselves, which a supervisor started again."""
    trouble: dict[str, int]
    cancels: dict[str, int]
    quiet_after_s: float
    seconds: float

    @property
    def holds(self) -> bool:
        return not self.verdict.violations

    def as_dict(self) -> dict[str, Any]:
        found = asdict(self)
        for name in ("recoveries", "calm"):
            found[name] = [_flat(recovery) for recovery in getattr(self, name)]
        return {**found, "holds": self.holds}


def _flat(recovery: Recovery) -> dict[str, Any]:
    happened = recovery.happened
    times = {"began": round(happened.began, 3), "ended": round(happened.ended, 3), "alone": recovery.alone}
    return {**asdict(happened.fault), **times, **asdict(recovery.recovered)}


async def run(data_dir: Path, plan: Plan, tell: Tell) -> Outcome:
    began = time.monotonic()
    tell("starting everything", 0)
    async with Rig(data_dir, plan.seed, plan.accept_within_s) as rig:
        key = rig.settings.require("operator_key")
        retailer = Retailer(rig.gateway_url, key, plan.seed, plan.rate)
        loading = asyncio.create_task(retailer.run())
        calm_since = time.time()
        tell("load without a fault", 0)
        await asyncio.sleep(plan.calm_s)
        calm_until = time.time()
        happened = await _faults(rig, schedule(plan.seed, plan.faults, plan.pace), tell)
        tell("load after the last fault", plan.faults)
        await asyncio.sleep(plan.after_s)
        retailer.stop()
        await loading
        tell("waiting for the last answers", plan.faults)
        await retailer.finish()
        parties = await Parties.open(rig.direct)
        quiet = await _quiet(parties, plan.quiet_within_s, lambda words: tell(words, plan.faults))
        tell("verifying", plan.faults)
        books = [rig.book(who) for who in ("stores", RETAILER)]
        provider = rig.system.data_dir / "payments.sqlite"
        verdict = await verify(parties, retailer.ledger, books, provider, rig.settings.require("gateway_url"))
        verdict.figures["returns"] = len(retailer.ledger.returned)
        parties.close()
        told = _heard(rig.book(RETAILER), retailer.ledger)
        moments = [calm_since + i for i in range(int(max(plan.calm_s - 6, 1)))]
        calm = [Happened(Fault(0, "pause", "nobody", at - calm_until, 0.0), at, at) for at in moments]
        return Outcome(
            plan=plan,
            verdict=verdict,
            recoveries=recoveries(happened, told),
            calm=[Recovery(one, told.after(one.ended), True) for one in calm],
            ended=dict(rig.ended),
            trouble=dict(retailer.ledger.trouble),
            cancels=dict(retailer.ledger.cancels),
            quiet_after_s=quiet,
            seconds=time.monotonic() - began,
        )


async def _faults(rig: Rig, planned: list[Fault], tell: Tell) -> list[Happened]:
    """Carry all of them out, each at its time; they overlap as planned."""
    start = time.monotonic()
    going: dict[int, str] = {}
    happened: list[Happened] = []

    def say(words: str) -> None:
        tell(words, len(happened))

    def show() -> None:
        say(", ".join(going.values()) or "no fault")

    async def one(fault: Fault) -> None:
        await asyncio.sleep(max(0.0, start + fault.at_s - time.monotonic()))
        began = time.time()
        going[fault.number] = fault.words
        show()
        await _until_done(rig.begin, fault, say)
        await asyncio.sleep(max(0.0, fault.lasts_s - (time.time() - began)))
        await _until_done(rig.end, fault, say)
        del going[fault.number]
        happened.append(Happened(fault, began, time.time()))
        show()

    async with asyncio.TaskGroup() as group:
        for fault in planned:
            group.create_task(one(fault))
    return sorted(happened, key=lambda one: one.fault.number)


async def _until_done(work: Callable[[Fault], Awaitable[None]], fault: Fault, say: Callable[[str], None]) -> None:
    """What needs a server that is down itself is tried again."""
    while True:
        try:
            async with asyncio.timeout(10):
                await work(fault)
            return
        except Exception as error:
            say(f"{fault.words}, again after {type(error).__name__}: {error}")
            await asyncio.sleep(_LOOK_EVERY_S)


async def _quiet(parties: Parties, within_s: float, tell: Callable[[str], None]) -> float:
    """Wait until nothing is left to do and nothing comes up any more; seconds. After `within_s` it is not awaited."""
    began = time.monotonic()
    quiet_looks = 0
    while quiet_looks < _QUIET_LOOKS and time.monotonic() - began < within_s:
        left = await parties.restless()
        quiet_looks = 0 if left else quiet_looks + 1
        tell("until it is quiet: " + ", ".join(f"{number} {name}" for name, number in left.items()))
        await asyncio.sleep(_LOOK_EVERY_S)
    return time.monotonic() - began


def _heard(path: Path, ledger: Ledger) -> Heard:
    book = heard(path)

    def first(event_type: str) -> dict[str, float]:
        query = "SELECT subject, min(at) FROM heard WHERE type = ? GROUP BY subject"
        return dict(book.execute(query, (event_type,)))

    told = Heard(
        sent={order: placed.sent_at for order, placed in ledger.orders.items()},
        dispatched=first("order.dispatched.v1"),
        shipped=first("order.shipped.v1"),
        cards=frozenset(order for order, placed in ledger.orders.items() if placed.method == "card"),
    )
    book.close()
    return told
