"""The activities that open, check and send the deposit, on real servers: each step once, wherever it is cut off."""

import asyncio
import itertools
import os
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import orjson
import pytest
from temporalio.testing import ActivityEnvironment

from activities.onboarding import bank as bank_rules
from activities.onboarding.check import BankAway, CheckActivities
from bench.applicants import complete
from contracts.applications import Application, TerritoryWanted
from contracts.banking import DepositOrder, DepositOutcome
from contracts.base import milliseconds
from contracts.onboarding import Standing, Step
from contracts.partnership import PartnerRecord
from contracts.requirements import builtin_sets
from infra.applications import Applications, Stale
from infra.bank import BankPort, HttpBank
from infra.indexes import make_indexes
from infra.keyring import Keyring
from infra.mongo import Mongo
from infra.sealing import Sealing

pytestmark = pytest.mark.timeout(300)
NOW = milliseconds(datetime.now(UTC))
SET = builtin_sets()["franchise@1"]
numbers = itertools.count(random.randrange(10**5) * 100)


class Cut(Exception):
    """The worker is killed here."""


class CutBank:
    """Passes everything on to the real bank, and dies after each answer as often as it is told to."""

    def __init__(self, bank: BankPort, times: int) -> None:
        self._bank = bank
        self.left = times

    async def deposit(self, order: DepositOrder) -> DepositOutcome:
        outcome = await self._bank.deposit(order)
        if self.left:
            self.left -= 1
            raise Cut
        return outcome


class Office:
    def __init__(self, mongo: Mongo, sealing: Sealing, bank: BankPort, bank_url: str) -> None:
        self.mongo = mongo
        self.sealing = sealing
        self.bank = bank
        self.bank_url = bank_url
        self.applications = Applications(mongo, sealing)
        self.work = CheckActivities(mongo, sealing, bank)
        self.env = ActivityEnvironment()

    async def write(self, number: int | None = None, **changes: Any) -> Application:
        made = complete(next(numbers) if number is None else number, SET, NOW)
        made = made.model_copy(update=changes)
        await self.applications.insert(made)
        return made

    async def find(self, application: Application) -> Application:
        found = await self.applications.find(application.id)
        assert found is not None
        return found

    async def check(self, application: Application, number: int = 3) -> Standing:
        return await self.env.run(self.work.check, self.step(application, number))

    async def deposit(self, application: Application, number: int = 4) -> Standing:
        return await self.env.run(self.work.deposit, self.step(application, number))

    def step(self, application: Application, number: int) -> Step:
        return Step(application=application.id, number=number, now=NOW)

    async def statement(self, application: Application) -> list[dict[str, Any]]:
        account = application.fields.bank_account
        assert account is not None
        url = f"{self.bank_url}/v1/accounts/{account.number}/statement"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            entries: list[dict[str, Any]] = orjson.loads(await answer.read())["entries"]
        return entries


@pytest.fixture
async def office(mongo_url: str, database: str, bank_url: str) -> AsyncIterator[Office]:
    mongo = Mongo(mongo_url, database)
    await make_indexes(mongo)
    async with HttpBank(bank_url) as bank:
        yield Office(mongo, Sealing(Keyring({"test": os.urandom(32)})), bank, bank_url)
    mongo.close()


async def test_opening_lists_what_is_asked(office: Office) -> None:
    empty = await office.write(documents={}, declarations={}, standing=Standing(application="x"))
    standing = await office.env.run(office.work.open, office.step(empty, 1))
    assert {item.item for item in standing.items} == {
        item.id for item in SET.asked_of(empty.categories) if not item.optional
    }
    assert {item.item for item in standing.items if item.state == "missing"} >= {"business_licence", "truthfulness"}
    assert standing.step == 1
    assert await office.env.run(office.work.open, office.step(empty, 1)) == standing


async def test_a_step_is_written_once(office: Office) -> None:
    application = await office.write()
    standings = await asyncio.gather(*(office.check(application) for _ in range(6)))
    assert all(standing == standings[0] for standing in standings)
    assert (standings[0].stage, standings[0].step, standings[0].risk) == ("bank", 3, 15)
    after = await office.find(application)
    assert after.version == application.version + 1 and after.checked_revision == 1
    assert await office.mongo.audit.count_documents({"subject": application.id, "did": "checked"}) == 1
    assert {item.verdict for item in after.standing.items if item.item != "bank_account"} == {"passed"}


async def test_one_deposit_whatever_is_cut_off(office: Office) -> None:
    application = await office.write()
    await office.check(application)
    office.work = CheckActivities(office.mongo, office.sealing, CutBank(office.bank, 3))
    for _ in range(3):
        with pytest.raises(Cut):
            await office.deposit(application)
    standing = await office.deposit(application)
    assert (standing.stage, standing.step) == ("bank", 4)
    assert await office.deposit(application) == standing
    [entry] = await office.statement(application)
    [deposit] = (await office.find(application)).deposits
    assert (deposit.state, deposit.amount, deposit.reference) == ("sent", entry["amount"], entry["reference"])


async def test_workers_that_send_at_once_send_one(office: Office) -> None:
    application = await office.write()
    await office.check(application)
    await asyncio.gather(*(office.deposit(application) for _ in range(6)))
    assert len(await office.statement(application)) == 1
    assert len((await office.find(application)).deposits) == 1


