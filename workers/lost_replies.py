"""Asks stores to answer again after the bus was set back: what they had sent was acknowledged, and is gone."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from contracts.base import milliseconds
from contracts.events import RepliesAgain
from contracts.subjects import RETAILER
from infra.mongo import Mongo, insert_new
from infra.outbox import outgoing, rows_of

KIND = "replies.again.v1"
_MARGIN = timedelta(seconds=10)
"""Streams are synced to the disk each for itself, up to five seconds apart."""


async def ask_again(mongo: Mongo, kept: datetime | None, partners: Iterable[str], taking: int) -> None:
    """`kept`: when the stream of events took the last one it still has, which was before anything was lost; None:
    nothing is left. `taking` is the relay's token: the same one asks once."""
    since = None if kept is None else milliseconds(kept - _MARGIN)
    now = mongo.clock.now()
    data = RepliesAgain(since=since).model_dump(exclude_none=True)
    stores = sorted(set(partners) - {RETAILER})
    events = [outgoing(store, f"replies-again:{store}:{taking}", KIND, store, now, data) for store in stores]
    await insert_new(mongo.outbox, rows_of(events, now))
