"""Locations that hold stock and ship: stores, warehouses, marketplace sellers."""

from typing import Literal

from pydantic import Field

from contracts.base import Document, Request
from contracts.divisions import DivisionCode
from contracts.geo import Point
from contracts.ids import LocationId

ACCEPT_WITHIN_S = 30 * 60
SHIP_WITHIN_S = 48 * 3600


class LocationUpsert(Request):
    """A location as a caller describes it. Replaces what was known under the same id."""

    id: LocationId
    kind: Literal["store", "warehouse", "seller"] = "store"
    name: str = Field(min_length=1, max_length=200)
    division: DivisionCode
    point: Point | None = Field(default=None, description="Without a point the location is offered orders last.")
    active: bool = True
    channels: list[str] = Field(default=["online"], min_length=1, max_length=20)
    accept_within_s: int = Field(default=ACCEPT_WITHIN_S, ge=1, le=7 * 86400, description="Seconds to answer an offer.")
    ship_within_s: int = Field(
        default=SHIP_WITHIN_S, ge=1, le=30 * 86400, description="Seconds from acceptance to hand-over."
    )


class Location(Document):
    """A location as it is kept. `lat` and `lon` are WGS84 degrees, whatever datum the caller used."""

    id: str
    kind: str
    name: str
    division: str
    lat: float | None
    lon: float | None
    active: bool
    channels: list[str]
    accept_within_s: int
    ship_within_s: int
    version: int = 1
