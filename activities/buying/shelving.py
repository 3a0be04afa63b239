"""Puts what came of a purchase order into the stock: in the transaction of the receipt, exactly and once."""

from collections.abc import Mapping
from datetime import datetime

from activities.stock.booking import book
from contracts.stock import Change, Movement
from infra.mongo import Mongo, Session, UpdateOne


async def shelve(
    mongo: Mongo,
    session: Session,
    order: str,
    reference: str,
    location: str,
    goods: Mapping[str, int],
    at: datetime,
) -> None:
    """One ledger row a SKU, named after the order and the delivery note. Raises Stale when others changed the stock."""
    if not goods:
        return
    counter = await mongo.counters.find_one({"_id": "stock"}, session=session)
    if counter is None:
        raise RuntimeError("the database was not provisioned: it has no version of the stock")
    new = [UpdateOne({"_id": sku}, {"$setOnInsert": {"_id": sku}}, upsert=True) for sku in sorted(goods)]
    await mongo.skus.bulk_write(new, ordered=False, session=session)
    movements = [
        Movement(
            id=f"received:{order}:{reference}:{location}:{sku}",
            kind="received",
            location=location,
            changes=[Change(sku=sku, on_hand=units)],
            reason=f"{order} {reference}",
            at=at,
        )
        for sku, units in sorted(goods.items())
    ]
    await book(mongo, session, movements, counter["version"])
