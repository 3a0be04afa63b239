"""Goods that left a store where a count had found fewer: they were there, so they are booked as found first."""

from collections import defaultdict

from activities.orders.moves import Moves, Posting
from contracts.ids import stock_id
from contracts.stock import Change
from infra.mongo import Mongo


async def book_found(mongo: Mongo, moved: list[Moves]) -> None:
    """Add an adjustment before the movements that would take a level below zero."""
    leaving: dict[str, list[tuple[Moves, Posting, Change]]] = defaultdict(list)
    for moves in moved:
        for posting in moves.postings:
            for change in posting.changes:
                if change.on_hand < 0:
                    leaving[stock_id(posting.location, change.sku)].append((moves, posting, change))
    async for level in mongo.stock.find({"_id": {"$in": list(leaving)}}):
        takers = leaving[level["_id"]]
        missing = -sum(change.on_hand for _, _, change in takers) - level["on_hand"]
        if missing > 0:
            moves, posting, change = takers[0]
            found = Posting(
                cause=f"{posting.cause}:found:{change.sku}",
                kind="adjusted",
                location=posting.location,
                changes=[Change(sku=change.sku, on_hand=missing)],
                order=posting.order,
                reason="more_than_counted",
            )
            moves.postings.insert(0, found)
