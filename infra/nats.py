"""Connection to NATS that is never given up in silence, and publications that are acknowledged."""

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import nats.errors
import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext, api

from infra.nats_jwt import KeyPair, seed_of, token_of
from infra.settings import Settings

log = logging.getLogger(__name__)

OLDEST_SERVER = (2, 14)
"""Older servers let a client past its permissions (GHSA-fhg8-qxh5-7q3w and later notes)."""
ACK_S = 5.0
"""Longest wait for an acknowledgement: a server that syncs every message to disk needs more than a moment."""

_CONNECT_S = 5
_REACH_WITHIN_S = 20.0
_RECONNECT_WAIT_S = 1
_PING_EVERY_S = 20
_PUBLISH_TRIES = 3
_LOST_STATUS = 70
_CLOUD_EVENT = {"Content-Type": "application/cloudevents+json"}
_NOBODY = "no stream listens to this subject"


class NatsUnreachable(ConnectionError):
    """No server answers under the address."""

    def __init__(self, url: str, last: Exception | None) -> None:
        super().__init__(
            f"no NATS server answered at {url} within {_REACH_WITHIN_S:g} s ({str(last or '') or 'no answer'}); "
            "start one, or set TONGQU_NATS_URL to where it runs"
        )


class NatsRefused(ConnectionError):
    """The server does not take the credentials."""

    def __init__(self, url: str, creds: str | Path, why: str) -> None:
        super().__init__(
            f"NATS at {url} does not take the credentials of {creds}: {why}; set TONGQU_NATS_CREDS to the file "
            "`service.creds` that `tongqu bus setup` wrote for this server"
        )


class ServerTooOld(RuntimeError):
    """The server that answers has holes in its permissions."""

    def __init__(self, url: str, server: str) -> None:
        wanted = ".".join(map(str, OLDEST_SERVER))
        super().__init__(f"{server} at {url} is too old: nats-server {wanted} or later is needed")


class ChainBroken(Exception):
    """Only the first `taken` messages are known to be in the stream; ask the stream which others are."""

    def __init__(self, taken: int, reason: str) -> None:
        super().__init__(reason)
        self.taken = taken


def end_process(name: str) -> None:
    """Better no process than one that looks alive and hears nothing."""
    log.critical("%s cannot go on; ending this process", name)
    logging.shutdown()
    os._exit(_LOST_STATUS)


class Connection(Client):
    """A client that knows whether it was closed on purpose."""

    leaving = False

    async def close(self) -> None:
        self.leaving = True
        await super().close()

    async def drain(self) -> None:
        self.leaving = True
        await super().drain()


