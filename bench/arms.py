"""The arms of the throughput bench: batches, one order a workflow, and the bare minimum, each on fresh servers."""

import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.floor import floor
from bench.quick import halves, show
from bench.recording import record
from bench.rig import Rig, rig
from bench.sustained import life, load
from bench.world import Shape, World, draw

_MS = 1_000
_ABOVE = 1.3
"""The load that finds the peak, against what a burst was dispatched at while the stores were silent."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how much. Seconds; orders where nothing else is said."""

    sustained_s: float = 65.0
    warm_s: float = 5.0
    life_warm_s: float = 195.0
    life_s: float = 60.0
    steady_s: float = 60.0
    night_per_s: float = 20.0
    sample: int = 4_000
    single_sample: int = 120
    floor_s: float = 15.0
    delay_s: tuple[float, float] = (20.0, 60.0)
    """Least and most before each of a store's answers."""
    group_s: float = 5.0
    """How often a store sends what it has to say, as one list."""
    shape: Shape = field(default_factory=Shape)

    @property
    def stores(self) -> dict[str, Any]:
        return {"delay_s": self.delay_s, "group_s": self.group_s, "hold": False}


QUICK = Plan(
    sustained_s=10.0,
    warm_s=2.0,
    life_warm_s=5.0,
    life_s=5.0,
    steady_s=5.0,
    sample=1_000,
    single_sample=20,
    floor_s=4.0,
    delay_s=(0.3, 1.0),
    group_s=0.5,
    shape=Shape(locations=50, skus=100),
)
"""The same in small: whether everything works, not how fast it is."""


async def batched(plan: Plan, seed: int, console: Console) -> dict[str, Any]:
    """The goal profile, what is reported beside it, and the bare minimum for what it wrote."""
    world = draw(plan.shape, seed)
    async with rig(world, console) as one:
        await halves(one, plan.sample // 2, "warm")
        program = one.system.data_dir / "program.bson"
        recorded = await record(one, plan.sample, program)
        burst = recorded.halves.as_json()
        show(burst, console, "batched")
        await one.tell(**plan.stores)
        sustained = (
            await life(one, "sustained", burst["dispatched_per_s"] * 1.3, plan.sustained_s, plan.warm_s)
        ).as_json()
        console.print(f"sustained: {sustained['dispatched_per_s']:,} dispatched/s")
        capacity = (os.cpu_count() or 1) * _MS / sustained["cost"]["cpu_ms_all"]
        whole = (await life(one, "life", capacity, plan.life_warm_s + plan.life_s, plan.life_warm_s)).as_json()
        console.print(f"whole life: {whole['delivered_per_s']:,} delivered/s")
        latency = await latencies(one, plan, sustained["dispatched_per_s"])
        beside = await reported(one, plan, world, seed)
        ceilings = {name: asdict(one) for name, one in (await _floor(one, program, plan)).items()}
    return {
        "burst": burst,
        "sustained": sustained,
        "life": whole,
        **latency,
        "reported": beside,
        "floor": {**ceilings, "writes_per_order": recorded.per_order},
    }


async def _floor(one: Rig, program: Path, plan: Plan) -> dict[str, Any]:
    """After the product's own processes have stopped, so that the machine is free."""
    await one.nats.close()
    for process in [*reversed(one.processes.values())]:
        await process.stop()
    return await floor(program, one.console, plan.floor_s)


async def latencies(one: Rig, plan: Plan, peak: float) -> dict[str, Any]:
    """Placed to dispatched at half of the peak, and at night: 20 orders a second, each in a request of its own."""
    await one.tell(**plan.stores)
    half = await load(one, "half", peak / 2, plan.steady_s, to_the_end=False)
    await one.empty()
    await one.tell(**plan.stores)
    night = await load(one, "night", plan.night_per_s, plan.steady_s, 1, to_the_end=False)
    await one.empty()
    return {"half_peak": half.as_json(), "night": night.as_json()}


async def reported(one: Rig, plan: Plan, world: World, seed: int) -> dict[str, Any]:
    """Without a goal: single requests, single replies, payment by card at the sandbox."""
    cards = draw(replace(plan.shape, payment="card"), seed)
    return {
        "single requests": (await halves(one, plan.sample // 2, "requests", clients=32, size=1)).as_json(),
        "single replies": (await halves(one, plan.sample // 2, "replies", group_s=0)).as_json(),
        "card payment": (await halves(one, plan.sample // 2, "cards", world=cards)).as_json(),
    }


async def single(plan: Plan, seed: int, console: Console, starting: int = 8) -> dict[str, Any]:
    """One order a workflow: a load above what it takes, and half of its peak."""
    async with rig(draw(plan.shape, seed), console, batch_max=1, batches_starting=starting) as one:
        await halves(one, plan.single_sample // 2, "warm")
        burst = (await halves(one, plan.single_sample, "burst")).as_json()
        show(burst, console, "single")
        await one.tell(**plan.stores)
        above = burst["dispatched_per_s"] * _ABOVE
        sustained = (await life(one, "sustained", above, plan.sustained_s, plan.warm_s)).as_json()
        console.print(f"single: {sustained['dispatched_per_s']:,} dispatched/s")
        await one.tell(**plan.stores)
        half = await load(one, "half", sustained["dispatched_per_s"] / 2, plan.steady_s, 1, to_the_end=False)
        await one.empty()
    return {"burst": burst, "sustained": sustained, "half_peak": half.as_json(), "batches_starting": starting}
