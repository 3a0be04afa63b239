"""What the stream says became of orders: when it stored offers and ends, which is when they were acknowledged."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson
from nats.errors import TimeoutError as NothingThere
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from contracts.subjects import EVENTS, REPLIES, RETAILER, WAKE, event_subject

OFFERED = event_subject("*", "parcel.offered.v1")
DISPATCHED = event_subject(RETAILER, "order.dispatched.v1")
CLOSED = event_subject(RETAILER, "order.closed.v1")
_FETCH = 1_000


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds since the epoch by order: its last offer in the stream, and its end there."""

    dispatched: Mapping[str, float]
    closed: Mapping[str, float]


async def count(js: JetStreamContext, subject: str) -> int:
    """Messages that the stream of events holds under a subject."""
    state = (await js.stream_info(EVENTS, subjects_filter=subject)).state
    return sum((state.subjects or {}).values())


async def messages(js: JetStreamContext) -> dict[str, int]:
    """The last sequence of each stream, which counts what was ever published there."""
    return {name: (await js.stream_info(name)).state.last_seq for name in (EVENTS, REPLIES, WAKE)}


async def times(js: JetStreamContext, prefix: str, since: float) -> Times:
    """Of the orders whose ids begin so, from a moment on. To be called when the measuring is over: it reads much."""
    start = prefix + "-"
    return Times(await _last(js, OFFERED, start, since), await _last(js, CLOSED, start, since))


async def _last(js: JetStreamContext, subject: str, start: str, since: float) -> dict[str, float]:
    found: dict[str, float] = {}
    info = await js.add_consumer(
        EVENTS,
        ConsumerConfig(
            filter_subject=subject,
            deliver_policy=DeliverPolicy.BY_START_TIME,
            opt_start_time=datetime.fromtimestamp(since, UTC),
            ack_policy=AckPolicy.NONE,
            mem_storage=True,
            inactive_threshold=60,
        ),
    )
    reader = await js.pull_subscribe_bind(consumer=info.name, stream=EVENTS)
    left = info.num_pending or 0
    while left > 0:
        try:
            some = await reader.fetch(min(_FETCH, left), timeout=5)
        except (NothingThere, TimeoutError):
            break
        left -= len(some)
        for message in some:
            order = orjson.loads(message.data)["data"]["order"]
            if order.startswith(start):
                found[order] = max(found.get(order, 0.0), message.metadata.timestamp.timestamp())
    await js.delete_consumer(EVENTS, info.name)
    return found
