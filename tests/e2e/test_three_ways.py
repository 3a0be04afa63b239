"""The example clients hear the same events, in the same order, under the same numbers, whichever way they hear."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from contracts.subjects import EVENTS, partner_consumer, partner_filter
from infra.credentials import CredentialDesk
from infra.embedded.ports import HOST, free_port
from infra.hearing import acknowledged
from infra.keys import Scope, create_key, revoke_keys
from infra.mongo import Mongo
from infra.processes import Process
from tests.e2e.places import Places
from tests.support import eventually
from workers.system import System

EXAMPLES = Path(__file__).parents[2] / "examples"
WAYS = ("nats", "pull", "stream", "webhook")
PATIENT_S = 60


@dataclass
class Clients:
    """One program for each way, with a journal of its own; they can be stopped and started."""

    system: System
    stream: str
    key: str
    folder: Path
    running: dict[str, Process] = field(default_factory=dict)
    port: int = field(default_factory=free_port)

    def journal(self, way: str) -> Path:
        return self.folder / f"{way}.sqlite"

    def heard(self, way: str) -> list[tuple[int, str, dict[str, Any]]]:
        with closing(sqlite3.connect(self.journal(way))) as sql:
            if not sql.execute("SELECT 1 FROM sqlite_master WHERE name = 'events'").fetchone():
                return []
            rows = sql.execute("SELECT sequence, id, body FROM events ORDER BY sequence").fetchall()
        return [(number, event, json.loads(body)) for number, event, body in rows]

    def lose(self, way: str, number: int) -> None:
        """As if the client had lost what it heard from this number on."""
        with closing(sqlite3.connect(self.journal(way), isolation_level=None)) as sql:
            sql.execute("DELETE FROM events WHERE sequence >= ?", (number,))

    def command(self, way: str, *more: str) -> list[str]:
        gateway = self.system.settings.require("gateway_url")
        common = ["--gateway", gateway, "--journal", str(self.journal(way)), *more]
        if way == "nats":
            nats = self.system.settings.require("nats_url")
            creds = str(self.folder / "partner.creds")
            whom = ["--nats", nats, "--creds", creds, "--partner", self.stream]
            return [str(EXAMPLES / "events_nats.py"), *whom, *common]
        if way == "webhook":
            hook = str(self.folder / "hook.json")
            return [str(EXAMPLES / "events_webhook.py"), "serve", "--hook", hook, "--port", str(self.port), *common]
        return [str(EXAMPLES / "events_http.py"), way, *common]

    @property
    def environment(self) -> dict[str, str]:
        return {"TONGQU_KEY": self.key}

    def make_webhook(self) -> str:
        url = f"http://{HOST}:{self.port}/hook"
        arguments = ["make", "--gateway", self.system.settings.require("gateway_url"), "--url", url, "--after", "0"]
        made = self.run("events_webhook.py", *arguments)
        (self.folder / "hook.json").write_text(made)
        hook: str = json.loads(made)["id"]
        return hook

    def run(self, example: str, *arguments: str) -> str:
        command = [sys.executable, str(EXAMPLES / example), *arguments]
        done = subprocess.run(
            command, env={**os.environ, **self.environment}, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, way: str, *more: str) -> None:
        command = [sys.executable, *self.command(way, *more)]
        process = Process(way, command, log=self.folder / f"{way}.log", env=self.environment)
        process.start()
        self.running[way] = process

    async def stop(self, way: str) -> None:
        await self.running.pop(way).stop()

    async def all_have(self, last: int) -> None:
        def whole(way: str) -> bool:
            return [number for number, _, _ in self.heard(way)] == list(range(1, last + 1))

        for way in WAYS:
            await eventually(partial(whole, way), PATIENT_S, f"{way} has not heard 1 to {last}")

    def same(self) -> bool:
        first, *others = [self.heard(way) for way in WAYS]
        return all(other == first for other in others)


@pytest.fixture
async def clients(system: System, mongo: Mongo, places: Places, tmp_path: Path) -> AsyncIterator[Clients]:
    stream = places.near.location
    made = Clients(system, stream, await create_key(mongo, stream, [Scope.PARTNER], partner=stream), tmp_path)
    async with CredentialDesk.opened(system.settings, mongo) as desk:
        (tmp_path / "partner.creds").write_text((await desk.issue(stream, [stream])).creds)
        yield made
        await desk.revoke(stream)
    for way in list(made.running):
        await made.stop(way)
    await revoke_keys(mongo, partner=stream)
    await mongo.webhooks.delete_many({"stream": stream})


async def told(jetstream: JetStreamContext, stream: str, least: int) -> int:
    """The newest number, when so many events were told."""

    async def newest() -> int:
        try:
            last = await jetstream.get_last_msg(EVENTS, partner_filter(stream))
        except NotFoundError:
            return 0
        number = int(json.loads(last.data or b"")["sequence"])
        return number if number >= least else 0

    return await eventually(newest, PATIENT_S, f"{stream} was not told {least} events")


@pytest.mark.timeout(300)
async def test_the_three_ways_are_one(
    clients: Clients, places: Places, mongo: Mongo, jetstream: JetStreamContext
) -> None:
    stream = clients.stream
    hook = clients.make_webhook()
    # Each from the first event on: what was acknowledged is shared, and one that starts late would begin behind it.
    for way in ("pull", "stream"):
        clients.start(way, "--replay-from", "1")
    for way in ("nats", "webhook"):
        clients.start(way)
    for _ in range(4):
        await places.place()
    last = await told(jetstream, stream, 4)
    await clients.all_have(last)
    assert clients.same()

    # Stopped ones miss nothing, and go on where they were.
    for way in ("nats", "stream", "webhook"):
        await clients.stop(way)
    for _ in range(3):
        await places.place()
    last = await told(jetstream, stream, last + 3)
    for way in ("nats", "stream", "webhook"):
        clients.start(way)
    await clients.all_have(last)
    assert clients.same()
    assert await acknowledged(mongo, jetstream, stream) == last
    row = await mongo.webhooks.find_one({"_id": hook})
    assert row is not None
    await eventually(lambda: _position(mongo, stream, last), PATIENT_S)
    floor = (await jetstream.consumer_info(EVENTS, partner_consumer(stream))).ack_floor
    assert floor is not None and floor.stream_seq > 0

    # What they have lost they notice by the next number, and ask for it again.
    for way in WAYS:
        clients.lose(way, 4)
    await places.place()
    last = await told(jetstream, stream, last + 1)
    await clients.all_have(last)
    assert clients.same()

    # From any number on everything can be heard again.
    for way in ("nats", "pull", "stream"):
        await clients.stop(way)
    before = clients.heard("pull")
    for way in ("nats", "pull", "stream"):
        clients.run(*_again(clients, way, last))
    arguments = ["replay", "--hook", str(clients.folder / "hook.json"), "--from", "2"]
    arguments += ["--gateway", clients.system.settings.require("gateway_url")]
    clients.run("events_webhook.py", *arguments, "--journal", str(clients.journal("webhook")))
    await clients.all_have(last)
    assert clients.same()
    assert clients.heard("pull") == before


def _again(clients: Clients, way: str, last: int) -> list[str]:
    script, *arguments = clients.command(way, "--replay-from", "2", "--until", str(last))
    return [Path(script).name, *arguments]


async def _position(mongo: Mongo, stream: str, number: int) -> bool:
    row = await mongo.positions.find_one({"_id": stream})
    return bool(row and row["acknowledged"] == number)
