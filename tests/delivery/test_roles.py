"""Each role and each subject: what it may ask for and listen to on the bus, and nothing else."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from contracts.subjects import EVENTS
from infra.bus_access import SYSTEM_INBOX, TRIAL_INBOX
from infra.credentials import CredentialDesk
from infra.embedded import Servers
from infra.mongo import Mongo
from infra.nats import Connection, connect
from infra.nats_keys import BusKeys
from infra.streams import provision_partners
from tests.delivery.partners import Partner, connected, turned_away, without_credentials

ROLES = ("a", "chain", "trial", "desk")
_TABLE = Path(__file__).with_name("roles.txt")
_NOTHING_WAITS = {"batch": 1, "no_wait": True}


@dataclass(frozen=True, slots=True)
class Row:
    what: str
    subject: str
    let_in: dict[str, bool]


def _rows() -> list[Row]:
    """Raises ValueError for a line that is none."""
    rows = []
    for line in _TABLE.read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        what, subject, *cells = line.split()
        if len(cells) != len(ROLES) or set(cells) - {"+", "-"} or what not in ("ask", "listen"):
            raise ValueError(line)
        rows.append(Row(what, subject, {role: cell == "+" for role, cell in zip(ROLES, cells, strict=True)}))
    return rows


@dataclass
class Bus:
    url: str
    keys: BusKeys
    desk: CredentialDesk
    nats: Connection
    names: dict[str, str]
    creds: dict[str, str]

    async def events(self) -> Any:
        """All that an attack on the stream of events might change."""
        info = await self.nats.jetstream().stream_info(EVENTS)
        return (info.config.as_dict(), info.state.messages, info.state.last_seq, info.state.consumer_count)

    @asynccontextmanager
    async def as_role(self, role: str) -> AsyncIterator[Partner]:
        inbox = {"trial": TRIAL_INBOX, "desk": SYSTEM_INBOX}.get(role)
        files = {"trial": self.keys.trial_creds, "desk": self.keys.system_creds}
        creds = files[role] if role in files else self.creds[role]
        async with connected(self.url, creds, self.names.get(role, role), inbox=inbox) as one:
            yield one


@pytest.fixture
async def town(bus: Servers, mongo: Mongo, nats: Connection) -> AsyncIterator[Bus]:
    keys = BusKeys(Path(bus.addresses.nats_keys))
    names = {name: f"{name}-{uuid.uuid4().hex[:8]}" for name in ("a", "b", "chain", "place")}
    await provision_partners(nats.jetstream(), names.values())
    system = await connect(bus.addresses.nats_url, keys.system_creds, "desk", inbox=SYSTEM_INBOX)
    desk = CredentialDesk(mongo, keys, system)
    streams = {"a": ["a"], "b": ["b"], "chain": ["chain", "place"]}
    creds = {
        who: (await desk.issue(names[who], [names[stream] for stream in theirs])).creds
        for who, theirs in streams.items()
    }
    yield Bus(bus.addresses.nats_url, keys, desk, nats, names, creds)
    await system.close()


@pytest.mark.parametrize("role", ROLES)
async def test_every_cell_of_the_table(town: Bus, role: str) -> None:
    before, wrong = await town.events(), []
    for row in _rows():
        # A connection for each: subscriptions of one are limited, and what the server says is about this row alone.
        async with town.as_role(role) as one:
            subject = row.subject.format_map(town.names)
            if row.what == "listen":
                await one.client.subscribe(subject)
                await one.client.flush()
            else:
                await one.asks(subject, _NOTHING_WAITS)
            if row.let_in[role]:
                if one.errors:
                    wrong.append((row, one.errors))
            else:
                # Partners' requests for a look at a consumer have another name within their account.
                await one.refused(subject.replace(f"$JS.API.CONSUMER.INFO.{EVENTS}", "info.v1") if role in town.creds
                                  else subject)  # fmt: skip
    assert wrong == []
    assert await town.events() == before


async def test_who_has_nothing_or_nothing_any_more_is_not_let_in(town: Bus) -> None:
    assert "authorization violation" in (await without_credentials(town.url)).lower()
    await town.desk.revoke(town.names["a"])
    assert "authorization violation" in (await turned_away(town.url, town.creds["a"])).lower()
    async with town.as_role("chain") as other:
        assert other.errors == []
