"""Locations that hold stock and ship: stores, warehouses, marketplace sellers."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from contracts.base import Document, Request
from contracts.carriers import ClockTime, DivisionPrefix
from contracts.divisions import DivisionCode
from contracts.geo import Point, to_wgs84
from contracts.hours import TIME_ZONE, Hours, TimeZone
from contracts.ids import LocationId

ACCEPT_WITHIN_S = 30 * 60
SHIP_WITHIN_S = 48 * 3600
UNITS_MAX = 10_000_000
ChannelName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,40}$")]
Units = Annotated[int, Field(ge=0, le=UNITS_MAX)]


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
    time_zone: TimeZone = TIME_ZONE
    hours: Hours | None = Field(default=None, description="Left out: always open. Times to answer count open hours.")
    cut_off: ClockTime | None = Field(default=None, description="Orders after it are handed over the next open day.")
    capacity_per_day: int | None = Field(
        default=None, ge=0, le=UNITS_MAX, description="Parcels it takes in a day, its own time."
    )
    capacity_per_hour: int | None = Field(default=None, ge=0, le=UNITS_MAX, description="Parcels it takes in an hour.")
    safety_stock: int = Field(default=0, ge=0, le=UNITS_MAX, description="Units of every SKU that stay on its shelf.")
    channel_buffers: dict[ChannelName, Units] = Field(
        default={}, max_length=20, description="Further units kept back from a channel's orders."
    )
    ships_to: list[DivisionPrefix] = Field(
        default=[], max_length=400, description="Its licensed region: beginnings of division codes; empty: everywhere."
    )

    def kept(self) -> dict[str, Any]:
        """Its fields as they are kept, without its id and version."""
        point = to_wgs84(self.point) if self.point is not None else None
        fields = self.model_dump(mode="json", exclude={"id", "point"})
        return {**fields, "lat": point.lat if point else None, "lon": point.lon if point else None}


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
    time_zone: str = TIME_ZONE
    hours: Hours | None = None
    cut_off: str | None = None
    capacity_per_day: int | None = None
    capacity_per_hour: int | None = None
    safety_stock: int = 0
    channel_buffers: dict[str, int] = {}
    ships_to: list[str] = []
    version: int = 1
