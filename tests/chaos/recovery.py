"""How long the system takes to recover from each fault, as the retailer sees it. Pure.

From the end of the fault (the killed process is started, the paused one goes on, the connection passes again) until the
retailer has heard that an order which it sent after that end was dispatched; that an order with a card was; and that
one was shipped, for which its store had to answer three times. No system is faster than its stores, so the same three
times are measured from moments before the first fault.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.chaos.schedule import Fault, Kind

Times = Mapping[str, float]
"""Seconds since the epoch, by order."""


@dataclass(frozen=True, slots=True)
class Happened:
    """A fault as it was carried out. Seconds since the epoch."""

    fault: Fault
    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class Heard:
    """What the retailer knows: when each order was sent first, and when it heard of it for the first time."""

    sent: Times
    dispatched: Times
    shipped: Times
    cards: frozenset[str]

    def after(self, moment: float) -> "Recovered":
        later = [order for order, at in self.sent.items() if at >= moment]
        return Recovered(
            _first(self.dispatched, later, moment),
            _first(self.dispatched, [order for order in later if order in self.cards], moment),
            _first(self.shipped, later, moment),
        )


@dataclass(frozen=True, slots=True)
class Recovered:
    """Seconds; None where it never was."""

    dispatched_s: float | None
    card_s: float | None
    shipped_s: float | None


@dataclass(frozen=True, slots=True)
class Recovery:
    happened: Happened
    recovered: Recovered
    alone: bool
    """No other fault lay between its beginning and the last of the three moments."""


def recoveries(faults: Sequence[Happened], heard: Heard) -> list[Recovery]:
    found = []
    for one in faults:
        after = heard.after(one.ended)
        over = one.ended + max(s or 0.0 for s in (after.dispatched_s, after.card_s, after.shipped_s))
        others = [other for other in faults if other is not one]
        alone = not any(other.began < over and other.ended > one.began for other in others)
        found.append(Recovery(one, after, alone))
    return found


def by_kind(found: Iterable[Recovery]) -> dict[tuple[Kind, str], list[Recovery]]:
    """By what was done and to whom, in the order of the alphabet."""
    kinds: dict[tuple[Kind, str], list[Recovery]] = defaultdict(list)
    for one in found:
        kinds[one.happened.fault.kind, one.happened.fault.target].append(one)
    return dict(sorted(kinds.items()))


def _first(times: Times, orders: Iterable[str], moment: float) -> float | None:
    return min((times[order] - moment for order in orders if order in times), default=None)
