"""The activities `onboarding.open`, `onboarding.check` and `onboarding.deposit`.

Each step is written in one transaction with its number: done again, it finds itself done. A deposit is written down
before the bank is asked, and asked under a key of its own, so that a crash in between sends it once.
"""

import secrets
from collections.abc import Awaitable, Callable

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.heartbeat import heartbeats
from activities.onboarding import bank
from activities.onboarding.case import Other, Others
from activities.onboarding.checking import checked, opened, summary, with_deposit
from activities.onboarding.requirements import RequirementBook
from activities.onboarding.territory import in_the_way
from contracts.applications import Application, Deposit
from contracts.banking import DepositOrder, DepositOutcome
from contracts.onboarding import CHECK, DEPOSIT, OPEN, Standing, Step
from contracts.partnership import PartnerRecord
from contracts.requirements import RequirementSet
from infra.applications import Applications
from infra.audit import audit_row, write_audit
from infra.bank import BankPort
from infra.mongo import Mongo, Session
from infra.sealing import Sealing

SYSTEM = "tongqu"
"""Who is named in the audit for what no person did."""
REMARK = "同渠账户验证 Tongqu account check"
_NEAR_MAX = 200
Work = Callable[[Application, RequirementSet, Session], Awaitable[Application]]


class BankAway(Exception):
    """The bank gave no final answer; the step is tried again under the same key."""


class CheckActivities:
    def __init__(self, mongo: Mongo, sealing: Sealing, port: BankPort) -> None:
        self._mongo = mongo
        self._applications = Applications(mongo, sealing)
        self._book = RequirementBook(mongo)
        self._bank = port

    @activity.defn(name=OPEN)
    async def open(self, step: Step) -> Standing:
        """List what is asked of the applicant."""

        async def work(application: Application, requirements: RequirementSet, _: Session) -> Application:
            return opened(application, requirements)

        async with heartbeats():
            return (await self._carry_out(step, work, "opened")).standing

    @activity.defn(name=CHECK)
    async def check(self, step: Step) -> Standing:
        """Run all checks by machine against what is known at this moment."""

        async def work(application: Application, requirements: RequirementSet, session: Session) -> Application:
            others = await self._others(application, session)
            return checked(application, requirements, others, step.now)

        async with heartbeats():
            return (await self._carry_out(step, work, "checked")).standing

    @activity.defn(name=DEPOSIT)
    async def deposit(self, step: Step) -> Standing:
        """Send a small deposit, if none was sent to this account yet. Raises BankAway while the bank is silent."""
        async with heartbeats():
            wanted = await self._want_deposit(step)
            outcome = await self._send(step, wanted) if wanted else None
            return (await self._carry_out(step, _answered(step, wanted, outcome), "deposit")).standing

    async def _carry_out(self, step: Step, work: Work, did: str) -> Application:
        """One transaction. A step that was carried out before changes nothing."""

        async def once(session: Session) -> Application:
            application = await self._find(step, session)
            if application.standing.step >= step.number:
                return application
            requirements = await self._book.pinned(application.requirements, session)
            changed = await work(application, requirements, session)
            standing = changed.standing.model_copy(update={"step": step.number})
            written = changed.model_copy(update={"standing": standing, "updated_at": step.now})
            note = summary(written) if did == "checked" else standing.stage
            row = audit_row(step.application, str(step.number), SYSTEM, did, step.now, note=note)
            await write_audit(self._mongo, [row], session=session)
            return await self._applications.replace(written, session)

        return await self._mongo.transaction(once)

    async def _find(self, step: Step, session: Session) -> Application:
        application = await self._applications.find(step.application, session)
        if application is None:
            detail = f"there is no application {step.application}"
            raise ApplicationError(detail, type="application_unknown", non_retryable=True)
        return application

    async def _others(self, application: Application, session: Session) -> Others:
        shared = await self._applications.sharing(application, session)
        others = [
            Other(id=row["_id"], kind=row["kind"], stage=row["standing"]["stage"], shares=shares)
            for row, shares in shared
        ]
        partners = self._mongo.partners
        living = {"state": {"$ne": "terminated"}}
        company = partners.find({"credit_code": application.credit_code, **living}, session=session)
        same = (
            [PartnerRecord.from_row(row) async for row in company.limit(_NEAR_MAX)] if application.credit_code else []
        )
        wanted = application.fields.territory
        near = []
        if wanted is not None:
            alike = in_the_way(application.kind, wanted.prefixes, wanted.exclusive, application.categories)
            cursor = partners.find(alike, session=session)
            near = [PartnerRecord.from_row(row) async for row in cursor.sort("exclusive", -1).limit(_NEAR_MAX)]
        return Others(applications=tuple(others), same_company=tuple(same), near=tuple(near))

    async def _want_deposit(self, step: Step) -> Deposit | None:
        """The deposit that is to be sent, written down; None when none is, or the step was carried out."""

        async def once(session: Session) -> Deposit | None:
            application = await self._find(step, session)
            account = application.fields.bank_account
            if application.standing.step >= step.number or account is None or not bank.needs_deposit(application):
                return None
            deposit = bank.current(application)
            if deposit is not None:
                return deposit if deposit.state == "wanted" else None
            new = bank.wanted(application, account, 1 + secrets.randbelow(bank.AMOUNT_MAX), step.now)
            changed = application.model_copy(update={"deposits": [*application.deposits, new]})
            await self._applications.replace(changed, session)
            return new

        return await self._mongo.transaction(once)

    async def _send(self, step: Step, deposit: Deposit) -> DepositOutcome:
        order = DepositOrder(
            key=bank.deposit_key(step.application, deposit.number),
            holder=deposit.account.holder,
            bank=deposit.account.bank,
            number=deposit.account.number,
            amount=deposit.amount,
            remark=REMARK,
        )
        outcome = await self._bank.deposit(order)
        if outcome.status == "failed":
            # Not what the bank said: it might quote the account.
            raise BankAway(f"the bank gave no final answer: {outcome.code}")
        return outcome


def _answered(step: Step, deposit: Deposit | None, outcome: DepositOutcome | None) -> Work:
    """Written down what the bank said. Without an open deposit it is people's turn."""

    async def work(application: Application, requirements: RequirementSet, _: Session) -> Application:
        if deposit is not None and outcome is not None:
            state = "sent" if outcome.status == "paid" else "failed"
            known = {"reference": outcome.reference, "code": outcome.code, "answered_at": step.now}
            answered = deposit.model_copy(update={"state": state, **known})
            application = with_deposit(application, requirements, answered, step.now)
        stage = "bank" if bank.needs_deposit(application) else "review"
        standing = application.standing.model_copy(update={"stage": stage, "turn": None})
        return application.model_copy(update={"standing": standing})

    return work
