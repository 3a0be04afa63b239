"""Many open orders in MongoDB: copies of orders that the product itself has dispatched, under ids of their own.

Only orders and their batches are copied, with all their indexes; not what lies in other collections. They are offered
and unanswered, carried by batches that nobody rings, and their deadline is an hour away.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import bson
from bson.raw_bson import RawBSONDocument
from pymongo import WriteConcern

from bench.rig import Rig, bar

MODELS = 200
_PREFIX = "model"
"""As long as the hexadecimal numbers that take its place."""
_ROWS = 1_000
_AT_ONCE = 4
_PATIENCE_S = 60.0


async def models(rig: Rig) -> list[dict[str, Any]]:
    """Orders as they are while they wait for their store's answer. The stores stay silent until told otherwise."""
    await rig.tell(hold=True)
    async with rig.sender() as sender:
        await sender.at_once(_PREFIX, MODELS)
    rig.sent += MODELS
    await rig.until(rig.dispatched, rig.sent, "models of open orders")
    deadline = time.monotonic() + _PATIENCE_S
    while await rig.mongo.batches.count_documents({"status": "claimed"}):
        if time.monotonic() > deadline:
            raise RuntimeError("a batch has dispatched its orders and is not noted as running")
        await asyncio.sleep(0.1)
    return await rig.mongo.orders.find({"_id": {"$regex": f"^{_PREFIX}-"}, "stage": "dispatched"}).to_list(MODELS)


async def fill(rig: Rig, rows: Sequence[dict[str, Any]], number: int, start: int) -> int:
    """Insert `number` copies, from repetition `start` on; returns the repetition to go on with."""
    batches = await rig.mongo.batches.find({"_id": {"$in": sorted({row["batch"] for row in rows})}}).to_list(None)
    tokens = [batch["_id"].encode() for batch in batches]
    templates = [bson.encode(row) for row in rows]
    repetitions = range(start, start + -(-number // len(rows)))
    await _insert(
        rig,
        "batches",
        [bson.encode({**batch, "copied": True}) for batch in batches],
        tokens,
        repetitions,
        "copies of batches",
    )
    await _insert(rig, "orders", templates, tokens, repetitions, "copies of open orders")
    # Changes nothing, and is answered when a majority has all that was written before.
    await rig.mongo.orders.update_one({"_id": ""}, {"$set": {"batch": ""}})
    return repetitions.stop


async def _insert(
    rig: Rig, collection: str, templates: Sequence[bytes], tokens: Sequence[bytes], repetitions: range, title: str
) -> None:
    copies = _copies(templates, tokens, repetitions)
    target = rig.mongo.db[collection].with_options(write_concern=WriteConcern(w=1))
    with bar(rig.console) as progress:
        task = progress.add_task(title, total=len(templates) * len(repetitions))

        async def one() -> None:
            while some := list(islice(copies, _ROWS)):
                await target.insert_many(some, ordered=False)
                progress.advance(task, len(some))

        await asyncio.gather(*(one() for _ in range(_AT_ONCE)))


def _copies(templates: Sequence[bytes], tokens: Sequence[bytes], repetitions: range) -> Iterator[RawBSONDocument]:
    for repetition in repetitions:
        mark = b"%05x" % repetition
        for template in templates:
            row = template.replace(_PREFIX.encode() + b"-", mark + b"-")
            for token in tokens:
                row = row.replace(token, token[: -len(mark)] + mark)
            yield RawBSONDocument(row)