async def test_a_bank_that_is_away_is_asked_again(office: Office) -> None:
    application = await with_account(office, "0004")
    await office.check(application)
    for _ in range(2):
        with pytest.raises(BankAway) as away:
            await office.deposit(application)
        assert application.fields.bank_account is not None
        assert application.fields.bank_account.number not in str(away.value)
    assert (await office.deposit(application)).stage == "bank"
    assert len(await office.statement(application)) == 1


async def test_an_account_that_is_refused_goes_to_people(office: Office) -> None:
    application = await with_account(office, "0001")
    await office.check(application)
    standing = await office.deposit(application)
    account = standing.item("bank_account")
    assert standing.stage == "review" and account is not None
    assert (account.verdict, account.must_pass) == ("failed", True)
    after = await office.find(application)
    assert after.risk is not None and "bank_account.failed" in {term.term for term in after.risk.terms}


async def with_account(office: Office, ending: str) -> Application:
    made = complete(next(numbers), SET, NOW)
    assert made.fields.bank_account is not None
    number = made.fields.bank_account.number[:-4] + ending
    account = made.fields.bank_account.model_copy(update={"number": number})
    return await office.write(int(made.id[4:]), fields=made.fields.model_copy(update={"bank_account": account}))


async def test_an_account_that_was_proved_is_not_proved_again(office: Office) -> None:
    application = await office.write()
    await office.check(application)
    await office.deposit(application)
    sent = await office.find(application)
    confirmed, said = bank_rules.said(sent, sent.deposits[0].amount, NOW)
    assert said == "right"
    await office.applications.replace(sent.model_copy(update={"deposits": [confirmed]}))
    assert (await office.check(application, 6)).stage == "review"
    assert len(await office.statement(application)) == 1


async def test_applicants_at_once_see_each_other(office: Office) -> None:
    """Both were submitted before either is checked, so that neither can slip through."""
    first = await office.write()
    contact = first.fields.contact
    second_ = complete(next(numbers), SET, NOW)
    second = await office.write(int(second_.id[4:]), fields=second_.fields.model_copy(update={"contact": contact}))
    await asyncio.gather(office.check(first), office.check(second))
    for application, other in ((first, second), (second, first)):
        check = next(c for c in (await office.find(application)).checks if c.code == "same_phone")
        assert [evidence.source for evidence in check.evidence] == [f"application:{other.id}"]


async def test_what_was_never_submitted_or_refused_counts_for_nothing(office: Office) -> None:
    first = await office.write()
    twin = complete(next(numbers), SET, NOW)
    for stage, revision in (("draft", 0), ("rejected", 1), ("withdrawn", 2), ("expired", 1)):
        standing = Standing(application="x", stage=stage, revision=revision)
        await office.write(next(numbers), fields=first.fields, credit_code=first.credit_code, standing=standing)
    await office.check(first)
    assert {check.verdict for check in (await office.find(first)).checks if check.name == "duplicate"} == {"passed"}
    assert twin.credit_code != first.credit_code


@pytest.mark.parametrize(
    ("territory", "exclusive", "kind", "code"),
    [
        (["3301"], True, "franchise", "exclusive_to_other"),
        (["33010601"[:6]], True, "franchise", "exclusive_to_other"),
        ([""], True, "franchise", "exclusive_to_other"),
        (["3302", "33"], True, "franchise", "exclusive_to_other"),
        (["3302"], True, "franchise", "ok"),
        (["3301"], False, "franchise", "ok"),
        (["3301"], True, "supplier", "ok"),
    ],
)
async def test_territories_are_found_in_the_database(
    office: Office, territory: list[str], exclusive: bool, kind: Any, code: str
) -> None:
    partner = PartnerRecord(
        id="P1",
        kind=kind,
        state="active",
        name="别家",
        credit_code="91330100799655058B",
        territory=territory,
        exclusive=exclusive,
        categories=["food"],
        application="app-x",
        agreement="agr-x",
        agreement_until=NOW + timedelta(days=365),
    )
    await office.mongo.partners.insert_one(partner.as_row())
    application = await office.write()
    assert application.fields.territory == TerritoryWanted(prefixes=["330106"])
    await office.check(application)
    [check] = [check for check in (await office.find(application)).checks if check.name == "territory"]
    assert check.code == code


async def test_a_company_that_is_a_partner(office: Office) -> None:
    application = await office.write()
    assert application.credit_code is not None
    partner = {
        "_id": "P2",
        "kind": "supplier",
        "state": "active",
        "name": "x",
        "credit_code": application.credit_code,
        "application": "a",
        "agreement": "b",
        "agreement_until": NOW,
    }
    await office.mongo.partners.insert_one(partner)
    await office.check(application)
    company = next(c for c in (await office.find(application)).checks if c.code == "partner_of_other_kind")
    assert company.verdict == "doubtful"


async def test_what_lies_in_the_database_is_sealed(office: Office) -> None:
    application = await office.write()
    await office.check(application)
    await office.deposit(application)
    written = str(await office.mongo.applications.find_one({"_id": application.id}))
    fields = application.fields
    assert fields.company and fields.contact and fields.bank_account
    number = application.documents["legal_representative_id"].facts
    assert number is not None and number.number is not None
    for secret in (
        fields.contact.phone,
        fields.contact.email,
        fields.bank_account.number,
        number.number,
        f"'{fields.company.legal_representative}'",
    ):
        assert secret not in written
    assert (await office.find(application)).fields == fields


async def test_a_write_on_an_old_version_is_refused(office: Office) -> None:
    application = await office.write()
    await office.applications.replace(application)
    with pytest.raises(Stale):
        await office.applications.replace(application)
