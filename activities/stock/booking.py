"""Books stock movements inside a transaction: levels, ledger and the version number change together or not at all."""

from collections.abc import Sequence

from contracts.ids import stock_id
from contracts.stock import Movement
from infra.mongo import Mongo, Session, UpdateOne


class Stale(Exception):
    """What the plan was made on has changed meanwhile: nothing was written; read again and plan anew."""


async def book(mongo: Mongo, session: Session, movements: Sequence[Movement], planned_on: int) -> int:
    """Write movements as the version after `planned_on`; raises Stale when that version is taken.

    All changes of one level are added up first. A level that gives something away is only changed while it has it,
    in the same write that takes it; this does not lean on the plan being right.
    """
    taken = await mongo.counters.update_one(
        {"_id": "stock", "version": planned_on}, {"$inc": {"version": 1}}, session=session
    )
    if taken.matched_count != 1:
        raise Stale
    sums: dict[tuple[str, str], list[int]] = {}
    for movement in movements:
        for change in movement.changes:
            total = sums.setdefault((movement.location, change.sku), [0, 0])
            total[0] += change.on_hand
            total[1] += change.reserved
    updates = [_update(location, sku, *deltas) for (location, sku), deltas in sorted(sums.items()) if any(deltas)]
    if updates:
        written = await mongo.stock.bulk_write(updates, ordered=False, session=session)
        if written.matched_count + written.upserted_count != len(updates):
            raise Stale
    rows = []
    for number, movement in enumerate(movements):
        row = movement.model_dump(exclude={"id", "version", "row"}, exclude_none=True)
        rows.append({"_id": movement.id, **row, "version": planned_on + 1, "row": number})
    if rows:
        await mongo.ledger.insert_many(rows, ordered=False, session=session)
    return planned_on + 1


async def still_at(mongo: Mongo, session: Session, planned_on: int) -> None:
    """Raises Stale when stock has changed since, also while this transaction runs.

    For a plan that found nothing: goods that come in between would else wake nobody. Writes, because only two writers
    of one document get in each other's way.
    """
    looked = await mongo.counters.update_one(
        {"_id": "stock", "version": planned_on}, {"$inc": {"looked": 1}}, session=session
    )
    if looked.matched_count != 1:
        raise Stale


def _update(location: str, sku: str, on_hand: int, reserved: int) -> UpdateOne:
    condition: dict[str, object] = {"_id": stock_id(location, sku)}
    if on_hand < 0:
        condition["on_hand"] = {"$gte": -on_hand}
    if reserved < 0:
        condition["reserved"] = {"$gte": -reserved}
    gives_away = reserved - on_hand
    if reserved > 0 and gives_away > 0:
        condition["$expr"] = {"$gte": [{"$subtract": ["$on_hand", "$reserved"]}, gives_away]}
    return UpdateOne(
        condition,
        {"$inc": {"on_hand": on_hand, "reserved": reserved}, "$setOnInsert": {"location": location, "sku": sku}},
        upsert=on_hand > 0 and reserved == 0,
    )
