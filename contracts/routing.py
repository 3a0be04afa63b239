"""The language of the routing decision: what was asked, who could have, who will, and why."""

from typing import Literal

from pydantic import Field

from contracts.base import Document, Moment


class Policy(Document):
    """How orders are routed and how long things may take. Data, versioned; times in seconds."""

    id: str = "default"
    version: int = 1
    max_parcels: int = Field(default=4, ge=1, le=4)
    max_refusals: int = Field(default=3, ge=1, description="Refusals and silences before an order goes to back-order.")
    backorder_retry_s: int = Field(default=4 * 3600, ge=1, description="A safety net: arriving stock wakes at once.")
    backorder_limit_s: int = Field(default=72 * 3600, ge=1)
    candidates_kept: int = Field(default=5, ge=1, le=50)
    payment_tries: int = Field(default=5, ge=1)
    payment_retry_s: int = Field(default=30, ge=1)


class Candidate(Document):
    """A location that could ship some or all of the order. `distance_km` is None where a point is unknown."""

    location: str
    distance_km: float | None
    ships_all: bool
    chosen: bool = False


class AllocatedItem(Document):
    line: int
    sku: str
    quantity: int


class Allocation(Document):
    """Goods of one order from one location."""

    location: str
    distance_km: float | None
    items: list[AllocatedItem]


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
    reason: str
