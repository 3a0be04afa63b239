"""The FastStream application of the event worker: two durable consumers, and the loops behind them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC

import orjson
from faststream import AckPolicy, FastStream
from faststream.nats import JStream, NatsBroker, NatsMessage, PullSub

from contracts.subjects import (
    DLQ,
    LETTER_DETAIL,
    LETTER_REASON,
    LETTER_SUBJECT,
    REPLIES,
    WAKE,
    WAKE_INBOX,
    WAKE_ORDERS,
    dead_letter_subject,
    partner_of_reply,
)
from infra.cases import Cases
from infra.credentials import CredentialDesk
from infra.ending import ended
from infra.grouping import Grouping
from infra.keyring import keyring
from infra.mongo import Mongo
from infra.nats import end_process
from infra.sealing import Sealing
from infra.settings import Settings
from infra.temporal import connect
from workers.events.anew import Anew
from workers.events.bell import Bell
from workers.events.claims import Claims
from workers.events.replies import ReplyDesk
from workers.events.returns import ReturnStarter
from workers.events.sweep import Sweep
from workers.reply_forms import Received, Unreadable

log = logging.getLogger(__name__)
_bus_log = log.getChild("bus")
_bus_log.setLevel(logging.WARNING)
"""The framework tells twice of every message that it was handled."""
_AGAIN_AFTER_S = 2.0
_UNDER_WAY = 100


async def _whole(message: NatsMessage) -> NatsMessage:
    """Handlers get the message as it came: what is no JSON is for us to refuse, not for the framework to drop."""
    return message


def _end_when_it_ended(task: asyncio.Task[None]) -> None:
    """The loops run for ever; better no process than one that looks alive and has stopped working."""
    if not task.cancelled():
        log.critical("a loop of the event worker has ended", exc_info=task.exception())
        end_process("events")


class EventWorker:
    """Everything the event worker runs, wired together."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.broker = NatsBroker(
            settings.require("nats_url"),
            user_credentials=settings.require("nats_creds"),
            max_reconnect_attempts=-1,
            graceful_timeout=10.0,
            ack_policy=AckPolicy.MANUAL,
            logger=_bus_log,
            log_level=logging.DEBUG,
            # Resolving arguments costs a thread for every message.
            apply_types=False,
        )
        self.app = FastStream(self.broker, lifespan=self._lifespan, logger=log)
        self._subscribe(f"{WAKE.lower()}.>", "wake", WAKE, self._on_wake)
        self._subscribe("reply.v1.*", "replies", REPLIES, self._on_reply)

    def _subscribe(
        self, subject: str, durable: str, stream: str, handler: Callable[[NatsMessage], Awaitable[None]]
    ) -> None:
        self.broker.subscriber(
            subject,
            durable=durable,
            stream=JStream(stream, declare=False),
            pull_sub=PullSub(batch_size=100, timeout=1.0),
            max_workers=_UNDER_WAY,
            decoder=_whole,
        )(handler)

    @asynccontextmanager
    async def _lifespan(self) -> AsyncIterator[None]:
        settings = self._settings
        mongo = Mongo(settings.require("mongo_url"), settings.mongo_database)
        await mongo.clock.start()
        temporal = await connect(settings)
        self.bell = Bell(
            temporal,
            urgent_s=settings.bell_urgent_ms / 1000,
            progress_s=settings.bell_progress_ms / 1000,
            rings_per_s=settings.bell_rings_per_s,
        )
        self.claims = Claims(
            mongo, temporal, self.bell, batch_max=settings.batch_max, starting=settings.batches_starting
        )
        desk = ReplyDesk(mongo, self.bell, Cases(mongo, Sealing(keyring(settings))))
        self.replies: Grouping[Received, Unreadable | None] = Grouping(
            desk.take, within_s=0.005, at_most=_UNDER_WAY, waiting_at_most=10 * _UNDER_WAY, at_once=1
        )
        sweep = Sweep(mongo, temporal, self.claims, self.bell)
        loops = [
            mongo.clock.run(),
            self.bell.run(),
            self.claims.run(),
            sweep.run(),
            ReturnStarter(mongo, temporal).run(),
            Anew(mongo, temporal, sweep).run(),
            self._credentials(mongo),
        ]
        tasks = [asyncio.create_task(loop) for loop in loops]
        for task in tasks:
            task.add_done_callback(_end_when_it_ended)
        try:
            yield
        finally:
            await ended(tasks)
            mongo.close()

    async def _credentials(self, mongo: Mongo) -> None:
        """Take partners' credentials back when they are due to end, for ever."""
        async with CredentialDesk.opened(self._settings, mongo) as desk:
            await desk.run()

    async def _on_wake(self, message: NatsMessage) -> None:
        subject = message.raw_message.subject
        if subject == WAKE_ORDERS:
            self.claims.wake()
        elif subject == WAKE_INBOX:
            asked = orjson.loads(message.body)
            for batch in asked["batches"]:
                self.bell.ask(batch, urgent=bool(asked.get("urgent")))
        await message.ack()

    async def _on_reply(self, message: NatsMessage) -> None:
        """Acknowledged only when every answer is in the inbox; what cannot be read goes to the dead letters."""
        raw = message.raw_message
        meta = raw.metadata
        received = Received(
            partner=partner_of_reply(raw.subject),
            sequence=meta.sequence.stream,
            at=meta.timestamp.astimezone(UTC),
            body=message.body,
        )
        try:
            unreadable = await self.replies.add(received)
        except Exception:
            # The database is away or refuses to write. However long that lasts, the answers stay in the stream.
            log.exception("replies could not be written; they will be delivered again")
            await message.nack(delay=_AGAIN_AFTER_S)
            return
        if unreadable is not None:
            await self._bury(raw.subject, received, unreadable)
        await message.ack()

    async def _bury(self, subject: str, received: Received, why: Unreadable) -> None:
        """Keep a message that nobody can read, with the reason; `tongqu dlq redrive` sends it again."""
        await self.broker.publish(
            received.body,
            dead_letter_subject(REPLIES),
            stream=DLQ,
            timeout=5.0,
            headers={
                "Nats-Msg-Id": f"dlq:{REPLIES}:{received.place}",
                LETTER_SUBJECT: subject,
                LETTER_REASON: why.reason,
                LETTER_DETAIL: why.detail.replace("\n", " ")[:500],
            },
        )
