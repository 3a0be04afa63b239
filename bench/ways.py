"""`make bench-ways`: partners that read by number, listen over HTTP and have webhooks, some of them slow or dead.

A stream of many partners' events is filled; then: how long it takes to find any number of any partner, and to read on;
how late events come to listeners over HTTP and to webhooks; and how much later when as many endpoints again hang or are
dead, and listeners do not read. Everything runs on this machine; times are from publishing to hearing.
"""

import argparse
import asyncio
import json
import random
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from aiohttp import web
from nats.js import JetStreamContext
from rich.console import Console
from rich.table import Table

from bench.machine import settings_of
from contracts.subjects import EVENTS
from contracts.webhooks import Webhook
from infra.embedded import Servers
from infra.embedded.ports import HOST, free_port
from infra.hearing import Hearing
from infra.indexes import make_indexes
from infra.keys import Scope, create_key, revoke_keys
from infra.mongo import Mongo
from infra.nats import Connection, connect
from infra.outbox import Stamped, outgoing
from infra.processes import Process
from infra.runtime import prepare
from infra.settings import EnvironmentSettings
from infra.streams import provision_streams
from workers.report import percentile
from workers.system import answers
from workers.webhooks.keeping import FREE
from workers.webhooks.signing import new_secret

_TYPE = "parcel.offered.v1"
_FILLING = "x" * 300
_READS = 500
_AT_ONCE = 2_000
_READY_S = 60.0
_PATIENCE_S = 120.0
Row = dict[str, Any]


class Events:
    """Publishes events of partners under their next numbers, each with the moment of its publishing."""

    def __init__(self, js: JetStreamContext, mongo: Mongo) -> None:
        self._js = js
        self._mongo = mongo
        self.last: dict[str, int] = {}
        self.filling = _FILLING

    def next(self, stream: str) -> Stamped:
        number = self.last[stream] = self.last.get(stream, 0) + 1
        data = {"at": time.monotonic_ns(), "filling": self.filling}
        event = outgoing(stream, f"{stream}:{number}", _TYPE, "p1", self._mongo.clock.now(), data)
        return Stamped(event["id"], stream, _TYPE, number, event["body"])

    async def fill(self, streams: Sequence[str], count: int, chance: random.Random) -> None:
        for start in range(0, count, _AT_ONCE):
            for _ in range(min(_AT_ONCE, count - start)):
                event = self.next(chance.choice(streams))
                await self._js.publish_async(event.subject, event.body())
            await self._js.publish_async_completed()

    async def told(self, streams: Sequence[str], per_s: float, seconds: float) -> int:
        """So many a second, to one after the other; how many there were."""
        count, began = int(per_s * seconds), time.monotonic()
        for place in range(count):
            ahead = began + place / per_s - time.monotonic()
            if ahead > 0:
                await asyncio.sleep(ahead)
            event = self.next(streams[place % len(streams)])
            await self._js.publish_async(event.subject, event.body())
        return count


class Ears:
    """How late what was heard came, in milliseconds."""

    def __init__(self) -> None:
        self.late: list[float] = []
        self._more = asyncio.Event()

    def hear(self, body: bytes) -> None:
        self.late.append((time.monotonic_ns() - orjson.loads(body)["data"]["at"]) / 1e6)
        self._more.set()

    async def until(self, count: int) -> Row:
        async with asyncio.timeout(_PATIENCE_S):
            while len(self.late) < count:
                self._more.clear()
                await self._more.wait()
        late, self.late = self.late, []
        return {"events": count, **{f"p{at}_ms": percentile(late, at) for at in (50, 99)}, "max_ms": max(late)}


async def reading(hearing: Hearing, events: Events, chance: random.Random) -> Row:
    """Seconds to find any number of any partner and read a page behind it, and to read the page after that."""
    streams = [stream for stream, last in events.last.items() if last > 1]
    first, on = [], []
    for _ in range(_READS):
        stream = chance.choice(streams)
        after = chance.randrange(events.last[stream])
        began = time.monotonic()
        page = await hearing.read(stream, after, 20)
        first.append((time.monotonic() - began) * 1000)
        assert page.events[0].number == after + 1
        last = page.last
        assert last is not None
        began = time.monotonic()
        await hearing.read(stream, last.number, 20, last)
        on.append((time.monotonic() - began) * 1000)
    found = {"find": first, "read_on": on}
    return {name: {f"p{at}_ms": percentile(late, at) for at in (50, 99)} for name, late in found.items()}


async def listen(session: aiohttp.ClientSession, url: str, key: str, after: int, ears: Ears) -> None:
    path = f"{url}/v1/partner/events/stream?after={after}"
    async with session.get(path, headers={"Authorization": f"Bearer {key}"}) as answer:
        assert answer.status == 200, await answer.text()
        async for line in answer.content:
            if line.startswith(b"data: "):
                ears.hear(line[6:])


