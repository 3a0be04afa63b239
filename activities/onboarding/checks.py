"""All checks by machine, one after the other; what they mean for each item; and for the risk. Pure."""

from collections.abc import Callable, Collection, Mapping
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
from contracts.onboarding import ItemStanding, ItemState, Verdict
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


def with_verdicts(items: list[ItemStanding], checks: list[Check], must_pass: Collection[str]) -> list[ItemStanding]:
    """The items, each with what the checks say of it. `must_pass`: checks whose failure nobody may waive. An item that
    people accepted is theirs to look at again when a check of it fails now."""
    found = verdicts(checks)
    barred = {check.item for check in checks if check.verdict == "failed" and check.name in must_pass}
    return [_judged(item, found.get(item.item, "not_checked"), item.item in barred) for item in items]


def _judged(item: ItemStanding, verdict: Verdict, barred: bool) -> ItemStanding:
    again = (item.state == "accepted" and verdict == "failed") or (item.state == "waived" and barred)
    state: ItemState = "supplied" if again else item.state
    return item.model_copy(update={"state": state, "verdict": verdict, "must_pass": barred})
