"""Streams and consumers of the event bus: declared here, made and compared by provisioning alone."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from nats.js import JetStreamContext, api
from nats.js.errors import BadRequestError, NotFoundError, ServerError

from contracts.subjects import DLQ, EVENTS, REPLIES, WAKE, partner_consumer, partner_filter, reply_subject
from infra.indexes import OUTBOX_KEPT_S

_MIB = 1024 * 1024
_GIB = 1024 * _MIB
_DAY_S = 86400

MESSAGE_MAX = 1 * _MIB
"""Bytes in one message; 500 replies or an order of 200 lines are a tenth of it."""
REPLIES_WAITING_MAX = 2_000
"""Messages of one partner's stream that are not taken yet; more are refused."""
STREAM_FULL = 10077
"""The server's code for a message that a limit keeps out of a stream."""
_NO_STORE = 10049
"""The server's code for storage that it could not make; it says so now and then while it loads an account."""
_STORE_TRIES = 5
_STORE_PAUSE_S = 0.2
PARTNERS_MAX = 20_000
"""Consumers on EVENTS. Without a limit of its own, nats-server allows a stream 1,000."""
AT_ONCE = 50
"""Requests to the server at one time."""

WAKE_CONSUMER = "wake"
REPLIES_CONSUMER = "replies"

Differences = Mapping[str, tuple[object, object]]
"""By the field's name: what the server has, and what is declared."""


class Mismatch(Exception):
    """The server keeps a stream or consumer otherwise than it is declared here."""

    def __init__(self, what: str, differences: Differences, why: str | None = None) -> None:
        fields = [f"{name} is {has!r}, not {wanted!r}" for name, (has, wanted) in differences.items()]
        super().__init__(
            f"{what} cannot be made as declared: {', '.join([*fields, *([why] if why else [])])}; "
            "make room for it, or export what it holds and delete it; then provision again"
        )


def _stream(name: str, subjects: str, *, max_age_s: int, max_bytes: int, **more: Any) -> api.StreamConfig:
    """The server sets `max_bytes` aside on disk when it makes the stream."""
    config = api.StreamConfig(
        name=name,
        subjects=[subjects],
        retention=api.RetentionPolicy.LIMITS,
        storage=api.StorageType.FILE,
        discard=api.DiscardPolicy.OLD,
        max_age=max_age_s,
        max_bytes=max_bytes,
        max_msgs=-1,
        max_msg_size=MESSAGE_MAX,
        max_consumers=100,
        duplicate_window=120,
    )
    return config.evolve(**more)


STREAMS: tuple[api.StreamConfig, ...] = (
    # As long as the outbox keeps what was sent: what the stream loses within this time can be sent again.
    # Read directly, without a consumer, by those who serve partners over HTTP.
    _stream(
        EVENTS,
        "evt.v1.>",
        max_age_s=OUTBOX_KEPT_S,
        max_bytes=2 * _GIB,
        max_consumers=PARTNERS_MAX,
        allow_direct=True,
    ),
    # Only what was not taken yet: nothing that a partner was told is there is pushed out by what another says, and one
    # that says more than is taken is refused by itself. Ids of messages are kept as short as may be: they are the
    # senders' own, and nobody shall use up another's. Answers that come twice are known by their own ids.
    _stream(
        REPLIES,
        reply_subject("*"),
        max_age_s=7 * _DAY_S,
        max_bytes=_GIB // 2,
        duplicate_window=0.1,
        retention=api.RetentionPolicy.WORK_QUEUE,
        discard=api.DiscardPolicy.NEW,
        discard_new_per_subject=True,
        max_msgs_per_subject=REPLIES_WAITING_MAX,
    ),
    # The sweep finds what a lost wake was about, long before an hour is over.
    _stream(WAKE, "wake.>", max_age_s=3600, max_bytes=64 * _MIB, retention=api.RetentionPolicy.WORK_QUEUE),
    # A dead letter is a whole message and what was wrong with it.
    _stream(DLQ, "dlq.>", max_age_s=90 * _DAY_S, max_bytes=256 * _MIB, max_msg_size=2 * MESSAGE_MAX),
)


def _consumer(name: str, **config: Any) -> api.ConsumerConfig:
    """Durable, pulled, acknowledged one by one."""
    return api.ConsumerConfig(
        name=name,
        durable_name=name,
        ack_policy=api.AckPolicy.EXPLICIT,
        deliver_policy=api.DeliverPolicy.ALL,
        replay_policy=api.ReplayPolicy.INSTANT,
        max_deliver=-1,
    ).evolve(**config)