async def never_reads(url: str, key: str, stack: AsyncExitStack) -> None:
    """Asks for everything, and reads nothing of it."""
    host, port = url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port), limit=1024)
    head = f"GET /v1/partner/events/stream?after=0 HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n\r\n"
    writer.write(head.encode())
    stack.callback(writer.close)


@asynccontextmanager
async def endpoint(ears: Ears) -> AsyncIterator[str]:
    """Takes all at /hook; never answers at /hangs."""
    never = asyncio.Event()

    async def take(request: web.Request) -> web.Response:
        ears.hear(await request.read())
        return web.Response(status=204)

    async def hang(_: web.Request) -> web.Response:
        await never.wait()
        return web.Response(status=204)

    listening = socket.create_server((HOST, 0), backlog=1024)
    app = web.Application()
    app.router.add_post("/hook", take)
    app.router.add_post("/hangs", hang)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    try:
        yield f"http://{HOST}:{listening.getsockname()[1]}"
    finally:
        never.set()
        await runner.cleanup()


async def make_hooks(mongo: Mongo, events: Events, streams: Sequence[str], url: str) -> None:
    rows = [
        Webhook.model_validate(
            {"id": f"wh-{stream}", "stream": stream, "url": url, "secrets": [{"secret": new_secret()}]}
            | {"position": events.last.get(stream, 0), "lease": FREE, "by": "bench", "created_at": mongo.clock.now()}
        ).as_row()
        for stream in streams
    ]
    await mongo.webhooks.insert_many(rows)
    async with asyncio.timeout(_PATIENCE_S):
        while await mongo.webhooks.count_documents({"lease.owner": None}):
            await asyncio.sleep(0.2)


class Bench:
    def __init__(self, options: argparse.Namespace, mongo: Mongo, ours: Connection, data_dir: Path) -> None:
        self._options = options
        self._mongo = mongo
        self._data_dir = data_dir
        self._chance = random.Random(7)
        self._events = Events(ours.jetstream(publish_async_max_pending=_AT_ONCE), mongo)
        self._hearing = Hearing(ours)

    async def read(self) -> Row:
        streams = [f"many-{number}" for number in range(self._options.partners)]
        await self._events.fill(streams, self._options.events, self._chance)
        return await reading(self._hearing, self._events, self._chance)

    async def listeners(self, url: str) -> Row:
        """Late at those who read, alone and beside some who ask for everything and read nothing."""
        streams = [f"ears-{number}" for number in range(self._options.listeners)]
        lazy = [f"lazy-{number}" for number in range(self._options.lazy)]
        self._events.filling = "x" * 3_000
        await self._events.fill(lazy, 3_000 * len(lazy), self._chance)
        self._events.filling = _FILLING
        keys = {name: await create_key(self._mongo, name, [Scope.PARTNER], partner=name) for name in streams + lazy}
        ears, timeout = Ears(), aiohttp.ClientTimeout(total=None)
        async with (
            AsyncExitStack() as stack,
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session,
        ):
            tasks = [asyncio.create_task(listen(session, url, keys[one], 0, ears)) for one in streams]
            await ears.until(await self._events.told(streams, self._options.per_s, 1))
            alone = await ears.until(await self._events.told(streams, self._options.per_s, self._options.seconds))
            for name in lazy:
                await never_reads(url, keys[name], stack)
            beside = await ears.until(await self._events.told(streams, self._options.per_s, self._options.seconds))
            cut_off = [await self._revoked(name, task) for name, task in zip(streams, tasks, strict=True)]
        revoked = {f"p{at}_ms": percentile(cut_off, at) for at in (50, 99)} | {"max_ms": max(cut_off)}
        return {"alone": alone, "beside_lazy": beside, "revoked": revoked}

    async def _revoked(self, name: str, listening: asyncio.Task[None]) -> float:
        """Milliseconds from taking the keys back to the end of what listens with them."""
        began = time.monotonic()
        await revoke_keys(self._mongo, partner=name)
        async with asyncio.timeout(_PATIENCE_S):
            await listening
        return (time.monotonic() - began) * 1000

    async def webhooks(self) -> Row:
        """Late at good endpoints, alone and beside as many that hang or are dead; how fast one is caught up with."""
        good = [f"good-{number}" for number in range(self._options.webhooks)]
        bad = [f"bad-{number}" for number in range(self._options.webhooks)]
        ears = Ears()
        async with endpoint(ears) as url:
            await make_hooks(self._mongo, self._events, good, f"{url}/hook")
            await ears.until(await self._events.told(good, self._options.per_s, 1))
            alone = await ears.until(await self._events.told(good, self._options.per_s, self._options.seconds))
            half = len(bad) // 2
            await make_hooks(self._mongo, self._events, bad[:half], f"{url}/hangs")
            await make_hooks(self._mongo, self._events, bad[half:], f"http://{HOST}:1/dead")
            await self._events.told(bad, self._options.per_s * 10, len(bad) / self._options.per_s / 10)
            beside = await ears.until(await self._events.told(good, self._options.per_s, self._options.seconds))
            await self._events.fill(["long"], 2_000, self._chance)
            self._events.last["long"], last = 0, self._events.last["long"]
            began = time.monotonic()
            await make_hooks(self._mongo, self._events, ["long"], f"{url}/hook")
            await ears.until(last)
            per_s = last / (time.monotonic() - began)
        return {"alone": alone, "beside_bad": beside, "one_endpoint_per_s": per_s}


