"""Takes the entries of a period into a statement, each once.

A partner may have more entries than one transaction holds. So the statement is written first, `freezing`; then the
entries are taken in by and by, each time in one transaction with the statement, until none is left and it is `frozen`.
Whoever is cut off is gone on from where it stood; whoever comes late finds the statement frozen and takes nothing.
"""

from datetime import datetime
from typing import Any

from contracts.settlement import PARTNER, Statement, end_of_period, month_before, partner_account
from contracts.settling import FindPartners, Found, Freeze
from infra.mongo import Mongo, Session

CHUNK = 2_000
"""Entries that are taken in with one transaction."""


def open_entries(partner: str | None, until: datetime) -> dict[str, Any]:
    """Entries before a moment that no statement has taken in: one partner's, or all partners'.

    What was paid for an earlier statement counts whenever it was paid: it is not to be paid once more.
    """
    account: Any = partner_account(partner) if partner is not None else {"$gte": PARTNER, "$lt": PARTNER[:-1] + ";"}
    return {"account": account, "statement": None, "$or": [{"at": {"$lt": until}}, {"meaning": "payout"}]}


async def find_partners(mongo: Mongo, asked: FindPartners) -> Found:
    """Everybody who has entries that no statement has taken in."""
    period = asked.period or month_before(asked.now)
    until = asked.until or end_of_period(period)
    partners = asked.partners
    if partners is None:
        accounts = await mongo.entries.distinct("account", open_entries(None, until))
        partners = sorted(account.removeprefix(PARTNER) for account in accounts)
    return Found(period=period, until=until, partners=partners)


async def lock_partner(mongo: Mongo, session: Session, partner: str) -> None:
    """Of transactions that change a partner's row of statements one at a time goes on; the others start again."""
    await mongo.counters.update_one(
        {"_id": f"settlement/{partner}"}, {"$inc": {"version": 1}}, upsert=True, session=session
    )


async def freeze(mongo: Mongo, asked: Freeze, chunk: int = CHUNK) -> Statement | str:
    """The statement with its entries taken in, or the id of the one before it, which must be closed first.

    To repeat it, also after a crash, doubles nothing: entries that come after the freezing are the next statement's.
    """
    opened = await _open(mongo, asked)
    if isinstance(opened, str) or opened.state != "freezing":
        return opened
    while await _take_in(mongo, asked, chunk):
        continue
    frozen = await find_statement(mongo, asked.statement)
    if frozen is None:
        raise LookupError(f"the statement {asked.statement} is gone")
    return frozen


async def _open(mongo: Mongo, asked: Freeze) -> Statement | str:
    """The statement, written if it is not there yet; the balance of the one before it is from now on this one's."""

    async def work(session: Session) -> Statement | str:
        known = await find_statement(mongo, asked.statement, session)
        if known is not None:
            return known
        await lock_partner(mongo, session, asked.partner)
        last = await mongo.statements.find_one(
            {"partner": asked.partner}, sort=[("frozen_at", -1), ("_id", -1)], session=session
        )
        if last is not None and last["state"] not in ("closed", "carried", "paid"):
            return str(last["_id"])
        opening = {b["currency"]: b["closing"] for b in last["balances"] if b["closing"]} if last else {}
        statement = Statement(
            id=asked.statement,
            partner=asked.partner,
            period=asked.period,
            until=asked.until,
            approval=asked.approval,
            previous=last["_id"] if last else None,
            opening=opening,
            state="freezing",
            frozen_at=asked.now,
        )
        await mongo.statements.insert_one(statement.as_row(), session=session)
        if last is not None and last["state"] == "closed" and opening:
            await mongo.statements.update_one({"_id": last["_id"]}, {"$set": {"state": "carried"}}, session=session)
        return statement

    return await mongo.transaction(work)


async def _take_in(mongo: Mongo, asked: Freeze, chunk: int) -> bool:
    """Take some entries in; when there are none left, the statement is frozen. Whether to go on.

    Writes the statement too, so that nobody takes entries into one that another has frozen meanwhile.
    """

    async def work(session: Session) -> bool:
        found = mongo.entries.find(open_entries(asked.partner, asked.until), {"_id": 1}, session=session).limit(chunk)
        ids = [row["_id"] async for row in found]
        change: dict[str, Any] = {"$inc": {"taken": len(ids)}} if ids else {"$set": {"state": "frozen"}}
        mine = await mongo.statements.update_one({"_id": asked.statement, "state": "freezing"}, change, session=session)
        if ids and mine.matched_count:
            taken = {"$set": {"statement": asked.statement}}
            await mongo.entries.update_many({"_id": {"$in": ids}}, taken, session=session)
        return bool(ids and mine.matched_count)

    return await mongo.transaction(work)


async def find_statement(mongo: Mongo, statement: str, session: Session | None = None) -> Statement | None:
    row = await mongo.statements.find_one({"_id": statement}, session=session)
    return Statement.from_row(row) if row else None
