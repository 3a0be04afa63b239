"""`make bench-streams`: ten thousand partners on one bus, each with an account, credentials and a consumer of its own.

Every partner is connected and hears its events: how late the slowest hundredth comes, what the server needs for one
more partner, and how long a connection lives after its credentials were taken back. Everything runs on this machine;
times are as a partner's program sees them.
"""

import argparse
import asyncio
import gc
import json
import os
import random
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from nats.js import JetStreamContext
from rich.console import Console
from rich.table import Table

from bench.listener import Listener
from bench.machine import settings_of
from bench.measuring import cpu_seconds, resident_mib
from contracts.subjects import event_subject
from infra.bus_access import SYSTEM_INBOX
from infra.credentials import CredentialDesk, Credentials
from infra.embedded import Servers
from infra.indexes import make_indexes
from infra.mongo import Mongo
from infra.nats import connect
from infra.nats_keys import BusKeys
from infra.runtime import prepare
from infra.settings import EnvironmentSettings
from infra.streams import provision_partners, provision_streams
from workers.report import percentile

PARTNERS = 10_000
EVENTS_PER_S = 500.0
REVOKED = 100
DELIVERY_P99_MS, REVOKE_P99_MS, KIB_PER_PARTNER = 500.0, 1_000.0, 256.0
_BODY = 600
"""Bytes of an event: what an offer of two lines has."""
_SECONDS = 10.0
"""Least time for which events come at each step."""
_AT_ONCE = 50
_STEPS = (0.1, 0.5, 1.0)
_PATIENCE_S = 60.0
_TYPE = "parcel.offered.v1"

Row = dict[str, Any]


@dataclass
class Ears:
    """What all partners have heard. Numbers are each partner's own and start at 1."""

    late_ms: list[float] = field(default_factory=list)
    heard: dict[str, int] = field(default_factory=dict)
    wrong: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, listener: Listener, subject: bytes, body: bytes) -> None:
        """An event for somebody else, or out of order, is counted as wrong."""
        now = time.monotonic_ns()
        sent, number, partner = body.split(b" ", 3)[:3]
        known = self.heard.get(listener.partner, 0)
        if partner.decode() != listener.partner or int(number) != known + 1:
            self.wrong += 1
        self.heard[listener.partner] = known + 1
        self.late_ms.append((now - int(sent)) / 1e6)
        self.changed.set()

    async def until(self, count: int) -> None:
        """Until so many events were heard in all, or nothing comes any more."""
        while len(self.late_ms) < count:
            self.changed.clear()
            try:
                await asyncio.wait_for(self.changed.wait(), _PATIENCE_S)
            except TimeoutError:
                return


