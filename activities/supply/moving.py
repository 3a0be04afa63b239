"""Stock transfers: each step reads the transfer, moves stock through the ledger and writes both, or nothing at all."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from activities.stock.arrivals import wake_waiting
from activities.stock.booking import Stale, book
from contracts.ids import stock_id
from contracts.refusals import Refusal
from contracts.stock import Change, Movement, MovementKind
from contracts.subjects import RETAILER
from contracts.transfers import (
    CarryOut,
    Moved,
    OpenTransfer,
    Remind,
    Said,
    Transfer,
    TransferEvent,
    TransferLine,
    doing,
    known_receipt,
    receipt_words,
    refuse,
    standing_of,
)
from infra.mongo import Mongo, Session, UpdateOne
from infra.outbox import outgoing, rows_of

_TRIES = 200
_PAUSE_S = 0.005
_LONGEST_PAUSE_S = 0.2


async def find_transfer(mongo: Mongo, transfer: str, session: Session | None = None) -> Transfer | None:
    row = await mongo.transfers.find_one({"_id": transfer}, session=session)
    return Transfer.from_row(row) if row else None


async def open_transfer(mongo: Mongo, asked: OpenTransfer) -> Transfer:
    """Reserve at the source what it still has of what was approved, and tell it. Asked again it changes nothing.

    What somebody ordered meanwhile is not there any more: `held` is below `asked` then, and if nothing is left the
    transfer is cancelled at once.
    """

    async def work(session: Session) -> Transfer:
        known = await find_transfer(mongo, asked.id, session)
        if known is not None:
            return known
        levels = await _levels(mongo, session, asked.source, [line.sku for line in asked.lines])
        lines = [
            line.model_copy(update={"held": max(0, min(line.asked, levels.get(line.sku, 0)))}) for line in asked.lines
        ]
        made = Transfer(**{**asked.model_dump(), "lines": lines})
        held = [Change(sku=line.sku, reserved=line.held) for line in lines if line.held]
        if held:
            await _book(mongo, session, made, "reserved", made.source, held, made.approved_at)
        else:
            made.state, made.reason, made.closed_at = "cancelled", "nothing_left", made.approved_at
        await mongo.transfers.insert_one(made.as_row(), session=session)
        await _tell(mongo, session, made, made.approved_at)
        return made

    return await _until_written(mongo, work)


async def _until_written(mongo: Mongo, work: Callable[[Session], Awaitable[Transfer]]) -> Transfer:
    """Others change the stock at the same time; then nothing was written, and it is read anew."""
    for attempt in range(_TRIES):
        try:
            return await mongo.transaction(work)
        except Stale:
            await asyncio.sleep(min(_PAUSE_S * 2 ** min(attempt, 10), _LONGEST_PAUSE_S))
    raise RuntimeError("others kept changing the stock")


async def _levels(mongo: Mongo, session: Session, location: str, skus: Sequence[str]) -> dict[str, int]:
    rows = mongo.stock.find({"_id": {"$in": [stock_id(location, sku) for sku in skus]}}, session=session)
    return {row["sku"]: row["on_hand"] - row["reserved"] async for row in rows}


async def _book(
    mongo: Mongo,
    session: Session,
    transfer: Transfer,
    kind: MovementKind,
    location: str,
    changes: list[Change],
    at: datetime,
    cause: str = "",
) -> None:
    counter = await mongo.counters.find_one({"_id": "stock"}, session=session)
    if counter is None:
        raise RuntimeError("the database was not provisioned: it has no version of the stock")
    movement = Movement(
        id=f"{transfer.id}:{kind}{cause}", kind=kind, location=location, changes=changes, reason=transfer.id, at=at
    )
    await book(mongo, session, [movement], counter["version"])


async def stand(mongo: Mongo, transfer: str) -> Transfer:
    known = await find_transfer(mongo, transfer)
    if known is None:
        raise LookupError(f"there is no transfer {transfer}")
    return known


async def carry_out(mongo: Mongo, step: CarryOut) -> tuple[Transfer, set[str]]:
    """Carry a command out once; also returns the batches whose bell should be rung. Raises Refusal when the transfer
    stands otherwise than its workflow thought.

    Who waits for the goods is told also when the step is repeated: the first try may have been cut off before that.
    """

    async def work(session: Session) -> Transfer:
        transfer = await find_transfer(mongo, step.transfer, session)
        if transfer is None:
            raise LookupError(f"there is no transfer {step.transfer}")
        if transfer.step >= step.number:
            return transfer
        refuse(standing_of(transfer), step.command)
        if not known_receipt(standing_of(transfer), step.command):
            await _move(mongo, session, transfer, step)
            await _tell(mongo, session, transfer, step.now, step.number)
        transfer.step = step.number
        await mongo.transfers.replace_one({"_id": transfer.id}, transfer.as_row(), session=session)
        return transfer

    done = await _until_written(mongo, work)
    freed = await _freed(mongo, step)
    return done, await wake_waiting(mongo, freed, step.now) if freed else set()


async def _freed(mongo: Mongo, step: CarryOut) -> dict[str, int]:
    """Units by SKU that a command made available to others, as the ledger has them."""
    receipt = step.command.receive
    movement = f"{step.transfer}:received:{receipt.reference}" if receipt else f"{step.transfer}:released"
    if step.command.lose is not None:
        return {}
    row = await mongo.ledger.find_one({"_id": movement}, {"changes": 1})
    changes = [Change.model_validate(one) for one in row["changes"]] if row else []
    return {one.sku: one.on_hand - one.reserved for one in changes}


async def _move(mongo: Mongo, session: Session, transfer: Transfer, step: CarryOut) -> None:
    command, what = step.command, doing(step.command)
    if what == "ship":
        asked = command.ship.lines if command.ship else None
        left = _ship(transfer, asked)
        await _refuse_missing(mongo, session, transfer)
        shipped = [Change(sku=line.sku, on_hand=-line.shipped, reserved=-line.shipped) for line in transfer.lines]
        movements = [one for one in shipped if one.on_hand]
        await _book(mongo, session, transfer, "shipped", transfer.source, movements, step.now)
        if left:
            released = [Change(sku=sku, reserved=-units) for sku, units in left.items()]
            await _book(mongo, session, transfer, "released", transfer.source, released, step.now)
        transfer.state, transfer.shipped_at = "shipped", step.now
    elif what == "cancel":
        released = [Change(sku=line.sku, reserved=-line.held) for line in transfer.lines if line.held]
        if released:
            await _book(mongo, session, transfer, "released", transfer.source, released, step.now)
        for line in transfer.lines:
            line.held = 0
        transfer.state, transfer.closed_at = "cancelled", step.now
        transfer.reason = command.cancel.reason if command.cancel else None
    elif command.receive is not None:
        came = _receive(transfer, command.receive.lines)
        if came:
            changes = [Change(sku=sku, on_hand=units) for sku, units in came.items()]
            await _register(mongo, session, list(came))
            cause = f":{command.receive.reference}"
            await _book(mongo, session, transfer, "received", transfer.destination, changes, step.now, cause)
        transfer.references.append(command.receive.reference)
        transfer.said.append(Said(reference=command.receive.reference, words=receipt_words(command.receive)))
        _close_if_all_came(transfer, step.now)
    elif command.lose is not None:
        for line in transfer.lines:
            line.lost += line.under_way
        transfer.reason = command.lose.reason
        _close_if_all_came(transfer, step.now)


async def _refuse_missing(mongo: Mongo, session: Session, transfer: Transfer) -> None:
    """What a count has not found any more cannot leave. Raises Refusal."""
    ids = {stock_id(transfer.source, line.sku): line for line in transfer.lines if line.shipped}
    on_hand = {
        row["_id"]: row["on_hand"]
        async for row in mongo.stock.find({"_id": {"$in": sorted(ids)}}, {"on_hand": 1}, session=session)
    }
    for name, line in ids.items():
        if on_hand.get(name, 0) < line.shipped:
            raise Refusal(
                "not_on_shelf",
                f"Of {line.sku} {on_hand.get(name, 0)} are on hand at {transfer.source}, not {line.shipped}.",
                remedy="Ship what is there: name the units of each SKU; or count the shelf anew.",
                field="lines",
                status=409,
            )


def _ship(transfer: Transfer, asked: Sequence[Moved] | None) -> dict[str, int]:
    """What leaves; returns what stays at the source after all, which is free again."""
    units = {line.sku: line.held for line in transfer.lines}
    if asked is not None:
        named = {line.sku: line.units for line in asked}
        units = {sku: named.get(sku, 0) for sku in units}
    left = {}
    for line in transfer.lines:
        line.shipped = units[line.sku]
        if line.held > line.shipped:
            left[line.sku] = line.held - line.shipped
        line.held = 0
    return left


def _receive(transfer: Transfer, asked: Sequence[Moved] | None) -> dict[str, int]:
    """What came and can be sold, by SKU."""
    lines = {line.sku: line for line in transfer.lines}
    moved = asked or [Moved(sku=line.sku, units=line.under_way) for line in transfer.lines if line.under_way]
    came: dict[str, int] = {}
    for one in moved:
        line: TransferLine = lines[one.sku]
        line.received += one.units
        line.damaged += one.damaged
        if one.units:
            came[one.sku] = one.units
    return came


def _close_if_all_came(transfer: Transfer, at: datetime) -> None:
    if not any(line.under_way for line in transfer.lines):
        transfer.state, transfer.closed_at = "received", at


async def _register(mongo: Mongo, session: Session, skus: Sequence[str]) -> None:
    new = [UpdateOne({"_id": sku}, {"$setOnInsert": {"_id": sku}}, upsert=True) for sku in sorted(skus)]
    await mongo.skus.bulk_write(new, ordered=False, session=session)


_TYPES = {"approved": "transfer.requested.v1", "shipped": "transfer.shipped.v1"}


async def _tell(
    mongo: Mongo, session: Session, transfer: Transfer, at: datetime, number: int = 0, reminder: int = 0
) -> None:
    """Both ends and the retailer."""
    kind = _TYPES.get(transfer.state, "transfer.closed.v1")
    if transfer.state == "shipped" and transfer.references:
        kind = "transfer.received.v1"
    data = TransferEvent(
        transfer=transfer.id,
        source=transfer.source,
        destination=transfer.destination,
        state=transfer.state,
        lines=transfer.lines,
        ship_by=transfer.ship_by,
        arrive_by=transfer.arrive_by,
        reminder=reminder,
    ).model_dump(mode="json")
    whom = (transfer.source, transfer.destination, RETAILER)
    events = [
        outgoing(partner, f"{transfer.id}:{number}:{place}", kind, transfer.id, at, data)
        for place, partner in enumerate(whom)
    ]
    await mongo.outbox.insert_many(rows_of(events, at), session=session)


async def remind(mongo: Mongo, step: Remind) -> Transfer:
    """Tell those again who have the goods, or should have them."""

    async def work(session: Session) -> Transfer:
        transfer = await find_transfer(mongo, step.transfer, session)
        if transfer is None:
            raise LookupError(f"there is no transfer {step.transfer}")
        if transfer.step >= step.number or transfer.over:
            return transfer
        await _tell(mongo, session, transfer, step.now, step.number, step.reminder)
        transfer.step = step.number
        await mongo.transfers.replace_one({"_id": transfer.id}, transfer.as_row(), session=session)
        return transfer

    return await mongo.transaction(work)
