"""Accepted means journaled: orders of many requests go into one write, and only then is anybody answered."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from contracts.refusals import Refusal
from infra.grouping import Grouping
from infra.mongo import DUPLICATE_KEY, BulkWriteError, Mongo, PyMongoError
from workers.gateway.limits import Limits
from workers.gateway.problems import unavailable
from workers.gateway.wakes import Wakes

log = logging.getLogger(__name__)
_PAUSE_S = 0.2
_LOOKS = 50
_LOOK_PAUSE_S = 0.02

OrderDocument = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Placed:
    """What became of an order. `existing`: the same one was placed before; `taken`: another one has its id."""

    document: OrderDocument
    outcome: Literal["created", "existing", "taken"]


class Acceptance:
    """Writes orders in groups and has the event worker woken once for each group."""

    def __init__(self, mongo: Mongo, wakes: Wakes, limits: Limits) -> None:
        self._mongo = mongo
        self._wakes = wakes
        self._tries_s = limits.store_tries_s
        self.accepted = 0
        self.groups: Grouping[OrderDocument, Placed] = Grouping(
            self._write,
            within_s=limits.gather_ms / 1000,
            at_most=limits.gather_orders,
            waiting_at_most=limits.waiting_orders,
            at_once=limits.writes_at_once,
        )

    @property
    def waiting(self) -> int:
        """Orders in memory that are not written yet."""
        return self.groups.held

    async def place(self, documents: Sequence[OrderDocument]) -> Sequence[Placed]:
        """Raises Refusal 503 when the orders cannot be written now; whether some were is then unknown."""
        return await self.groups.add_all(documents)

    async def _write(self, documents: list[OrderDocument]) -> Sequence[Placed]:
        deadline = asyncio.get_running_loop().time() + self._tries_s
        while True:
            try:
                placed = await self._insert(documents)
                break
            except BulkWriteError as error:
                log.error("the database refused orders: %s", error.details)
                raise unavailable("The orders could not be written.") from error
            except PyMongoError as error:
                # Trying again is safe: what was written before the connection broke is found under its own id.
                if asyncio.get_running_loop().time() > deadline:
                    raise unavailable("The database does not take orders at the moment.") from error
                await asyncio.sleep(_PAUSE_S)
        created = sum(one.outcome == "created" for one in placed)
        self.accepted += created
        self._wakes.orders(created)
        return placed

    async def _insert(self, documents: list[OrderDocument]) -> Sequence[Placed]:
        try:
            await self._mongo.orders.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            refused = _duplicates(error)
            return await self._with_existing(documents, refused)
        return [Placed(document, "created") for document in documents]

    async def _with_existing(self, documents: list[OrderDocument], refused: set[int]) -> Sequence[Placed]:
        existing = await self._existing({documents[index]["_id"] for index in refused})
        placed = []
        for index, document in enumerate(documents):
            if index not in refused:
                placed.append(Placed(document, "created"))
                continue
            there = existing[document["_id"]]
            placed.append(Placed(there, "existing" if there["digest"] == document["digest"] else "taken"))
        return placed

    async def _existing(self, ids: set[str]) -> dict[str, OrderDocument]:
        """Orders by id. One that another write has just brought is readable once a majority has it."""
        for _ in range(_LOOKS):
            rows = {row["_id"]: row async for row in self._mongo.orders.find({"_id": {"$in": sorted(ids)}})}
            if len(rows) == len(ids):
                return rows
            await asyncio.sleep(_LOOK_PAUSE_S)
        raise unavailable("Orders under the same ids are being written at the moment.")


def _duplicates(error: BulkWriteError) -> set[int]:
    """Places of the documents whose id was there already. Raises the error itself when anything else went wrong."""
    details = error.details or {}
    failures = details.get("writeErrors", [])
    if details.get("writeConcernErrors") or any(failure["code"] != DUPLICATE_KEY for failure in failures):
        raise error
    return {failure["index"] for failure in failures}


def id_taken(order: str) -> Refusal:
    return Refusal(
        "order_id_taken",
        f"Another order was placed under the id {order}.",
        remedy="Place this order under an id of its own, or leave the id out and get one.",
        field="id",
        status=409,
    )
