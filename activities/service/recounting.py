"""When a policy, a calendar or the table of holidays has changed: every open case that goes by an older one is told to
reckon its clocks anew. What it writes down says from when to when each deadline moved."""

from collections.abc import AsyncIterator
from typing import Any

from activities.service.clocks import promise
from contracts.cases import LIVE, CaseEvent
from contracts.worktime import edition
from infra.cases import Cases
from infra.service_book import Book, read_book

_AT_ONCE = 500


async def tell_older(cases: Cases) -> int:
    """Write it down for each, and return how many there are; whoever rings for what was not taken does the rest.
    To be stopped in the middle and to begin again changes nothing: an event's id is made of the case and the change,
    and a case that has reckoned is not found any more."""
    book, told = await read_book(cases.mongo), 0
    async for names in _older(cases, book):
        now = cases.mongo.clock.now()
        events = [
            CaseEvent(id=f"recount:{book.stamp}:{edition()}:{case}", case=case, at=now, by="tongqu", what="recount")
            for case in names
        ]
        await cases.write_events(events)
        told += len(events)
    return told


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
