"""Why an order goes where it goes, as it is told to those who ask: the decision, put the way it is read."""

from typing import Literal

from pydantic import Field

from contracts.base import Document, Moment
from contracts.routing import AllocatedItem, Terms

VerdictKind = Literal["chosen", "could_ship_all", "could_ship_some", "ruled_out"]


class Part(Document):
    """What one location ships."""

    location: str
    distance_km: float | None
    items: list[AllocatedItem]
    service: str | None = None
    promised_at: Moment | None = None


class Winner(Document):
    """The choice, with what it costs in minor units. Costs are null where they were not reckoned."""

    parts: list[Part]
    terms: Terms | None
    total: float | None


class RunnerUp(Document):
    """The best other choice. `by`: how much more it would have cost than the winner."""

    locations: list[str]
    total: float | None
    by: float | None


class Judged(Document):
    """A candidate. `terms` and `total` are of a parcel with everything that it could ship of the order."""

    location: str
    distance_km: float | None
    verdict: VerdictKind
    terms: Terms | None
    total: float | None
    service: str | None = None


class Near(Document):
    """A location near the customer that was not asked, and why."""

    location: str
    distance_km: float | None
    reason: str


class Reason(Document):
    """How many locations were ruled out for a reason; and those of them that are among the nearest to the customer,
    reckoned anew like `Recomputed`."""

    reason: str
    count: int
    nearest: list[Near]


class Recomputed(Document):
    """The verdict on any location, reckoned anew by the production function on the stock that the decision saw.

    `available` and `wanted` are units by SKU; `kept_back` units of each stay on the shelf. `same`: whether the whole
    decision, reckoned anew, sends the same goods from the same locations; it need not when `network_changed`, that is
    when locations, carriers, articles or policies were changed since. It is null when it comes out otherwise without
    the scarcity prices of that moment, which are not kept.
    """

    location: str
    verdict: VerdictKind
    reason: str | None = None
    distance_km: float | None = None
    terms: Terms | None = None
    total: float | None = None
    above_winner: float | None = None
    wanted: dict[str, int]
    available: dict[str, int]
    kept_back: int = 0
    network_changed: bool
    same: bool | None


class Why(Document):
    """One decision of an order. `decision` counts from 1 to `decisions`."""

    order: str
    currency: str
    decision: int
    decisions: int
    at: Moment
    attempt: int
    outcome: Literal["single", "split", "none"]
    reason: str
    winner: Winner | None
    runner_up: RunnerUp | None
    candidates: list[Judged]
    ruled_out: list[Reason]
    excluded: list[str] = Field(description="Not asked again: they refused, or did not answer.")
    policy: str
    stock_version: int
    stock_rows: int
    network_version: int
    prices_version: int
    exact: bool
    gap: float | None = Field(description="Where not exact: at most so many minor units above the best.")
    exchanged_with: list[str] = Field(
        default=[], description="Orders with which goods were exchanged, because both together became cheaper."
    )
    location: Recomputed | None = None
