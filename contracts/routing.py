"""The language of the routing decision: what was asked, who could have, who will, and why."""

from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field

from contracts.base import Document, Moment

Rule = Literal["cost", "fewest", "nearest"]


class Policy(Document):
    """How orders are routed and how long things may take. Data, versioned; times in seconds, money in minor units.

    Which policy holds for an order: of those that name its channel (or none) and the beginning of its division (or
    none), the one with the longest beginning, then the one that names the channel; of each the newest version.
    """

    id: str = "default"
    version: int = 1
    channels: list[str] = []
    regions: list[str] = []
    rule: Rule = Field(
        default="cost",
        description="cost: the cheapest set of locations by the terms below; fewest: the nearest location that has "
        "all, else the fewest parcels; nearest: from the nearest location that has any of it, and on to the next.",
    )
    max_parcels: int = Field(default=4, ge=1, le=4)
    radius_km: float | None = Field(default=None, gt=0, description="Locations farther away are not asked.")
    hand_over_within_s: int | None = Field(
        default=None, ge=1, description="Locations that are closed, or past their cut-off, for longer are not asked."
    )
    split_min_value: int = Field(
        default=0, ge=0, description="Least value of goods in every parcel of an order that is split."
    )
    promise_s: int = Field(default=5 * 86400, ge=1, description="From placing to delivery, where the order says none.")
    handling: int = Field(default=300, ge=0, description="Cost of picking and packing one parcel.")
    lateness_per_day: int = Field(default=500, ge=0, description="Cost of a parcel for each day beyond the promise.")
    km_price: int = Field(default=1, ge=0, description="Freight for each kilometre while no carrier is known at all.")
    margin_bp: int = Field(default=4_000, ge=0, le=10_000, description="Lost with a sale: basis points of its price.")
    scarcity: float = Field(default=1.0, ge=0, le=10, description="Weight of the scarcity prices; 0: without them.")
    cover_s: int = Field(
        default=7 * 86400, ge=1, description="Goods must last so long: orders expected until then set scarcity prices."
    )
    hold_back: bool = Field(
        default=True,
        description="An order whose goods are worth more to orders expected elsewhere waits, as if there were none.",
    )
    hold_back_from: int = Field(default=300, ge=0, description="More by at least so much.")
    hold_back_s: int = Field(
        default=72 * 3600,
        ge=0,
        description="No order waits longer than this for that reason. As long as backorder_limit_s: it is cancelled "
        "then, although there are goods; shorter: it gets them in the end, which costs more where goods are scarce.",
    )
    exact_lines: int = Field(
        default=6, ge=1, le=10, description="Orders with more SKUs are given to the fewest parcels, with a stated gap."
    )
    reevaluate: bool = Field(default=True, description="Move offers that nobody has accepted yet when that is cheaper.")
    reevaluate_gain: int = Field(default=300, ge=1, description="What such a move must save at least.")
    max_refusals: int = Field(default=3, ge=1, description="Refusals and silences before an order goes to back-order.")
    backorder_retry_s: int = Field(default=4 * 3600, ge=1, description="A safety net: arriving stock wakes at once.")
    backorder_limit_s: int = Field(default=72 * 3600, ge=1)
    candidates_kept: int = Field(default=3, ge=1, le=50)
    payment_tries: int = Field(default=5, ge=1)
    payment_retry_s: int = Field(default=30, ge=1)
    hold_s: int = Field(default=30 * 60, ge=1, description="How long goods are held for a payment that is awaited.")
    holds_per_customer: int = Field(default=5, ge=1, description="Orders of one customer that may await payment.")
    cancel_answer_s: int = Field(
        default=4 * 3600, ge=1, description="A store's time to say whether what it accepted can be cancelled."
    )
    return_window_s: int = Field(
        default=7 * 86400, ge=0, description="From delivery: returns asked for by then need nobody's approval."
    )
    return_arrival_s: int = Field(
        default=14 * 86400, ge=1, description="From approval, or refusal at the door: how long goods are waited for."
    )
    payment_limit_s: int = Field(
        default=24 * 3600, ge=1, description="From placing: an order that awaits its payment longer is cancelled."
    )
    late_margin_s: int = Field(
        default=4 * 3600, ge=0, description="A parcel predicted so much later than promised is told late beforehand."
    )
    overdue_s: int = Field(
        default=7 * 86400, ge=1, description="A parcel not reported delivered so long after its promise needs a person."
    )
    label_tries: int = Field(default=5, ge=1)
    label_retry_s: int = Field(default=30, ge=1)

    def precision(self, channel: str, division: str) -> tuple[int, bool] | None:
        """How precisely it names an order of a channel to a division, greater is more; None: it does not hold."""
        lengths = [len(prefix) for prefix in self.regions or [""] if division.startswith(prefix)]
        if not lengths or (self.channels and channel not in self.channels):
            return None
        return max(lengths), bool(self.channels)

    @property
    def exchanges(self) -> bool:
        """Whether offers may be moved for what it saves: only where cost is the rule."""
        return self.reevaluate and self.rule == "cost"

    def deadline(self, placed_at: datetime, deliver_by: datetime | None) -> datetime:
        """When the customer is to have everything: as the order says (`deliver_by`), else as promised here."""
        return deliver_by or placed_at + timedelta(seconds=self.promise_s)


class Terms(Document):
    """What a choice costs, in minor units. `distance_km` of an unknown place counts as nothing here."""

    freight: int = 0
    handling: int = 0
    lateness: int = 0
    scarcity: float = 0.0

    @property
    def total(self) -> float:
        return self.freight + self.handling + self.lateness + self.scarcity


class Candidate(Document):
    """A location that could ship some or all of the order. `distance_km` is None where a point is unknown.

    `terms` are of a parcel with everything that it could ship of the order.
    """

    location: str
    distance_km: float | None
    ships_all: bool
    chosen: bool = False
    terms: Terms | None = None
    service: str | None = None


class AllocatedItem(Document):
    line: int
    sku: str
    quantity: int


class Allocation(Document):
    """Goods of one order from one location."""

    location: str
    distance_km: float | None
    items: list[AllocatedItem]
    service: str | None = None
    """`<carrier>/<service>`; None where no carrier serves the pair, or none is known."""
    terms: Terms | None = None
    promised_at: Moment | None = None
    """When the carrier is expected to deliver, by its table."""
    slot: str | None = None
    """The local hour that it takes of the location's capacity; None where that is not limited."""


class Decision(Document):
    """Why an order goes where it goes; kept with the order.

    `ruled_out` counts locations by reason. Any location's verdict can be recomputed from `policy` (id@version) and
    the stock that was seen: all ledger rows up to `stock_version`, and the first `stock_rows` rows of the version
    after it; as long as the location itself has not been changed since `network_version`. `exact` is False when the
    search for the fewest parcels had to be cut short: the choice is then feasible, perhaps not the best.
    """

    at: Moment
    attempt: int
    outcome: Literal["single", "split", "none"]
    allocations: list[Allocation]
    candidates: list[Candidate]
    ruled_out: dict[str, int]
    excluded: list[str] = []
    policy: str
    stock_version: int
    stock_rows: int
    network_version: int = 0
    exact: bool = True
    gap: float | None = None
    """Where the choice is not proven to be the best: at most so many minor units above it."""
    terms: Terms | None = None
    runner_up: list[str] | None = None
    runner_up_total: float | None = None
    exchanged_with: list[str] = []
    """Orders of the same step with which goods were exchanged, because both together became cheaper."""
    prices_version: int = 0
    reason: str
