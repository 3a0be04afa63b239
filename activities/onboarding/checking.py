"""What becomes of an application when it was checked, and when its applicant names the amount of the deposit. Pure."""

from datetime import datetime
from typing import Any

from activities.onboarding import bank
from activities.onboarding.case import Case, Others
from activities.onboarding.checks import machine_checks, with_verdicts
from activities.onboarding.risk import builtin_weights, risk_of
from contracts.applications import Application, Check, Deposit, standing_items
from contracts.onboarding import Stage
from contracts.requirements import RequirementSet


def opened(application: Application, requirements: RequirementSet) -> Application:
    """With all its items listed."""
    return _with_standing(application, items=standing_items(application, requirements))


def checked(application: Application, requirements: RequirementSet, others: Others, now: datetime) -> Application:
    """With the results of all checks, and the risk. The bank's turn comes next where it has one, else people's."""
    checks = machine_checks(application, requirements, others, now)
    asked = Case(application, requirements, others, now).asks(bank.ITEM)
    stage: Stage = "bank" if asked and bank.needs_deposit(application) else "review"
    listed = _with_standing(application, items=standing_items(application, requirements), stage=stage, turn=None)
    return _with_checks(listed, checks, now)


def amount_said(
    application: Application, requirements: RequirementSet, amount: int, now: datetime
) -> tuple[Application, bank.Said]:
    """With the deposit confirmed, refuted or one try used up. Raises Refusal when no amount is waited for."""
    deposit, outcome = bank.said(application, amount, now)
    changed = with_deposit(application, requirements, deposit, now)
    return (changed if outcome == "wrong" else _with_standing(changed, stage="review", turn=None)), outcome


def with_deposit(
    application: Application, requirements: RequirementSet, deposit: Deposit, now: datetime
) -> Application:
    """With a deposit in a new state, what it means for the account's check, and for the risk."""
    kept = [one for one in application.deposits if one.number != deposit.number]
    deposits = sorted([*kept, deposit], key=lambda one: one.number)
    changed = application.model_copy(update={"deposits": deposits})
    fresh = bank.check_account(Case(changed, requirements, Others(), now))
    checks = [*(check for check in application.checks if check.name != "bank_account"), *fresh]
    return _with_checks(changed, checks, now)


def _with_checks(application: Application, checks: list[Check], now: datetime) -> Application:
    weights = builtin_weights()
    risk = risk_of(checks, application, now, weights)
    changed = application.model_copy(
        update={
            "checks": checks,
            "checked_revision": application.standing.revision,
            "risk": risk,
            "updated_at": now,
        }
    )
    items = with_verdicts(application.standing.items, checks, weights.must_pass)
    return _with_standing(changed, items=items, risk=risk.score, reviewers_needed=risk.reviewers_needed)


def _with_standing(application: Application, **changes: Any) -> Application:
    return application.model_copy(update={"standing": application.standing.model_copy(update=changes)})


def summary(application: Application) -> str:
    """Codes of what did not pass, for the audit."""
    checks = application.checks
    bad = [f"{check.name}:{check.item}:{check.code}" for check in checks if check.verdict in ("failed", "doubtful")]
    return ", ".join(bad)[:1000] or "all passed"
