"""Taking entries into a statement: once, whatever happens in the middle of it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.settlement.changing import carry_out, change
from activities.settlement.freezing import freeze
from contracts.refusals import Refusal
from contracts.settlement import Entry, Revision, Statement, statement_id
from contracts.settling import CarryOut, Command, Freeze, Paid, Standing, Step, refuse
from infra.mongo import Mongo, Session
from tests.databases import Databases
from tests.support import eventually

UNTIL = datetime(2026, 11, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 3, tzinfo=UTC)
STATEMENT = statement_id("shop", "2026-10")


@pytest.fixture
async def mongo(databases: Databases) -> AsyncIterator[Mongo]:
    async with databases.lent() as mongo:
        yield mongo


def asked(period: str = "2026-10", until: datetime = UNTIL) -> Freeze:
    return Freeze(statement=statement_id("shop", period), partner="shop", period=period, until=until, now=NOW)


async def sell(mongo: Mongo, number: int, at: datetime = UNTIL - timedelta(days=1)) -> None:
    sides = (("partner:shop", 100), ("customer", -100))
    rows = [
        Entry(
            id=f"{number}:{account}",
            cause=str(number),
            account=account,
            meaning="goods",
            amount=amount,
            currency="CNY",
            at=at,
        )
        for account, amount in sides
    ]
    await mongo.entries.insert_many([row.as_row() for row in rows])


async def taken(mongo: Mongo) -> int:
    return await mongo.entries.count_documents({"statement": STATEMENT})


async def test_an_entry_that_comes_after_the_freezing_is_not_taken_in_by_another_try(mongo: Mongo) -> None:
    await sell(mongo, 1)
    first = await freeze(mongo, asked())
    await sell(mongo, 2)
    assert await freeze(mongo, asked()) == first
    assert await taken(mongo) == 1


async def state(mongo: Mongo) -> str | None:
    row = await mongo.statements.find_one({"_id": STATEMENT})
    return row["state"] if row else None


async def test_a_try_that_is_cut_off_anywhere_is_gone_on_from(mongo: Mongo) -> None:
    """Cut off after ever longer times, until one try comes through. It is frozen only when all are taken in."""
    for number in range(300):
        await sell(mongo, number)
    seen: set[tuple[str | None, bool]] = set()
    for milliseconds in range(0, 400, 4):
        trying = asyncio.create_task(freeze(mongo, asked(), chunk=20))
        done, _ = await asyncio.wait([trying], timeout=milliseconds / 1000)
        if done:
            break
        trying.cancel()
        await asyncio.gather(trying, return_exceptions=True)
        seen.add((await state(mongo), 0 < await taken(mongo) < 300))
        assert await state(mongo) != "frozen" or await taken(mongo) == 300
    made = await freeze(mongo, asked(), chunk=20)
    assert isinstance(made, Statement)
    assert (made.state, made.taken, await taken(mongo)) == ("frozen", 300, 300)
    assert ("freezing", True) in seen, "no try was cut off in the middle"
    await sell(mongo, 999)
    await freeze(mongo, asked(), chunk=20)
    assert await taken(mongo) == 300


async def test_a_worker_that_was_given_up_takes_nothing_into_a_frozen_statement(mongo: Mongo) -> None:
    for number in range(60):
        await sell(mongo, number)
    slow = asyncio.create_task(freeze(mongo, asked(), chunk=1))
    await eventually(lambda: taken(mongo))
    made = await freeze(mongo, asked(), chunk=1_000)
    assert isinstance(made, Statement)
    for number in range(100, 120):
        await sell(mongo, number)
    await slow
    assert await taken(mongo) == made.taken == 60


async def test_two_workers_at_once_take_every_entry_in_once(mongo: Mongo) -> None:
    for number in range(50):
        await sell(mongo, number)
    both = await asyncio.gather(*(freeze(mongo, asked(), chunk=7) for _ in range(4)))
    assert len({made.id for made in both if isinstance(made, Statement)}) == 1
    assert await taken(mongo) == 50


async def test_of_two_periods_at_once_the_second_waits_for_the_first(mongo: Mongo) -> None:
    for number in range(50):
        await sell(mongo, number)
    made = await asyncio.gather(freeze(mongo, asked()), freeze(mongo, asked("2026-10-31")))
    statements = [one for one in made if isinstance(one, Statement)]
    assert len(statements) == 1
    assert [one for one in made if isinstance(one, str)] == [statements[0].id]
    assert await mongo.entries.count_documents({"statement": statements[0].id}) == 50


async def test_a_step_that_is_repeated_is_not_done_again(mongo: Mongo) -> None:
    await freeze(mongo, asked())
    done: list[int] = []

    async def work(statement: Statement, session: Session) -> list[Any]:
        done.append(statement.step)
        return []

    for number in (1, 1, 2):
        await change(mongo, Step(statement=STATEMENT, number=number, now=NOW), work)
    assert done == [0, 1]


async def test_a_balance_that_a_later_statement_took_over_cannot_be_paid(mongo: Mongo) -> None:
    await sell(mongo, 1)
    await freeze(mongo, asked())

    async def close(statement: Statement, session: Session) -> list[Any]:
        statement.state = "closed"
        statement.balances = []
        revision = {"number": 1, "at": NOW, "lines": 1, "json_bytes": 1, "pdf_bytes": 1, "pages": 1}
        statement.revisions = [Revision.model_validate({**revision, "json_sha256": "0", "pdf_sha256": "0"})]
        return []

    await change(mongo, Step(statement=STATEMENT, number=1, now=NOW), close)
    await mongo.statements.update_one(
        {"_id": STATEMENT},
        {"$set": {"balances": [{"currency": "CNY", "opening": 0, "amounts": {}, "closing": 100}]}},
    )
    later = await freeze(mongo, asked("2026-11", UNTIL + timedelta(days=30)))
    assert isinstance(later, Statement)
    assert later.opening == {"CNY": 100}
    pay = CarryOut(statement=STATEMENT, number=2, now=NOW, command=Command(by="desk", paid=Paid(reference="bank-1")))
    with pytest.raises(Refusal, match="balance_carried"):
        await carry_out(mongo, pay)
    assert await mongo.entries.count_documents({"meaning": "payout"}) == 0


def test_a_statement_of_nothing_has_nothing_to_be_paid() -> None:
    command = Command(by="desk", paid=Paid(reference="bank-1"))
    with pytest.raises(Refusal, match="nothing_to_pay"):
        refuse(Standing(state="closed", payable=False), command)
    refuse(Standing(state="closed", payable=True), command)
