"""Which commission rule holds: the most specific one that matches. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from contracts.settlement import WHOLE_BP, Rule, Terms

SELLER = "seller"


@dataclass(frozen=True, slots=True)
class Rates:
    """Rules, each in its newest version, and what they must know: kinds of locations and categories of SKUs.

    A location or a SKU that is not named has no kind, or no category: only rules match that ask for none.
    """

    rules: Sequence[Rule] = ()
    kinds: Mapping[str, str] = field(default_factory=dict)
    categories: Mapping[str, str] = field(default_factory=dict)

    def rule(
        self, terms: Terms, location: str, *, channel: str, division: str, at: datetime, sku: str | None = None
    ) -> Rule | None:
        """The rule that sets these terms for a location; None: nothing is to be paid."""
        kind, category = self.kinds.get(location), self.categories.get(sku) if sku is not None else None
        matching = [
            rule
            for rule in self.rules
            if rule.terms == terms
            and rule.location in (None, location)
            and rule.location_kind in (None, kind)
            and rule.category in (None, category)
            and rule.channel in (None, channel)
            and division.startswith(rule.region)
            and (rule.valid_from is None or rule.valid_from <= at)
            and (rule.valid_to is None or at < rule.valid_to)
        ]
        return max(matching, key=_specific, default=None)


def _specific(rule: Rule) -> tuple[bool, bool, bool, bool, int, float, str]:
    """Greater is more specific. The id comes last, so that there is always one answer."""
    return (
        rule.location is not None,
        rule.location_kind is not None,
        rule.category is not None,
        rule.channel is not None,
        len(rule.region),
        rule.valid_from.timestamp() if rule.valid_from else float("-inf"),
        rule.id,
    )


def part(amount: int, bp: int) -> int:
    """So many basis points of an amount, in whole minor units; halves are rounded up."""
    return (2 * amount * bp + WHOLE_BP) // (2 * WHOLE_BP)
