"""What is known of a series in a run once it is forecast: the row from which transfers and purchases are made."""

from contracts.base import Document
from contracts.promotions import Named
from contracts.supply import Forecast, LeadTime, Position, Sourcing, Target

Key = tuple[str, str]
"""Location and SKU."""


class ChunkSeries(Document):
    """A series in the list of its chunk. `backorders`: units that back-ordered orders near it wait for."""

    location: str
    sku: str
    backorders: int = 0


class Chunk(Document):
    """Series that are worked out together, kept in `supply_chunks` under `<run>:<number>`. A step writes what it made
    and its mark in one transaction, so that a step that is tried again finds either both or nothing."""

    id: str
    run: str
    number: int
    regional: bool
    """Of series of the whole region; they are proposed after the others, whose purchases count for them."""
    series: list[ChunkSeries]
    forecast: bool = False
    proposed: bool = False


class Planned(Document):
    """A series of a run, kept in `forecasts` under the forecast's id."""

    id: str
    run: str
    chunk: int
    location: str
    sku: str
    division: str
    category: str = ""
    forecast: Forecast
    target: Target
    position: Position
    policy: str
    policy_version: int
    sourcing: Sourcing | None = None
    lead: LeadTime | None = None
    lead_days: int = 0
    """Calendar days of that lead, from the run's day."""
    reasons: list[str] = []
    """Why this supplier."""
    reasons_zh: list[str] = []
    """The same in Chinese."""
    price: int = 0
    """Of a unit: as it is bought, else as it is sold."""
    kg: float = 0.5
    giveable: int = 0
    """Units on hand that nobody has reserved and that need not stay on the shelf."""
    promotions: list[Named] = []
    """Planned for any of the forecast's days."""


def chunk_id(run: str, number: int) -> str:
    return f"{run}:{number}"
