"""The applicant's bank account, by a small deposit whose amount it must name. Pure; the bank is in infra/bank.py."""

import unicodedata
from datetime import datetime
from typing import Literal

from activities.onboarding.case import Case
from contracts.applications import Application, BankAccount, Check, Deposit, Evidence
from contracts.refusals import Refusal

ITEM = "bank_account"
AMOUNT_MAX = 99
"""Fen."""
TRIES = 3
DEPOSITS = 5
"""The most that one application gets: to so many accounts, or ways to write one's holder."""

Said = Literal["right", "wrong", "refuted"]


def deposit_key(application: str, number: int) -> str:
    """The idempotency key under which the bank is asked."""
    return f"{application}:deposit:{number}"


def current(application: Application) -> Deposit | None:
    """The deposit that counts: the last one to the account that the form names now, if it was made out to the same
    holder, or if wrong amounts were named of it: another way of writing the holder gives no further tries."""
    account = application.fields.bank_account
    if account is None:
        return None
    to_it = [deposit for deposit in application.deposits if _number(deposit.account) == _number(account)]
    refuted = next((deposit for deposit in to_it if deposit.state == "refuted"), None)
    if refuted is not None or not to_it:
        return refuted
    return to_it[-1] if to_it[-1].account.holder == account.holder or to_it[-1].tries else None


def _number(account: BankAccount) -> str:
    return "".join(c for c in unicodedata.normalize("NFKC", account.number) if c.isdigit())


def needs_deposit(application: Application) -> bool:
    """Whether a deposit is to be sent, or its amount still to be named."""
    deposit = current(application)
    if deposit is None:
        return application.fields.bank_account is not None and len(application.deposits) < DEPOSITS
    return deposit.state in ("wanted", "sent")


def wanted(application: Application, account: BankAccount, amount: int, now: datetime) -> Deposit:
    """The next deposit. `amount` was drawn by chance."""
    return Deposit(number=len(application.deposits) + 1, account=account, amount=amount, wanted_at=now)


def said(application: Application, amount: int, now: datetime) -> tuple[Deposit, Said]:
    """What becomes of the deposit when the applicant names an amount. Raises Refusal when none is waited for."""
    deposit = current(application)
    if deposit is None or deposit.state != "sent":
        raise Refusal(
            "no_deposit_open",
            "No deposit waits for its amount.",
            remedy="See `deposit` of the application.",
            status=409,
        )
    tries = [*deposit.tries, now]
    if amount == deposit.amount:
        return deposit.model_copy(update={"tries": tries, "state": "confirmed"}), "right"
    if len(tries) >= TRIES:
        return deposit.model_copy(update={"tries": tries, "state": "refuted"}), "refuted"
    return deposit.model_copy(update={"tries": tries}), "wrong"


def check_account(case: Case) -> list[Check]:
    """What is known of the account so far."""
    if case.application.fields.bank_account is None or not case.asks(ITEM):
        return []
    deposit = current(case.application)
    if deposit is None and len(case.application.deposits) >= DEPOSITS:
        zh, en = "小额打款次数过多。", "There were too many deposits."
        return [case.found("bank_account", ITEM, "failed", "too_many_deposits", zh, en)]
    if deposit is not None and deposit.state == "sent" and deposit.tries:
        left = TRIES - len(deposit.tries)
        zh = f"您填写的金额不正确，还可以再试 {left} 次。"
        en = f"The amount that was named is wrong; tries that are left: {left}."
        return [
            case.found("bank_account", ITEM, "not_checked", "amount_wrong_so_far", zh, en, *_evidence(case, deposit))
        ]
    if deposit is None or deposit.state in ("wanted", "sent"):
        zh, en = "等待确认小额打款金额。", "The amount of the deposit was not named yet."
        return [case.found("bank_account", ITEM, "not_checked", "deposit_open", zh, en, *_evidence(case, deposit))]
    if deposit.state == "failed":
        zh, en = "银行拒绝了小额打款。", "The bank refused the deposit."
        code = f"bank_refused:{deposit.code}"
        return [case.found("bank_account", ITEM, "failed", code, zh, en, *_evidence(case, deposit))]
    if deposit.state == "refuted":
        zh, en = f"{TRIES} 次金额均不正确。", f"{TRIES} amounts were named, all wrong."
        return [case.found("bank_account", ITEM, "failed", "amount_wrong", zh, en, *_evidence(case, deposit))]
    zh, en = "申请人已正确确认打款金额。", "The applicant named the amount."
    return [case.found("bank_account", ITEM, "passed", "ok", zh, en, *_evidence(case, deposit))]


def _evidence(case: Case, deposit: Deposit | None) -> list[Evidence]:
    if deposit is None:
        return []
    source = f"bank:{deposit.reference or deposit_key(case.application.id, deposit.number)}"
    return [Evidence(source=source, value=f"{deposit.state}, {len(deposit.tries)} tries")]
