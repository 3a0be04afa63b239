"""`tongqu up`: the whole system on this machine until Ctrl-C; what it holds is there again at the next start."""

import asyncio
import signal
from contextlib import AsyncExitStack
from datetime import UTC, datetime

from rich.console import Console

from infra.mongo import Mongo
from infra.settings import EnvironmentSettings
from workers.demo import BEHAVIOUR, demo_places, load_network, show_addresses, store_agents
from workers.system import System


def up(with_stores: bool = True) -> int:
    """Start everything and stay. An empty system gets the demo network; `with_stores` lets its stores answer."""
    return asyncio.run(_up(with_stores, Console()))


async def _up(with_stores: bool, console: Console) -> int:
    settings = EnvironmentSettings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        with console.status("starting Temporal, NATS, MongoDB and the workers"):
            system = await stack.enter_async_context(System(settings, settings.data_dir))
        show_addresses(system, console)
        mongo = Mongo(system.settings.require("mongo_url"), system.settings.mongo_database)
        stack.callback(mongo.close)
        if await mongo.locations.find_one() is None:
            await load_network(system, seed=7, console=console)
        if with_stores and (places := await demo_places(mongo)):
            await stack.enter_async_context(store_agents(system, BEHAVIOUR, places=places))
        console.print("For another terminal:", soft_wrap=True)
        known = system.settings
        addresses = f"NATS={known.nats_url} BANK={known.bank_url}"
        console.print(f"  export URL={known.gateway_url} KEY={known.operator_key} {addresses}", soft_wrap=True)
        console.print("Ctrl-C stops everything; `.venv/bin/tongqu status` shows how it stands.", soft_wrap=True)
        while not stop.is_set():
            for said in await system.revive():
                console.print(f"{datetime.now(UTC):%H:%M:%S} UTC: {said}", soft_wrap=True, style="yellow")
            try:
                await asyncio.wait_for(stop.wait(), timeout=1)
            except TimeoutError:
                continue
        console.print("stopping: the workers finish what they are at, then the servers; up to half a minute")
    return 0
