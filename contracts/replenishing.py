"""What a run of replenishment, its activities and those who call them say to each other."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from contracts.base import Document, Moment, Request
from contracts.carriers import ClockTime, DivisionPrefix
from contracts.hours import TIME_ZONE, TimeZone
from contracts.ids import LocationId, Sku
from contracts.money import AMOUNT_MAX
from contracts.personal import Remark
from contracts.supply import OrderAsked, ProposalId, ProposalKind, RegionId, RunState, Units
from contracts.transfers import OpenTransfer

WORKFLOW = "Replenishment"
ORDERING_WORKFLOW = "SupplyOrdering"
TASK_QUEUE = "supply"
OPEN = "supply.open"
FORECAST = "supply.forecast"
TRANSFERS = "supply.transfers"
PROPOSE = "supply.propose"
CLOSE = "supply.close"
LEFT_OVER = "supply.left_over"
GROUP = "supply.group"
ORDERED = "supply.ordered"
POLICY = "policy"
"""By whom proposals of small value are approved."""

CHUNK = 1_000
"""Series of one step: what is worked out, and written, together."""
DECIDED_AT_ONCE = 1_000
LEFT_AFTER_S = 600
"""A decision of which something is not ordered after so long is ordered again; nothing comes twice by that."""


class Lane(Request):
    """What one way costs and takes, where it differs from the region's terms. Left out: as the terms say."""

    source: LocationId
    destination: LocationId
    fixed: int | None = Field(default=None, strict=True, ge=0, le=AMOUNT_MAX, description="For a trip, in minor units.")
    per_unit: int | None = Field(default=None, strict=True, ge=0, le=AMOUNT_MAX)
    days: float | None = Field(default=None, ge=0, le=60)
    open: bool = True


class TransferTerms(Request):
    """What it costs to move goods between locations; amounts in minor units."""

    fixed: int = Field(
        default=2_000,
        strict=True,
        ge=0,
        le=AMOUNT_MAX,
        description="For each way that is used: loading, unloading, papers.",
    )
    per_km: int = Field(
        default=250, strict=True, ge=0, le=AMOUNT_MAX, description="For each kilometre of a vehicle's round."
    )
    per_kg: int = Field(default=20, strict=True, ge=0, le=AMOUNT_MAX, description="Handling, for each kilogramme.")
    per_unit: int = Field(
        default=10, strict=True, ge=0, le=AMOUNT_MAX, description="Picking and putting away one unit."
    )
    least_units: int = Field(
        default=1, strict=True, ge=1, le=100_000, description="Of all SKUs together, else nothing goes."
    )
    farthest_km: float = Field(default=400, gt=0, le=6_000)
    sources: int = Field(
        default=8, strict=True, ge=1, le=100, description="The nearest so many are asked for a location."
    )
    km_per_day: float = Field(default=400, ge=1, le=3_000)
    cut_off: ClockTime = Field(default="14:00", description="What is approved later leaves a day later.")
    vehicle_kg: int = Field(default=1_500, strict=True, ge=1, le=50_000)
    vehicles: int = Field(default=4, strict=True, ge=1, le=100, description="Of one source, on one day.")
    vehicle_fixed: int = Field(default=5_000, strict=True, ge=0, le=AMOUNT_MAX, description="For a vehicle and day.")
    round_hours: float = Field(default=10, ge=0.25, le=24)
    km_per_hour: float = Field(default=45, ge=1, le=130)
    stop_minutes: int = Field(default=15, strict=True, ge=0, le=240)


class RegionUpsert(Request):
    """A part of the network that is replenished together, by a schedule of its own."""

    id: RegionId
    name: str = Field(default="", max_length=100)
    divisions: list[DivisionPrefix] = Field(default=[], max_length=400, description="Empty: everywhere.")
    hubs: list[LocationId] = Field(
        default=[],
        max_length=50,
        description="Warehouses, also outside of the divisions: they give, and the first one "
        "is filled ahead of what the whole region is expected to need.",
    )
    cron: str | None = Field(
        default=None,
        max_length=100,
        pattern=r"^\S+( \S+){4}$",
        description="When it runs: minute, hour, day, month and weekday, such as 0 3 * * *; none: only when asked.",
    )
    time_zone: TimeZone = TIME_ZONE
    history_days: int = Field(default=180, strict=True, ge=14, le=1_000)
    transfers: TransferTerms = TransferTerms()
    lanes: list[Lane] = Field(default=[], max_length=2_000)

    @field_validator("lanes")
    @classmethod
    def _each_once(cls, lanes: list[Lane]) -> list[Lane]:
        seen = set()
        for lane in lanes:
            if lane.source == lane.destination:
                raise ValueError(f"one leads from {lane.source} to itself; leave it out")
            if (lane.source, lane.destination) in seen:
                raise ValueError(f"two lead from {lane.source} to {lane.destination}; leave one out")
            seen.add((lane.source, lane.destination))
        return lanes


