"""Carriers: where they go, what they ask, how long they take; labels and tracking on one scale for all of them."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from contracts.base import Document, Moment, Request
from contracts.money import AMOUNT_MAX, Amount

ServiceId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,30}/[a-z0-9-]{1,30}$")]
"""`<carrier>/<service>`, such as `shun/express`."""
CarrierId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,30}$")]
DivisionPrefix = Annotated[str, StringConstraints(pattern=r"^(\d{1,2}|\d{4}|\d{6}|BR(-[A-Z]{2})?)?$")]
"""The beginning of a division code: a great region of China (3 is the east), a province (33), a prefecture (3301), a
county, BR, BR-SP; empty is everywhere."""
TrackingCode = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f]{1,60}$")]
ZoneName = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f.$]{1,30}$")]
WEIGHT_MAX_G = 100_000_000
ClockTime = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class Rate(Request):
    """What a parcel costs in one zone and how long it takes. Prices in minor units, days are calendar days."""

    first_g: int = Field(ge=1, le=WEIGHT_MAX_G, description="Weight that the first price covers.")
    first_price: Amount
    step_g: int = Field(ge=1, le=WEIGHT_MAX_G)
    step_price: Amount = Field(description="For every step begun beyond the first weight.")
    days: int = Field(ge=0, le=60, description="From the day of collection to the day of delivery.")


class ZoneRule(Request):
    """Parcels from one area to another are in this zone. The most specific rule counts (longest prefixes together,
    the destination's first); `same` asks that origin and destination share so many leading characters of their code
    (2: same province, 4: same prefecture, 5: same state of Brazil) and is as specific as prefixes of that length."""

    zone: ZoneName
    origin: DivisionPrefix = ""
    destination: DivisionPrefix = ""
    same: Literal[0, 2, 4, 5, 6] = 0


class Surcharge(Request):
    """Remote areas cost more and take longer."""

    destination: DivisionPrefix
    price: Amount = 0
    days: int = Field(default=0, ge=0, le=60)


class Service(Request):
    """One way in which a carrier carries parcels. A pair of places without a zone rule is not served."""

    id: ServiceId
    name: str = Field(min_length=1, max_length=100)
    zones: list[ZoneRule] = Field(min_length=1, max_length=500)
    rates: dict[ZoneName, Rate] = Field(min_length=1, max_length=500, description="By zone.")
    surcharges: list[Surcharge] = Field(default=[], max_length=500)
    volumetric_divisor: int | None = Field(
        default=6000,
        ge=1,
        le=1_000_000,
        description="Cubic centimetres that count as a kilogram; None: only the scales count.",
    )
    cut_off: ClockTime = Field(default="18:00", description="Parcels ready by then, local time, go the same day.")
    max_weight_g: int = Field(default=30_000, ge=1, le=WEIGHT_MAX_G, description="Of the weight that is paid for.")

    @model_validator(mode="after")
    def _every_zone_has_a_rate(self) -> "Service":
        lacking = sorted({rule.zone for rule in self.zones} - set(self.rates))
        if lacking:
            raise ValueError(f"zones without a rate: {', '.join(lacking)}; add each of them to rates")
        return self

    @model_validator(mode="after")
    def _heaviest_parcel_can_be_paid(self) -> "Service":
        remote = max((surcharge.price for surcharge in self.surcharges), default=0)
        for zone, rate in self.rates.items():
            steps = max(0, -(-(self.max_weight_g - rate.first_g) // rate.step_g))
            if rate.first_price + steps * rate.step_price + remote > AMOUNT_MAX:
                raise ValueError(
                    f"a parcel of {self.max_weight_g} g would cost more than {AMOUNT_MAX} in the zone {zone}; "
                    "correct step_g and the prices, in minor units, or max_weight_g"
                )
        return self


class TrackingState(StrEnum):
    """One scale for all carriers. It never runs backwards, except that a parcel may be turned round to its sender."""

    LABELLED = "labelled"
    COLLECTED = "collected"
    IN_TRANSIT = "in_transit"
    OUT_FOR_DELIVERY = "out_for_delivery"
    AWAITING_PICKUP = "awaiting_pickup"
    DELIVERED = "delivered"
    REFUSED = "refused"
    RETURNING = "returning"
    RETURNED = "returned"
    LOST = "lost"


class CarrierUpsert(Request):
    """A carrier as a caller describes it. Replaces what was known under the same id."""

    id: CarrierId
    name: str = Field(min_length=1, max_length=100)
    active: bool = True
    services: list[Service] = Field(min_length=1, max_length=20)
    codes: dict[TrackingCode, TrackingState] = Field(
        default={}, max_length=500, description="What its scans mean: its own code, and the state on our scale."
    )

    @model_validator(mode="after")
    def _services_are_its_own(self) -> "CarrierUpsert":
        ids = [service.id for service in self.services]
        if foreign := [one for one in ids if not one.startswith(f"{self.id}/")]:
            raise ValueError(f"{foreign[0]} is not named after its carrier; write {self.id}/{foreign[0].split('/')[1]}")
        if len(set(ids)) != len(ids):
            raise ValueError("two services carry the same id; give each its own")
        return self


class Carrier(Document):
    """A carrier as it is kept."""

    id: str
    name: str
    active: bool = True
    services: list[Service]
    codes: dict[str, TrackingState] = {}
    version: int = 1


class TrackingReport(Request):
    """One scan as a carrier reports it: its own code, its own number, when and where."""

    id: str = Field(min_length=1, max_length=100, description="The same scan reported twice carries the same id.")
    tracking: str = Field(min_length=1, max_length=100)
    code: TrackingCode = Field(description="The carrier's own code.")
    at: Moment
    place: str | None = Field(default=None, max_length=200)


class Scan(Document):
    """One scan on our scale, as it is kept with its parcel. `id` is the carrier's, unique with `carrier`."""

    id: str
    carrier: str
    state: TrackingState
    at: Moment
    place: str | None = None


LabelOperation = Literal["book", "void"]


class LabelIntent(Document):
    """A label to be booked at a carrier, or to be voided there, under an idempotency key of its own.

    `dropped` was voided, or never booked; `declined` was refused: when voiding, because the parcel is on its way.
    """

    key: str
    number: int = 1
    service: str
    operation: LabelOperation = "book"
    state: Literal["todo", "done", "declined", "failed", "dropped"] = "todo"
    tries: int = 0
    not_before: Moment | None = None
    tracking: str | None = None
    booked_at: Moment | None = None
    declined: list[str] = []
    """Services that were asked before and did not take the parcel."""
    remaining_s: dict[TrackingState, int] = {}
    """Seconds from a state to delivery, as expected of the service when the label was booked."""


LABELS_PER_REQUEST = 200


class LabelInstruction(Document):
    """Please carry this parcel, or do not any more. The same key always means the same parcel and service."""

    key: str
    operation: LabelOperation = "book"
    parcel: str
    service: str
    origin: str
    destination: str
    weight_g: int
    volume_cm3: int = 0


class LabelOutcome(Document):
    """`done` and `declined` are final; `failed` is unknown or temporary: ask again under the same key."""

    key: str
    status: Literal["done", "declined", "failed"]
    operation: LabelOperation = "book"
    tracking: str | None = None
    label_url: str | None = None
    price: int | None = None
    code: str | None = None
    detail: str | None = None


class LabelInstructions(Document):
    """Body of a request to a carrier port; every item has its own key and its own answer."""

    instructions: list[LabelInstruction] = Field(min_length=1, max_length=LABELS_PER_REQUEST)


class LabelOutcomes(Document):
    """Its answer, in the order of the instructions."""

    outcomes: list[LabelOutcome]


class Alternative(Document):
    """A service that would take a parcel whose first one did not. `price` in minor units."""

    service: str
    price: int


class LabelAnswer(Document):
    """What an order hears of its label: the carrier's outcome, and what the tables say besides."""

    outcome: LabelOutcome
    alternatives: list[Alternative] = []
    remaining_s: dict[TrackingState, int] = {}
