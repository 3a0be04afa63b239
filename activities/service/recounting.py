"""When a policy, a calendar or the table of holidays has changed: every open case that goes by an older one is woken,
and reckons its clocks anew. What it writes down says from when to when each deadline moved."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from activities.service.clocks import promise
from contracts.cases import LIVE, CaseEvent
from contracts.worktime import edition
from infra.cases import Cases
from infra.service_book import Book, read_book, stamp_of

log = logging.getLogger(__name__)
Ring = Callable[[str], Awaitable[None]]
"""Tells a case's workflow that something has come in."""
_AT_ONCE = 200
_LOOK_S = 2.0


async def recount_open(cases: Cases, ring: Ring) -> int:
    """How many were woken. Whoever is stopped in the middle may begin again: a case that has reckoned goes by what
    counts, and is not found any more."""
    book, now = await read_book(cases.mongo), cases.mongo.clock.now()
    woken = 0
    async for names in _older(cases, book):
        events = [
            CaseEvent(id=f"{case}:recount:{book.stamp}:{edition()}", case=case, at=now, by="tongqu", what="recount")
            for case in names
        ]
        await cases.write_events(events)
        await asyncio.gather(*(ring(case) for case in names))
        woken += len(names)
    return woken


async def keep_recounting(cases: Cases, ring: Ring, look_s: float = _LOOK_S) -> None:
    """Runs until it is cancelled: at the start, for what changed while nobody ran, and after each change."""
    seen: int | None = None
    while True:
        stamp = await stamp_of(cases.mongo)
        if stamp != seen:
            woken = await recount_open(cases, ring)
            seen = stamp
            if woken:
                log.info("%d open cases go by what counts now", woken)
        await asyncio.sleep(look_s)


async def _older(cases: Cases, book: Book) -> AsyncIterator[list[str]]:
    """Open cases that were reckoned by something else than what counts for them, in pieces."""
    counts: dict[tuple[str, Any, str], str] = {}
    found: list[str] = []
    wanted = {"state": {"$in": sorted(LIVE)}, "policy": {"$ne": None}}
    fields = {"region": 1, "priority": 1, "customer.tier": 1, "policy": 1}
    async for row in cases.mongo.cases.find(wanted, fields):
        about = (row["region"], row["priority"], row["customer"]["tier"])
        if about not in counts:
            counts[about] = promise(book.policies.values(), book.calendars.values(), *about).pinned
        if row["policy"] != counts[about]:
            found.append(row["_id"])
        if len(found) == _AT_ONCE:
            yield found
            found = []
    if found:
        yield found
