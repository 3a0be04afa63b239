"""`tongqu demo`: the whole way of 2,000 orders on this machine, with a progress bar, a result table and a verdict."""

import asyncio
import json
import shutil
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from contracts.orders import TERMINAL
from contracts.routing import Policy
from infra.demo_carriers import carriers
from infra.demo_network import network, orders
from infra.mongo import Mongo
from infra.nats_keys import trial_arguments
from infra.processes import Process
from infra.settings import EnvironmentSettings
from workers.report import Report, read_report, show
from workers.shop import ORDERS_PER_REQUEST, Shop, chunks
from workers.system import System

BEHAVIOUR = {
    "accept_s": [0.2, 2.0],
    "pack_s": [0.2, 1.0],
    "ship_s": [0.2, 2.0],
    "deliver_s": [0.2, 2.0],
    "reject_rate": 0.04,
    "reject_line_rate": 0.05,
    "reject_reasons": ["out_of_stock", "damaged", "too_busy"],
    "silent_rate": 0.01,
}
"""How the demo's stores behave: one in 25 offers is refused, one in 100 gets no answer."""
POLICY = Policy(id="default", version=2, backorder_retry_s=5, backorder_limit_s=20)
"""Back-orders end after 20 s here, so that the demo ends; in life it is days."""
ACCEPT_WITHIN_S = 12
"""Stores have this long to answer; in life it is half an hour."""
PATIENCE_S = 180.0
_EXAMPLE = Path(__file__).parent.parent / "examples" / "store_agent.py"


def demo(orders_placed: int = 2000, seed: int = 7) -> int:
    """Run the demo on a fresh data directory under the usual one. Exit status 0 only if every order ended well."""
    return asyncio.run(_demo(orders_placed, seed, Console()))


async def _demo(number: int, seed: int, console: Console) -> int:
    settings = EnvironmentSettings()
    data_dir = settings.data_dir / "demo"
    shutil.rmtree(data_dir, ignore_errors=True)
    data_dir.mkdir(parents=True)
    started = time.monotonic()
    with console.status("starting Temporal, NATS, MongoDB and the workers"):
        system = await System(settings, data_dir).__aenter__()
    try:
        mongo = Mongo(system.settings.require("mongo_url"), system.settings.mongo_database)
        console.print(f"up in {time.monotonic() - started:.1f} s")
        show_addresses(system, console)
        await load_network(system, seed, console)
        await mongo.policies.replace_one({"id": POLICY.id, "version": POLICY.version}, POLICY.model_dump(), upsert=True)
        async with store_agents(system, BEHAVIOUR, seed):
            await _carry(system, mongo, number, seed, console)
        report = await read_report(mongo, system.settings)
        show(report, console)
        mongo.close()
    finally:
        await system.__aexit__(None, None, None)
    console.print(f"{time.monotonic() - started:.0f} s in all")
    return _verdict(report, number, data_dir, console)


async def load_network(system: System, seed: int, console: Console) -> None:
    """Register the demo's locations and count their stock, through the API."""
    places = network(seed, accept_within_s=ACCEPT_WITHIN_S)
    async with Shop(system.settings.require("gateway_url"), system.settings.require("operator_key")) as shop:
        carried = [carrier.model_dump(mode="json") for carrier in carriers()]
        refused = [r for r in await shop.put_carriers(carried) if "problem" in r]
        refused += [r for r in await shop.put_locations(places.locations) if "problem" in r]
        refused += [r for r in await shop.put_stock(places.stock) if "problem" in r]
    if refused:
        raise RuntimeError(f"{len(refused)} items of the demo network were refused, the first: {refused[0]}")
    cities = {place["division"] for place in places.locations}
    provinces = {division[:2] for division in cities}
    console.print(f"{len(places.locations)} locations in {len(cities)} cities of {len(provinces)} provinces")


async def demo_places(mongo: Mongo) -> list[str]:
    """Places that the demo's network made. Others hear for themselves, and what was acknowledged for them they would
    never get."""
    made = [place["id"] for place in network().locations]
    known = mongo.locations.find({"_id": {"$in": made}, "partner": None}, {"_id": 1})
    return sorted([row["_id"] async for row in known])


@asynccontextmanager
async def store_agents(
    system: System, behaviour: dict[str, Any], seed: int = 7, *, places: Sequence[str] | None = None
) -> AsyncIterator[Process]:
    """The example store agent, as a process of its own, for some places; None: whichever there are, or will be."""
    who = ("--all",) if places is None else ("--locations", ",".join(places))
    path = system.data_dir / "behaviour.json"
    path.write_text(json.dumps(behaviour))
    agent = Process(
        "stores",
        [
            *(sys.executable, _EXAMPLE, "--nats", system.settings.require("nats_url"), *who),
            *trial_arguments(system.settings),
            *("--behaviour", path, "--seed", str(seed), "--memory", system.data_dir / "stores.sqlite"),
        ],
        log=system.data_dir / "log" / "stores.log",
    )
    agent.start()
    try:
        yield agent
    finally:
        await agent.stop()


async def _carry(system: System, mongo: Mongo, number: int, seed: int, console: Console) -> None:
    """Place the orders and wait until every one of them has ended, or patience has."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bars:
        placed = bars.add_task("placed", total=number)
        ended = bars.add_task("ended", total=number)
        placing = asyncio.create_task(_place(system, number, seed, lambda done: bars.advance(placed, done)))
        deadline = time.monotonic() + PATIENCE_S
        terminal = {"stage": {"$in": sorted(TERMINAL)}}
        while time.monotonic() < deadline:
            system.watch()
            done = await mongo.orders.count_documents(terminal)
            bars.update(ended, completed=done)
            if placing.done() and done >= number:
                break
            await asyncio.sleep(0.25)
        await placing


async def _place(system: System, number: int, seed: int, tell: Any) -> None:
    async with Shop(system.settings.require("gateway_url"), system.settings.require("operator_key")) as shop:
        for chunk in chunks(orders(number, seed), ORDERS_PER_REQUEST):
            results = await shop.place(chunk)
            refused = [result for result in results if "problem" in result]
            if refused:
                raise RuntimeError(f"an order was refused: {refused[0]}")
            tell(len(chunk))


def show_addresses(system: System, console: Console) -> None:
    settings = system.settings
    console.print(
        f"  Temporal UI  {settings.temporal_ui_url}  readable once you signed in at {settings.gateway_url}/codec"
    )
    console.print(f"  API docs     {settings.gateway_url}/docs")
    console.print(f"  NATS         {settings.nats_url}")
    console.print(f"  sandboxes    bank {settings.bank_url}, signatures {settings.signature_url}")


def _verdict(report: Report, number: int, data_dir: Path, console: Console) -> int:
    left = number - report.ended
    violated = [finding for finding in report.findings if finding.violated]
    if left:
        console.print(f"[red]{left} orders have not ended; logs are in {data_dir / 'log'}[/red]")
    if violated:
        console.print(f"[red]{len(violated)} invariants do not hold[/red]")
    if not left and not violated:
        console.print("[green]every order has ended and every invariant holds[/green]")
    console.print(f"To look around in what was done: TONGQU_DATA_DIR={data_dir} make up", soft_wrap=True)
    return 1 if left or violated else 0