CONSUMERS: tuple[tuple[str, api.ConsumerConfig], ...] = (
    (
        WAKE,
        _consumer(WAKE_CONSUMER, filter_subject="wake.>", ack_wait=30, max_deliver=5, max_ack_pending=1000),
    ),
    # No limit of deliveries: beyond it the server would leave in silence what a store said. The event worker
    # itself puts aside what it cannot take. What one that was killed had in its hands comes again after `ack_wait`.
    (
        REPLIES,
        _consumer(REPLIES_CONSUMER, filter_subject=reply_subject("*"), ack_wait=10, max_ack_pending=2_000),
    ),
)


def partner_config(partner: str) -> api.ConsumerConfig:
    """A partner reads its own events from the first on, at its own pace, each until it is acknowledged."""
    return _consumer(
        partner_consumer(partner),
        description=f"events for {partner}",
        filter_subject=partner_filter(partner),
        ack_wait=60,
        max_ack_pending=1_000,
        max_waiting=64,
    )


async def provision_streams(js: JetStreamContext) -> None:
    """Make or change our streams and our own consumers, then compare. Safe to run again. Raises Mismatch."""
    for stream in STREAMS:
        await _provide_stream(js, stream)
    for name, consumer in CONSUMERS:
        await _provide_consumer(js, name, consumer)


async def provision_partner(js: JetStreamContext, partner: str) -> None:
    """Make the consumer of one partner. Its place in the stream is kept when it exists. Raises Mismatch."""
    await _provide_consumer(js, EVENTS, partner_config(partner))


async def withdraw_partner(js: JetStreamContext, partner: str) -> None:
    """Take the consumer of one partner away, and its place in the stream with it. One that is not there is no error."""
    try:
        await js.delete_consumer(EVENTS, partner_consumer(partner))
    except NotFoundError:
        pass


async def provision_partners(js: JetStreamContext, partners: Iterable[str]) -> None:
    """Make the consumers of many partners."""
    free = asyncio.Semaphore(AT_ONCE)

    async def provide(partner: str) -> None:
        async with free:
            await provision_partner(js, partner)

    async with asyncio.TaskGroup() as group:
        for partner in set(partners):
            group.create_task(provide(partner))


async def _provide_stream(js: JetStreamContext, wanted: api.StreamConfig) -> None:
    assert wanted.name is not None
    try:
        found = (await js.stream_info(wanted.name)).config
    except NotFoundError:
        found = await _made(js, wanted)
    if differences := _differences(found, wanted):
        try:
            await js.update_stream(found.evolve(**_declared(wanted)))
        except (BadRequestError, ServerError) as error:
            raise Mismatch(f"stream {wanted.name}", differences, error.description) from error
        found = (await js.stream_info(wanted.name)).config
        if differences := _differences(found, wanted):
            raise Mismatch(f"stream {wanted.name}", differences)


async def _made(js: JetStreamContext, wanted: api.StreamConfig) -> api.StreamConfig:
    tries = 0
    while True:
        tries += 1
        try:
            return (await js.add_stream(wanted)).config
        except ServerError as error:
            if error.err_code != _NO_STORE or tries == _STORE_TRIES:
                raise
        await asyncio.sleep(_STORE_PAUSE_S)


async def _provide_consumer(js: JetStreamContext, stream: str, wanted: api.ConsumerConfig) -> None:
    """One request makes, changes, or finds that there is nothing to do."""
    what = f"consumer {wanted.name} of {stream}"
    try:
        found = (await js.add_consumer(stream, wanted)).config
    except (BadRequestError, ServerError) as error:
        raise Mismatch(what, {}, error.description) from error
    if differences := _differences(found, wanted):
        raise Mismatch(what, differences)


def _declared(wanted: api.StreamConfig) -> dict[str, Any]:
    values = {field.name: (getattr(wanted, field.name), field.default) for field in fields(wanted)}
    return {name: value for name, (value, default) in values.items() if value != default}


def _differences(found: api.Base, wanted: api.Base) -> Differences:
    """Fields that are kept otherwise than declared. What is not declared is the server's own business."""
    has = found.as_dict()
    declared = {name: value for name, value in wanted.as_dict().items() if value}
    return {name: (has.get(name), value) for name, value in declared.items() if has.get(name) != value}
