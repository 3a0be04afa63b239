"""The commission that was agreed, as rules by which it is reckoned. Pure."""

from collections.abc import Iterable

from contracts.settlement import CommissionRule
from contracts.settlement import Terms as What


def rules_of(partner: str) -> str:
    """How the ids of a partner's own rules begin."""
    return f"agreed-{partner}-"


def agreed_rules(partner: str, kind: str, places: Iterable[str], commission_bp: int | None) -> list[CommissionRule]:
    """One rule a place, numbered in their order: a distributor sells its own goods and pays the commission; a store
    gets it for what it has sold. It is reversed for units that come back. `kind`: of the location; `commission_bp`:
    basis points of what was paid for goods, null where none was agreed."""
    if commission_bp is None:
        return []
    what: What = "marketplace" if kind == "seller" else "sales"
    return [
        CommissionRule(id=f"{rules_of(partner)}{number}", terms=what, location=place, percent_bp=commission_bp)
        for number, place in enumerate(places, 1)
    ]
