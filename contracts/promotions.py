"""Promotions that are planned: what is sold with a discount, where, and on which days.

A promotion is changed by a new version, and withdrawn by one that is not active. Versions are kept, each with the time
for which it was the newest: so it can be told at any later time what was planned for a day before that day came.
"""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, model_validator

from contracts.base import Document, Moment, Request
from contracts.ids import LocationId, Sku
from contracts.workdays import Day

DAYS_MAX = 366
Strength = Annotated[float, Field(gt=0, le=1, description="Share of units expected to be sold with a discount.")]
PromotionId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$", examples=["double-12"])]
Category = Annotated[str, Field(min_length=1, max_length=60)]
Division = Annotated[str, Field(pattern=r"^[0-9]{1,6}$")]


class PromotionUpsert(Request):
    """What is planned. Replaces what was planned under the same id.

    It holds for what its SKUs or its categories name, at the locations that it names or that lie in its divisions;
    without either, everywhere.
    """

    id: PromotionId
    first_day: Day
    last_day: Day = Field(description="The last day on which it holds.")
    skus: list[Sku] = Field(default=[], max_length=1000)
    categories: list[Category] = Field(default=[], max_length=100)
    locations: list[LocationId] = Field(default=[], max_length=1000)
    divisions: list[Division] = Field(default=[], max_length=100, description="Beginnings of division codes.")
    strength: Strength = 1.0
    active: bool = Field(default=True, description="False: withdrawn; days that are over stay as they were planned.")

    @model_validator(mode="after")
    def _of_something(self) -> "PromotionUpsert":
        if not self.skus and not self.categories:
            raise ValueError("nothing is promoted; name skus, categories, or both")
        return self

    @model_validator(mode="after")
    def _of_some_days(self) -> "PromotionUpsert":
        if self.last_day < self.first_day:
            raise ValueError("last_day lies before first_day; send a later last_day, or the same for one day")
        if self.last_day - self.first_day >= timedelta(days=DAYS_MAX):
            raise ValueError(f"it lasts more than {DAYS_MAX} days; check the year of last_day, or send it in parts")
        return self


class Promotion(Document):
    """One version, kept in `promotions` under `<promotion>@<version>`."""

    id: str
    promotion: str
    version: int
    first_day: Day
    last_day: Day
    skus: list[str] = []
    categories: list[str] = []
    locations: list[str] = []
    divisions: list[str] = []
    strength: float = 1.0
    active: bool = True
    at: Moment
    replaced_at: Moment | None = None
    """When the next version was written; None: this is the newest."""

    def holds_at(self, location: str, division: str) -> bool:
        if not self.locations and not self.divisions:
            return True
        return location in self.locations or any(division.startswith(prefix) for prefix in self.divisions)

    def holds_for(self, sku: str, category: str) -> bool:
        return sku in self.skus or category in self.categories


class Named(Document):
    """Of an explanation: a promotion that lies within its days."""

    promotion: str
    version: int
    first_day: Day
    last_day: Day
    strength: float


Outcome = Literal["created", "updated", "unchanged"]


def promotion_version(promotion: str, version: int) -> str:
    return f"{promotion}@{version}"