async def connect(
    url: str,
    creds: str | Path,
    name: str,
    *,
    inbox: str = "_INBOX",
    on_lost: Callable[[str], None] = end_process,
) -> Connection:
    """Connect, and reconnect for ever. If the client closes all the same, `on_lost` is called with the name.

    `creds` is a file with credentials, `inbox` the prefix of the inbox that they allow.
    Raises NatsUnreachable, NatsRefused or ServerTooOld.
    """
    try:
        text = Path(creds).read_text()
        token_of(text), KeyPair(seed_of(text))
    except (OSError, ValueError) as error:
        raise NatsRefused(url, creds, str(error)) from None
    client = Connection()
    last: list[Exception] = []
    refused = asyncio.Event()

    async def failed(error: Exception) -> None:
        last[:] = [error]
        if isinstance(error, nats.errors.AuthorizationError) or "authorization violation" in str(error).lower():
            refused.set()
        log.warning("%s: NATS: %s: %s", name, type(error).__name__, error)

    async def disconnected() -> None:
        if not client.leaving:
            log.warning("%s: disconnected from NATS", name)

    async def reconnected() -> None:
        log.info("%s: connected to NATS again", name)

    async def closed() -> None:
        if not client.leaving:
            log.critical("%s: the connection to NATS is closed for good", name)
            on_lost(name)

    attempt = asyncio.create_task(
        client.connect(
            url,
            name=f"tongqu-{name}",
            user_credentials=Path(creds),
            inbox_prefix=inbox,
            connect_timeout=_CONNECT_S,
            max_reconnect_attempts=-1,
            reconnect_time_wait=_RECONNECT_WAIT_S,
            ping_interval=_PING_EVERY_S,
            error_cb=failed,
            disconnected_cb=disconnected,
            reconnected_cb=reconnected,
            closed_cb=closed,
        )
    )
    refusal = asyncio.create_task(refused.wait())
    try:
        # Without an end of attempts the client would also try for ever to reach a wrong address.
        await asyncio.wait({attempt, refusal}, timeout=_REACH_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
        if not attempt.done():
            attempt.cancel()
            await client.close()
            if refused.is_set():
                raise NatsRefused(url, creds, str(last[0]))
            raise NatsUnreachable(url, last[0] if last else None)
        await attempt
    finally:
        refusal.cancel()
    version = client.connected_server_version
    if (version.major, version.minor) < OLDEST_SERVER:
        await client.close()
        raise ServerTooOld(url, repr(version))
    return client


async def connect_by(settings: Settings, name: str) -> Connection:
    """Connect as the settings say. Raises NotConfigured, and what `connect` raises."""
    return await connect(settings.require("nats_url"), settings.require("nats_creds"), name)


async def publish(js: JetStreamContext, subject: str, body: bytes, message_id: str) -> api.PubAck:
    """Publish, and wait until the stream has it. Tries again under the same id: the stream takes it once."""
    headers = {api.Header.MSG_ID.value: message_id}
    for tries_left in reversed(range(_PUBLISH_TRIES)):
        try:
            return await js.publish(subject, body, timeout=ACK_S, headers=headers)
        except (nats.errors.TimeoutError, nats.errors.NoRespondersError):
            if not tries_left:
                raise
    raise AssertionError("unreachable")


@dataclass(frozen=True, slots=True)
class Message:
    """One CloudEvent to be published. `id` is its Nats-Msg-Id."""

    id: str
    subject: str
    body: bytes


class Chain:
    """Publishes many messages at once, each one directly behind the one before it or not at all.

    Every message names the sequence at which the stream must stand, and the id of the message before it: the
    sequence alone would let in the tail of a chain that somebody else's messages have pushed back. So none
    overtakes another, a lost one leaves no gap, and a publisher that was overtaken gets nothing in.
    (The client's own asynchronous publishing waits for ever when the server refuses a message.)
    """

    def __init__(self, nats: Client) -> None:
        self._nats = nats
        self._inbox = nats.new_inbox()
        self._rounds = 0
        self._round: _Round | None = None
        self._listening = False

    async def publish(self, messages: Sequence[Message], after: int) -> int:
        """Returns the stream's last sequence, which was `after` before. Raises ChainBroken."""
        if not self._listening:
            await self._nats.subscribe(f"{self._inbox}.*.*", cb=self._answered)
            self._listening = True
        self._rounds += 1
        self._round = waiting = _Round(self._rounds, len(messages), after)
        try:
            async with asyncio.timeout(ACK_S):
                await self._send(messages, waiting)
                await waiting.over.wait()
        except (TimeoutError, nats.errors.Error) as error:
            reason = f"{type(error).__name__}: {error}" if str(error) else f"no answer within {ACK_S:g} s"
            raise ChainBroken(waiting.taken, reason) from error
        if waiting.refused is not None:
            raise ChainBroken(waiting.taken, waiting.refused)
        return after + len(messages)

    async def _send(self, messages: Sequence[Message], waiting: "_Round") -> None:
        before: dict[str, str] = {}
        for place, message in enumerate(messages):
            if waiting.refused is not None:
                return
            headers = {
                **_CLOUD_EVENT,
                **before,
                api.Header.MSG_ID.value: message.id,
                api.Header.EXPECTED_LAST_SEQUENCE.value: str(waiting.after + place),
            }
            before = {api.Header.EXPECTED_LAST_MSG_ID.value: message.id}
            reply = f"{self._inbox}.{waiting.number}.{place}"
            await self._nats.publish(message.subject, message.body, reply=reply, headers=headers)

    async def _answered(self, message: Msg) -> None:
        _, number, place = message.subject.rsplit(".", 2)
        if self._round is not None and int(number) == self._round.number:
            self._round.answer(int(place), orjson.loads(message.data) if message.data else None)


class _Round:
    """The answers to one call of `publish`; the server gives them in the order of the messages."""

    def __init__(self, number: int, expected: int, after: int) -> None:
        self.number = number
        self.after = after
        self.taken = 0
        self.refused: str | None = None
        self.over = asyncio.Event()
        self._expected = expected

    def answer(self, place: int, answer: dict[str, object] | None) -> None:
        if self.over.is_set():
            return
        error = _NOBODY if answer is None else answer.get("error")
        if error is not None:
            self.refused = str(error)
        elif place == self.taken:
            # One that the stream knew already counts as taken; those behind it will be refused.
            self.taken += 1
        if self.refused is not None or self.taken == self._expected:
            self.over.set()
