"""The language of replenishment: demand, forecasts, policies, sourcing, positions and what is proposed of them.

A series is one SKU at one location. Quantities are whole units, amounts whole minor units, days calendar days of the
location, unless a name says working days. A region's own series carries `@` and the region's id as its location.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from contracts.base import Document, Moment, Request
from contracts.ids import LocationId, Sku
from contracts.money import AMOUNT_MAX, Amount, Currency
from contracts.promotions import Named
from contracts.workdays import Day

QUANTILES = (0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.83, 0.85, 0.9, 0.925, 0.95, 0.975, 0.98, 0.99)
"""The levels at which every forecast says the sum of demand."""
UNITS_MAX = 10_000_000

DemandClass = Literal["smooth", "erratic", "intermittent", "lumpy", "new"]
ServiceKind = Literal["cycle", "fill", "cost"]
ProposalKind = Literal["transfer", "purchase"]
ProposalState = Literal["proposed", "approved", "changed", "rejected", "ordered", "superseded"]
RunState = Literal["running", "done", "failed", "cancelled"]
TransferState = Literal["approved", "shipped", "received", "cancelled"]
Constraint = Literal["none", "minimum", "multiple", "capacity", "fair_share", "budget", "season"]

Share = Annotated[float, Field(gt=0, lt=1)]
Units = Annotated[int, Field(strict=True, ge=0, le=UNITS_MAX)]
SupplierId = LocationId
REGIONAL = "@"
"""What the location of a region's own series begins with; no location's id does."""
RegionId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$", examples=["east"])]
ProposalId = Annotated[str, Field(min_length=1, max_length=300)]


class Series(Document):
    """Whose demand."""

    location: str
    sku: str


class DailyDemand(Document):
    """What was asked of one location of one SKU on one day.

    `censored`: it was out of stock for a part of the day, so that `sold` is only the least that demand was. Of such a
    day nothing is known but that; it is missing, and never zero.
    """

    day: Day
    sold: float
    out_of_stock_hours: float = 0
    censored: bool = False
    promotion: bool = False
    holiday: bool = False


class Coverage(Document):
    """How often demand stayed within a quantile, where the forecast could not know it: rolling origins, `n` sums."""

    level: float
    achieved: float
    n: int


class Forecast(Document):
    """The distribution of the sum of demand over the protection interval; one row a series and run.

    `quantiles` go with QUANTILES and never fall. `models`: normalised error of each candidate. `daily` is the expected
    demand of each day to come, for plots and for what is sold while goods are on their way.
    """

    id: str
    """`<run>:<location>:<sku>`."""
    run: str
    location: str
    sku: str
    demand_class: DemandClass
    model: str
    protection_days: int
    mean: float
    deviation: float
    quantiles: list[float]
    coverage: list[Coverage] = []
    wmase: float | None = None
    pinball: float | None = None
    models: dict[str, float] = {}
    daily_mean: float = 0
    daily_deviation: float = 0
    daily: list[float] = []
    days_known: int = 0
    days_censored: int = 0
    as_of: Day

    def at(self, level: float) -> float:
        """The quantile at a level, linear between those that are kept; the outermost beyond them."""
        if level <= QUANTILES[0]:
            return self.quantiles[0]
        for place in range(1, len(QUANTILES)):
            low, high = QUANTILES[place - 1], QUANTILES[place]
            if level <= high:
                part = (level - low) / (high - low)
                return self.quantiles[place - 1] + part * (self.quantiles[place] - self.quantiles[place - 1])
        return self.quantiles[-1]


class Service(Document):
    """What is aimed at. cycle: share of cycles without stock-out; fill: share of units served from the shelf; cost:
    the level follows from the policy's holding and shortage costs, `value` is not used."""

    kind: ServiceKind = "cycle"
    value: Share = 0.95


class ApprovalLimit(Document):
    """Who must approve a purchase order of up to so much, in minor units; None: of any value."""

    up_to: int | None = Field(default=None, ge=0, le=AMOUNT_MAX)
    role: str = Field(default="", max_length=60, description="Empty: nobody, it is approved by this policy.")


