"""Partners as outside programs: a client with credentials, and what the server said to it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nats
from nats.aio.client import Client, RawCredentials
from nats.aio.msg import Msg
from nats.errors import Error
from nats.js import JetStreamContext

from contracts.subjects import EVENTS, partner_consumer
from tests.support import eventually

DENIED_S = 30.0


class Partner:
    """`errors` are what the server refused, in its words; the client library writes them in small letters."""

    def __init__(self, name: str, client: Client, errors: list[str]) -> None:
        self.name = name
        self.client = client
        self.errors = errors
        self.lost_at: float | None = None
        self.js: JetStreamContext = client.jetstream()

    async def read(self, most: int = 10, stream: str | None = None, wait_s: float = 0.5) -> list[Msg]:
        """What its consumer gives, acknowledged, until nothing comes for a moment."""
        name = stream or self.name
        inbox = await self.js.pull_subscribe_bind(durable=partner_consumer(name), stream=EVENTS)
        got: list[Msg] = []
        try:
            while len(got) < most:
                (message,) = await inbox.fetch(1, timeout=wait_s)
                await message.ack_sync(timeout=5)
                got.append(message)
        except TimeoutError:
            pass
        await inbox.unsubscribe()
        return got

    async def refused(self, what: str) -> None:
        """Wait until the server has refused this subject by name."""
        await eventually(lambda: any("permissions violation" in e and what.lower() in e for e in self.errors), DENIED_S)

    async def asks(self, subject: str, body: Any = None, *, reply: str | None = None) -> None:
        """Publish a request; the answer goes to `reply`."""
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        await self.client.publish(subject, data, reply=reply or f"{self.client._inbox_prefix.decode()}.answer")
        await self.client.flush()

    async def gone(self) -> float:
        """Wait until the server has ended its connection; returns when, by the monotonic clock."""
        await eventually(lambda: self.lost_at is not None, 30)
        assert self.lost_at is not None
        return self.lost_at


@asynccontextmanager
async def connected(url: str, creds: str | Path, name: str, *, inbox: str | None = None) -> AsyncIterator[Partner]:
    """A partner's client with the credentials (their text, or a file); does not connect again. Raises nats' errors."""
    errors: list[str] = []
    client = Client()
    partner = Partner(name, client, errors)

    async def failed(error: Exception) -> None:
        errors.append(str(error))

    async def lost() -> None:
        partner.lost_at = partner.lost_at or time.monotonic()

    await client.connect(
        url,
        user_credentials=creds if isinstance(creds, Path) else RawCredentials(creds),
        inbox_prefix=inbox or f"_INBOX_{name}",
        allow_reconnect=False,
        connect_timeout=5,
        error_cb=failed,
        disconnected_cb=lost,
    )
    try:
        yield partner
    finally:
        if not client.is_closed:
            await client.close()


async def turned_away(url: str, creds: str) -> str:
    """Try to connect with credentials that do not count; returns what the server said."""
    try:
        async with connected(url, creds, "nobody"):
            pass
    except Error as error:
        return str(error)
    raise AssertionError("the server took them")


async def without_credentials(url: str) -> str:
    """Try to connect without any; returns what the server said."""

    async def quiet(_: Exception) -> None:
        pass

    try:
        client = await asyncio.wait_for(nats.connect(url, allow_reconnect=False, error_cb=quiet), 10)
    except Error as error:
        return str(error)
    await client.close()
    raise AssertionError("the server took nobody in particular")
