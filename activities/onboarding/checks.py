"""All checks by machine, one after the other; what they mean for each item; and for the risk. Pure."""

from collections.abc import Callable, Mapping
from datetime import datetime

from activities.onboarding.bank import check_account
from activities.onboarding.case import Case, Others, worst
from activities.onboarding.documents import check_completeness, check_identity, check_validity
from activities.onboarding.duplicates import check_duplicates
from activities.onboarding.feed import check_stock_feed
from activities.onboarding.identity import check_credit_code
from activities.onboarding.names import check_account_number, check_names
from activities.onboarding.scope import check_scope
from activities.onboarding.territory import check_territory
from contracts.applications import Application, Check
from contracts.onboarding import ItemStanding, Verdict
from contracts.requirements import RequirementSet

CHECKS: tuple[Callable[[Case], list[Check]], ...] = (
    check_completeness,
    check_credit_code,
    check_names,
    check_account_number,
    check_identity,
    check_scope,
    check_validity,
    check_duplicates,
    check_territory,
    check_stock_feed,
    check_account,
)


def machine_checks(
    application: Application, requirements: RequirementSet, others: Others, now: datetime
) -> list[Check]:
    """Every result, of every item that is asked for. Days are counted in China."""
    case = Case(application, requirements, others, now)
    return [result for check in CHECKS for result in check(case)]


def verdicts(checks: list[Check]) -> Mapping[str, Verdict]:
    """By item: the worst of its results."""
    by_item: dict[str, list[Verdict]] = {}
    for check in checks:
        by_item.setdefault(check.item, []).append(check.verdict)
    return {item: worst(found) for item, found in by_item.items()}


def with_verdicts(items: list[ItemStanding], checks: list[Check]) -> list[ItemStanding]:
    """The items, each with what the checks say of it."""
    found = verdicts(checks)
    return [item.model_copy(update={"verdict": found.get(item.item, "not_checked")}) for item in items]