class Bench:
    """One bus that grows by steps."""

    def __init__(self, servers: Servers, mongo: Mongo, desk: CredentialDesk, js: JetStreamContext) -> None:
        where = urlsplit(servers.addresses.nats_url)
        assert where.hostname and where.port
        self._where = (where.hostname, where.port)
        self.pid = servers.processes["nats"].pid
        self._desk = desk
        self._js = js
        self._mongo = mongo
        self.ears = Ears()
        self.listeners: list[Listener] = []
        self._numbers: dict[str, int] = {}
        self._chance = random.Random(7)

    async def grow(self, count: int) -> Row:
        """As many partners as that: consumers, then credentials, then connections, each measured by itself."""
        names = [f"partner-{number:05d}" for number in range(len(self.listeners), count)]
        row: Row = {"partners": count, "added": len(names), "rss_mib": {"before": resident_mib(self.pid)}}
        began = time.monotonic()
        await provision_partners(self._js, names)
        row["consumers_s"], row["rss_mib"]["consumers"] = time.monotonic() - began, resident_mib(self.pid)
        began = time.monotonic()
        issued = await at_once([lambda name=name: self._desk.issue(name, [name]) for name in names])
        row["credentials_s"], row["rss_mib"]["credentials"] = time.monotonic() - began, resident_mib(self.pid)
        began = time.monotonic()
        self.listeners += await at_once([lambda one=one: self._listen(one) for one in issued])
        row["connections_s"], row["rss_mib"]["connections"] = time.monotonic() - began, resident_mib(self.pid)
        gc.collect()
        gc.freeze()  # Ten thousand partners' programs stand still together while one process looks through them all.
        return row

    async def _listen(self, credentials: Credentials) -> Listener:
        listener = Listener(credentials.partner, credentials.inbox, credentials.creds, self.ears.hear)
        await asyncio.get_running_loop().create_connection(lambda: listener, *self._where)
        await listener.ready
        return listener

    async def fan_out(self, per_s: float, at_least: int) -> Row:
        """One event for each partner in a random order, and again until there were enough, so many a second."""
        self.ears.late_ms.clear()
        names = [listener.partner for listener in self.listeners]
        count = max(at_least, len(names))
        order = [name for _ in range(-(-count // len(names))) for name in self._chance.sample(names, len(names))][
            :count
        ]
        cpu, began = cpu_seconds(self.pid), time.monotonic()
        for place, name in enumerate(order):
            ahead = began + place / per_s - time.monotonic()
            if ahead > 0:
                await asyncio.sleep(ahead)
            self._numbers[name] = self._numbers.get(name, 0) + 1
            body = b"%d %d %s " % (time.monotonic_ns(), self._numbers[name], name.encode())
            await self._js.publish_async(event_subject(name, _TYPE), body.ljust(_BODY, b"."))
        sent_s = time.monotonic() - began
        await self.ears.until(count)
        late = self.ears.late_ms
        return {
            "events": count,
            "sent_per_s": count / sent_s,
            "not_heard": count - len(late),
            "wrong": self.ears.wrong,
            "p50_ms": percentile(late, 50),
            "p99_ms": percentile(late, 99),
            "max_ms": max(late, default=0.0),
            "nats_cpu_ms_per_event": (cpu_seconds(self.pid) - cpu) * 1000 / count,
            "rss_mib": resident_mib(self.pid),
        }

    async def revoke(self, count: int) -> Row:
        """Take credentials back one after the other, while all the others stay connected."""
        late: list[float] = []
        for listener in self._chance.sample(self.listeners, min(count, len(self.listeners))):
            began = time.monotonic()
            await self._desk.revoke(listener.partner)
            ended = await asyncio.wait_for(asyncio.shield(listener.lost), _PATIENCE_S)
            late.append((ended - began) * 1000)
        still = sum(not listener.lost.done() for listener in self.listeners)
        return {
            "revoked": len(late),
            "p50_ms": percentile(late, 50),
            "p99_ms": percentile(late, 99),
            "max_ms": max(late),
            "others_cut_off": len(self.listeners) - len(late) - still,
        }

    def close(self) -> None:
        for listener in self.listeners:
            listener.close()


async def at_once(work: Sequence[Any]) -> list[Any]:
    """Call all, so many at a time; the outcomes in their order."""
    free = asyncio.Semaphore(_AT_ONCE)

    async def one(call: Any) -> Any:
        async with free:
            return await call()

    return list(await asyncio.gather(*(one(call) for call in work)))


def goals_of(steps: Sequence[Row], revoked: Row) -> list[Row]:
    """Each with name, value, target and whether it is met. Pure."""
    last = steps[-1]
    wrong = sum(step["fan_out"]["not_heard"] + step["fan_out"]["wrong"] for step in steps) + revoked["others_cut_off"]
    return [
        _at_most("events lost, out of order or to the wrong partner; others cut off", wrong, 0),
        _at_most("delivery p99, ms", last["fan_out"]["p99_ms"], DELIVERY_P99_MS),
        _at_most("revoked → connection closed p99, ms", revoked["p99_ms"], REVOKE_P99_MS),
        _at_most("server memory for one more connected partner, KiB", kib_per_partner(steps), KIB_PER_PARTNER),
    ]


def kib_per_partner(steps: Sequence[Row], after: str = "connections") -> float:
    """Server memory for one more partner, between the first step and the last."""
    first, last = steps[0], steps[-1]
    more = last["partners"] - first["partners"]
    return (last["rss_mib"][after] - first["rss_mib"][after]) * 1024 / more if more else 0.0


def _at_most(name: str, value: float, target: float) -> Row:
    return {"name": name, "value": round(value, 3), "target": target, "met": value <= target}


async def measure(
    partners: int, per_s: float, revoked: int, data_dir: Path, console: Console, *, seconds: float = _SECONDS
) -> Row:
    settings = EnvironmentSettings(data_dir=data_dir, mongo_cache_gb=0.5)
    async with Servers(settings, data_dir, temporal=False) as servers:
        found = servers.addresses
        keys = BusKeys(Path(found.nats_keys))
        mongo = Mongo(found.mongo_url, "streams")
        await make_indexes(mongo)
        ours = await connect(found.nats_url, found.nats_creds, "bench")
        system = await connect(found.nats_url, keys.system_creds, "bench-desk", inbox=SYSTEM_INBOX)
        js = ours.jetstream(publish_async_max_pending=1_000)
        await provision_streams(js)
        bench = Bench(servers, mongo, CredentialDesk(mongo, keys, system), js)
        steps: list[Row] = []
        for share in _STEPS:
            step = await bench.grow(max(round(partners * share), 1))
            step["fan_out"] = await bench.fan_out(per_s, round(seconds * per_s))
            steps.append(step)
            console.print(
                f"{step['partners']:,} partners: p99 {step['fan_out']['p99_ms']:.1f} ms, "
                f"{step['fan_out']['rss_mib']:,.0f} MiB"
            )
        taken_back = await bench.revoke(revoked)
        bench.close()
        disk = sum(file.stat().st_size for file in (data_dir / "nats").rglob("*") if file.is_file())
        for client in (ours, system):
            await client.close()
        mongo.close()
        # Nothing in it is wanted any more, and with many consumers it takes its time to end.
        servers.processes["nats"].kill()
    cost = {after: kib_per_partner(steps, after) for after in ("consumers", "credentials", "connections")}
    goals = goals_of(steps, taken_back)
    return {"steps": steps, "revoke": taken_back, "kib_per_partner": cost, "disk_mib": disk / 2**20, "goals": goals}


def show(result: Row, console: Console) -> None:
    table = Table("partners", "consumers s", "credentials s", "connections s", "p50 ms", "p99 ms", "max ms", "MiB")
    for step in result["steps"]:
        heard = step["fan_out"]
        times = [f"{step[name]:.1f}" for name in ("consumers_s", "credentials_s", "connections_s")]
        lates = [f"{heard[name]:.1f}" for name in ("p50_ms", "p99_ms", "max_ms")]
        table.add_row(f"{step['partners']:,}", *times, *lates, f"{heard['rss_mib']:,.0f}")
    console.print(table)
    revoked = result["revoke"]
    console.print(
        f"revoked → closed: p50 {revoked['p50_ms']:.1f} ms, p99 {revoked['p99_ms']:.1f} ms of {revoked['revoked']}"
    )
    verdict = Table("goal", "value", "target", "")
    for goal in result["goals"]:
        verdict.add_row(goal["name"], f"{goal['value']:g}", f"{goal['target']:g}", "met" if goal["met"] else "missed")
    console.print(verdict)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--partners", type=int, default=PARTNERS)
    parser.add_argument("--per-s", type=float, default=EVENTS_PER_S, help="events a second, to all together")
    parser.add_argument("--revoked", type=int, default=REVOKED)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    _files_for(options.partners)
    console = Console(width=None if sys.stdout.isatty() else 160)
    prepare()
    data_dir = Path(tempfile.mkdtemp(prefix="tongqu-streams-"))
    try:
        result = asyncio.run(measure(options.partners, options.per_s, options.revoked, data_dir, console))
    finally:
        shutil.rmtree(data_dir, ignore_errors=True)
    show(result, console)
    if options.out is not None:
        about = {"partners": options.partners, "events_per_s": options.per_s, "body_bytes": _BODY}
        whole = {"bench": "streams", "pid": os.getpid(), "about": about, "machine": settings_of(), **result}
        options.out.write_text(json.dumps(whole, indent=1))
    return 0 if all(goal["met"] for goal in result["goals"]) else 1


def _files_for(partners: int) -> None:
    """Each connection is an open file, here and at the server, which inherits the limit."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = partners + 1_000
    if most != resource.RLIM_INFINITY and most < wanted:
        raise SystemExit(f"{partners} connections need {wanted} open files, and {most} are allowed: raise `ulimit -Hn`")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if most == resource.RLIM_INFINITY else most, most))


if __name__ == "__main__":
    sys.exit(main())