class Region(Document):
    """A region as it is kept."""

    id: str
    name: str = ""
    divisions: list[str] = []
    hubs: list[str] = []
    cron: str | None = None
    time_zone: str = TIME_ZONE
    history_days: int = 180
    transfers: TransferTerms = TransferTerms()
    lanes: list[Lane] = []
    version: int = 1

    def holds(self, division: str) -> bool:
        return not self.divisions or any(division.startswith(prefix) for prefix in self.divisions)


class Replenish(Document):
    """Input of `Replenishment`. Its id is the workflow's. `as_of`: demand is known until then; None: its start."""

    region: str
    as_of: Moment | None = None
    by: str = "schedule"


class RunAsked(Request):
    region: RegionId


class RunStep(Document):
    """One step of a run: what all activities take. `chunk` counts from 0 where the step has several."""

    run: str
    region: str
    chunk: int = 0
    now: Moment


class OpenRun(RunStep):
    workflow: str
    by: str = "schedule"


class CloseRun(RunStep):
    """`state`: how it ended; what was proposed by a run that did not end well is superseded."""

    state: RunState
    progress: "Progress"
    why: str | None = None


class Opened(Document):
    """`regional`: how many of the chunks, the last ones, are of series of the whole region."""

    series: int
    chunks: int
    regional: int = 0


class Made(Document):
    """What a step made: counts for those who look. Series, proposals, and their value in minor units."""

    done: int = 0
    made: int = 0
    value: int = 0
    failed: int = 0


class Progress(Document):
    """How far a run is."""

    run: str = ""
    region: str = ""
    phase: Literal["opening", "forecasting", "transfers", "proposing", "closing", "ordering", "done"] = "opening"
    series: int = 0
    chunks: int = 0
    chunks_forecast: int = 0
    chunks_proposed: int = 0
    forecast: int = 0
    transfers: int = 0
    purchases: int = 0
    value: int = 0
    approved: int = 0

    @property
    def share(self) -> float:
        """From 0 to 1; forecasts are most of the work."""
        if self.phase == "done":
            return 1.0
        whole = max(self.chunks, 1)
        return 0.8 * self.chunks_forecast / whole + 0.15 * self.chunks_proposed / whole


class Run(Document):
    """A run as it is kept in `supply_runs`."""

    id: str
    workflow: str
    region: str
    region_version: int
    state: RunState = "running"
    by: str
    started_at: Moment
    as_of: Moment
    ended_at: Moment | None = None
    series: int
    chunks: int
    regional: int = 0
    progress: Progress | None = None
    why: str | None = None
    """It did not end well."""
    transfer_report: dict[str, float | int | str] = {}


class Closed(Document):
    """`decision`: of what the policy approved by itself; None: nothing."""

    decision: str | None = None
    approved: int = 0


class LeftOver(Document):
    """Decisions whose proposals are not all ordered, although there was time for it."""

    decisions: list[str]


class LookForLeftOver(Document):
    region: str
    now: Moment


class OrderDecision(Document):
    """Input of `SupplyOrdering`: order what was approved under one decision."""

    decision: str


class Orders(Document):
    """What one decision orders: purchases by supplier and location, transfers by both their ends; each with as many
    lines as an order may have. `left`: how many there are besides these."""

    purchases: list[OrderAsked] = []
    transfers: list[OpenTransfer] = []
    left: int = 0


class Group(OrderDecision):
    now: Moment


class OrderedAs(Document):
    """Proposals that are a purchase order or a transfer now."""

    order: str
    proposals: list[str]
    now: Moment


class Where(Request):
    """All undecided proposals that fit."""

    run: Annotated[str, Field(max_length=100)]
    kind: ProposalKind | None = None
    location: LocationId | None = None
    source: LocationId | None = None
    sku: Sku | None = None
    value_at_most: int | None = Field(default=None, strict=True, ge=0, le=AMOUNT_MAX)


class _Chosen(Request):
    ids: list[ProposalId] | None = Field(default=None, min_length=1, max_length=DECIDED_AT_ONCE)
    where: Where | None = Field(default=None, description="In place of ids: all that fit.")
    reason: Remark | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "_Chosen":
        if (self.ids is None) == (self.where is None):
            raise ValueError("send either ids or where")
        return self


class Approvals(_Chosen):
    """Approve proposals as they are."""


class Rejections(_Chosen):
    """Reject proposals; a later run may propose them again."""

    reason: Remark


class Changed(Request):
    id: ProposalId
    quantity: Units = Field(ge=1)
    reason: Remark | None = None


class Changes(Request):
    """Approve proposals with other quantities."""

    proposals: list[Changed] = Field(min_length=1, max_length=DECIDED_AT_ONCE)


def ordering_id(decision: str) -> str:
    """The workflow that orders what was approved under a decision."""
    return f"supply-order-{decision}"


def run_id(workflow: str) -> str:
    """Of a run, out of its workflow's id, to which a schedule adds the moment; fit for ids made from it."""
    return workflow.replace(":", "")