class SupplyPolicy(Document):
    """How series are replenished. Data, versioned.

    Which holds for a series: of those that name its class, category and location (or none of these), the one with the
    longest beginning of the location's division, then the one that names the category, then the class; of each the
    newest version.
    """

    id: str = Field(default="default", pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")
    version: int = Field(default=1, ge=1)
    classes: list[DemandClass] = []
    categories: list[str] = Field(default=[], max_length=100)
    regions: list[str] = Field(default=[], max_length=100, description="Beginnings of division codes.")
    service: Service = Service()
    review_days: int = Field(default=7, ge=1, le=366, description="Between two looks at the same series.")
    holding: float = Field(default=0.25, ge=0, le=10, description="Of a unit's price, for a year on the shelf.")
    shortage: float = Field(default=0.35, ge=0, le=10, description="Of a unit's price, for a unit that is not there.")
    order_multiple: int = Field(default=1, ge=1, le=1_000_000)
    minimum_quantity: Units = 0
    shelf_capacity: int | None = Field(default=None, ge=0, le=UNITS_MAX, description="Units of a SKU at a location.")
    one_season: bool = Field(default=False, description="Bought once: a newsvendor's quantity.")
    salvage: float = Field(default=0.3, ge=0, le=1, description="Of the price, what is left of it after the season.")
    margin: float = Field(default=0.4, ge=0, le=10, description="Of the price, earned with a unit in season.")
    season_days: int = Field(default=90, ge=1, le=366)
    transfers: bool = Field(default=True, description="Whether its series give to, and take from, other locations.")
    transfer_multiple: int = Field(default=1, ge=1, le=1_000_000)
    approve_below: int = Field(
        default=0, ge=0, le=AMOUNT_MAX, description="Proposals of less value are approved by this policy."
    )
    limits: list[ApprovalLimit] = Field(
        default=[], max_length=10, description="Of purchase orders; empty: the levels that buying has."
    )

    def precision(self, division: str, category: str, demand_class: DemandClass) -> tuple[int, bool, bool] | None:
        """How precisely it names a series, greater is more; None: it does not hold."""
        lengths = [len(prefix) for prefix in self.regions or [""] if division.startswith(prefix)]
        if not lengths or (self.categories and category not in self.categories):
            return None
        if self.classes and demand_class not in self.classes:
            return None
        return max(lengths), bool(self.categories), bool(self.classes)


class SourcingUpsert(Request):
    """Where a SKU can be bought for locations. Replaces what was known of this supplier, SKU and places."""

    supplier: SupplierId
    sku: Sku
    locations: str = Field(default="", pattern=r"^[0-9]{0,6}$", description="Beginning of division codes; empty: all.")
    price: Amount
    currency: Currency = "CNY"
    minimum: Units = 1
    multiple: int = Field(default=1, ge=1, le=1_000_000, strict=True)
    lead_days: int = Field(ge=0, le=366, strict=True, description="As promised, in working days.")
    active: bool = True

    @model_validator(mode="after")
    def _payable(self) -> "SourcingUpsert":
        least = max(self.minimum, self.multiple) * self.price
        if least > AMOUNT_MAX:
            raise ValueError(f"the least that can be bought costs {least}, more than {AMOUNT_MAX}; check the price")
        return self

    @property
    def id(self) -> str:
        return f"{self.supplier}:{self.sku}:{self.locations}"


class Sourcing(Document):
    """Sourcing as it is kept; its id is `<supplier>:<sku>:<locations>`."""

    id: str
    supplier: str
    sku: str
    locations: str = ""
    price: int
    currency: str = "CNY"
    minimum: int = 1
    multiple: int = 1
    lead_days: int
    active: bool = True


class LeadTime(Document):
    """How long goods take from order to shelf, in working days; learned from `n` receipts, or as promised (n = 0).

    Kept in `lead_times` under `<supplier>:<location>`.
    """

    id: str
    supplier: str
    location: str
    mean: float
    deviation: float
    n: int = 0


class Target(Document):
    """When to order, and up to where. `level`: of the quantile that was taken. `terms` go into the explanation."""

    reorder_point: float
    order_up_to: float
    level: float
    terms: dict[str, float | int | str] = {}


class Position(Document):
    """What a location has, and will have, of a SKU: whatever is open counts, whatever its date."""

    on_hand: int = 0
    reserved: int = 0
    backorders: int = 0
    purchases: int = 0
    """Open lines of purchase orders, and proposals that were approved and are not ordered yet."""
    before: int = 0
    """Of these: expected before what is ordered now could come."""
    transfers_in: int = 0
    transfers_out: int = 0
    """Approved and not shipped yet."""

    @property
    def total(self) -> int:
        coming = self.purchases + self.transfers_in
        return self.on_hand + coming - self.reserved - self.backorders - self.transfers_out


class Explanation(Document):
    """Why so many. Each number that made the quantity, and the constraint that bound in the end."""

    demand_mean: float
    level: float
    quantile: float
    protection_days: int
    lead_mean: float
    lead_deviation: float
    lead_n: int = 0
    position: Position
    reorder_point: float
    order_up_to: float
    wanted: float
    """Order-up-to less position, before any constraint."""
    multiple: int = 1
    minimum: int = 0
    capacity: int | None = None
    bound: Constraint = "none"
    moved: int = 0
    """Units that transfers of the same run bring, which therefore need not be bought."""
    surplus: float | None = None
    """Transfers: what the source has beyond its own order-up-to."""
    saved: float | None = None
    """Transfers: minor units saved against leaving the goods and buying, freight taken off."""
    demand_class: DemandClass
    model: str
    coverage: list[Coverage] = []
    policy: str
    policy_version: int
    reasons: list[str] = []
    """Of the choice of supplier, or of the lane."""
    reasons_zh: list[str] = []
    """The same in Chinese."""
    promotions: list[Named] = []
    """Planned for any of the days that the quantity is to last."""
    terms: dict[str, float | int | str] = {}


class Proposal(Document):
    """A quantity that somebody should decide on. `source`: the supplier, or the location that gives."""

    id: str
    """`<run>:<kind>:<source>:<location>:<sku>`."""
    run: str
    region: str
    kind: ProposalKind
    source: str
    location: str
    sku: str
    proposed: int
    """As it was worked out; `quantity` is what holds now."""
    quantity: int
    price: int
    currency: str = "CNY"
    value: int
    due: Day
    explanation: Explanation
    state: ProposalState = "proposed"
    decided_by: str | None = None
    decided_at: Moment | None = None
    reason: str | None = None
    decision: str | None = None
    """What it was decided with; those of one decision are ordered together."""
    ordered_as: str | None = None
    """The purchase order, or the transfer."""
    small: bool = False
    """Of less value than its policy asks anybody about: approved when the run is done."""
    created_at: Moment


def proposal_id(run: str, kind: ProposalKind, source: str, location: str, sku: str) -> str:
    return f"{run}:{kind}:{source}:{location}:{sku}"


def regional(region: str) -> str:
    """The location of a region's own series."""
    return f"{REGIONAL}{region}"


def forecast_id(run: str, location: str, sku: str) -> str:
    return f"{run}:{location}:{sku}"


class OrderLine(Document):
    """One approved proposal on its way to a purchase order."""

    proposal: str
    sku: str
    quantity: int
    price: int
    due: Day


class OrderAsked(Document):
    """Input of the activity ORDER: what one decision orders from one supplier for one location.

    `id` is the same however often it is asked, and names the purchase order: `po-<run>-<n>`. `limits`: of the policy
    of the most valuable line.
    """

    id: str
    run: str
    supplier: str
    location: str
    currency: str
    lines: list[OrderLine]
    limits: list[ApprovalLimit] = []
    by: str
    at: Moment


ORDER = "supply.order"
"""Opens the purchase order and starts its workflow; asked again it changes nothing. Answers with the order's id."""