async def measure(options: argparse.Namespace, data_dir: Path, console: Console) -> Row:
    settings = EnvironmentSettings(data_dir=data_dir, mongo_cache_gb=0.5)
    async with Servers(settings, data_dir) as servers, AsyncExitStack() as stack:
        found = servers.addresses
        mongo = Mongo(found.mongo_url, "ways")
        await make_indexes(mongo)
        ours = await connect(found.nats_url, found.nats_creds, "bench")
        await provision_streams(ours.jetstream())
        bench = Bench(options, mongo, ours, data_dir)
        result: Row = {"read": await bench.read()}
        console.print("read by number:", result["read"])
        port = free_port()
        url = f"http://{HOST}:{port}"
        env = {
            "TONGQU_MONGO_URL": found.mongo_url,
            "TONGQU_MONGO_DATABASE": "ways",
            "TONGQU_NATS_URL": found.nats_url,
            "TONGQU_NATS_CREDS": found.nats_creds,
            "TONGQU_TEMPORAL_ADDRESS": found.temporal_address,
            "TONGQU_DATA_DIR": str(data_dir),
            "TONGQU_WEBHOOK_PRIVATE": "true",
        }
        for name, arguments in (("gateway", ("--host", HOST, "--port", str(port))), ("webhooks", ())):
            log = data_dir / f"{name}.log"
            process = Process.of_module(name, f"workers.{name}", *arguments, log=log, env=env)
            process.start()
            stack.push_async_callback(process.stop)
            if name == "gateway":
                await process.wait_ready(lambda: answers(f"{url}/readyz"), _READY_S)
        result["listeners"] = await bench.listeners(url)
        console.print("listeners:", result["listeners"])
        result["webhooks"] = await bench.webhooks()
        console.print("webhooks:", result["webhooks"])
        messages = (await ours.jetstream().stream_info(EVENTS)).state.messages
        await ours.close()
        mongo.close()
    return {**result, "messages": messages}


def show(result: Row, console: Console) -> None:
    table = Table("what", "p50 ms", "p99 ms", "max ms")
    for name, row in (
        ("find any number, read 20", result["read"]["find"]),
        ("read the next 20", result["read"]["read_on"]),
        ("to listeners over HTTP", result["listeners"]["alone"]),
        ("… beside those that do not read", result["listeners"]["beside_lazy"]),
        ("key revoked, listener cut off", result["listeners"]["revoked"]),
        ("to webhooks", result["webhooks"]["alone"]),
        ("… beside as many that hang or are dead", result["webhooks"]["beside_bad"]),
    ):
        table.add_row(name, *(f"{row[at]:.2f}" if at in row else "" for at in ("p50_ms", "p99_ms", "max_ms")))
    console.print(table)
    console.print(
        f"one endpoint: {result['webhooks']['one_endpoint_per_s']:.0f} events/s; {result['messages']:,} messages"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--partners", type=int, default=2_000, help="in the stream that is read by number")
    parser.add_argument("--events", type=int, default=500_000, help="in it")
    parser.add_argument("--listeners", type=int, default=100)
    parser.add_argument("--lazy", type=int, default=20, help="listeners that read nothing")
    parser.add_argument("--webhooks", type=int, default=100)
    parser.add_argument("--per-s", type=float, default=100.0, help="events a second, to all together")
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 160)
    prepare()
    data_dir = Path(tempfile.mkdtemp(prefix="tongqu-ways-"))
    try:
        result = asyncio.run(measure(options, data_dir, console))
    finally:
        shutil.rmtree(data_dir, ignore_errors=True)
    show(result, console)
    if options.out is not None:
        about = {name: value for name, value in vars(options).items() if name != "out"}
        options.out.write_text(
            json.dumps({"bench": "ways", "about": about, "machine": settings_of(), **result}, indent=1)
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
