"""Books stock movements inside a transaction: levels, ledger and the version number change together or not at all."""

from collections.abc import Mapping, Sequence

from contracts.ids import stock_id
from contracts.stock import Movement
from infra.mongo import Mongo, Session, UpdateOne


class Stale(Exception):
    """What the plan was made on has changed meanwhile: nothing was written; read again and plan anew."""


class Unfit(Stale):
    """Levels are not what the plan took them for, at the version that it was made on: its maker has lost its way."""


async def book(mongo: Mongo, session: Session, movements: Sequence[Movement], planned_on: int) -> int:
    """Write movements as the version after `planned_on`. Raises Stale when that version is taken, Unfit when a level
    has too little.

    All changes of one level are added up first. A level is read and changed in the same transaction, and gives only
    what it has; this does not lean on the plan being right.
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
    deltas = {level: (on_hand, reserved) for level, (on_hand, reserved) in sorted(sums.items()) if on_hand or reserved}
    if deltas:
        ids = [stock_id(*level) for level in deltas]
        found = mongo.stock.find({"_id": {"$in": ids}}, {"on_hand": 1, "reserved": 1}, session=session)
        levels = {row["_id"]: row for row in await found.to_list(None)}
        if not all(_fits(levels.get(stock_id(*level)), *delta) for level, delta in deltas.items()):
            raise Unfit
        updates = [_update(*level, *delta) for level, delta in deltas.items()]
        await mongo.stock.bulk_write(updates, ordered=False, session=session)
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


def _fits(level: Mapping[str, int] | None, on_hand: int, reserved: int) -> bool:
    """Whether a level has what is to be taken from it. One that does not exist yet can only be filled."""
    if level is None:
        return on_hand > 0 and reserved == 0
    if level["on_hand"] + min(on_hand, 0) < 0 or level["reserved"] + min(reserved, 0) < 0:
        return False
    return reserved <= 0 or level["on_hand"] - level["reserved"] >= reserved - on_hand


def _update(location: str, sku: str, on_hand: int, reserved: int) -> UpdateOne:
    """By its id alone, which is what the database finds without planning."""
    return UpdateOne(
        {"_id": stock_id(location, sku)},
        {"$inc": {"on_hand": on_hand, "reserved": reserved}, "$setOnInsert": {"location": location, "sku": sku}},
        upsert=True,
    )
