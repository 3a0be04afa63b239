"""Writes locations: those that changed in one transaction with the network's version, then each one's event stream."""

from collections.abc import Mapping
from itertools import pairwise

from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from contracts.hours import Hours
from contracts.onboarding import is_partner
from contracts.partners import LocationUpsert
from contracts.refusals import Refusal
from contracts.subjects import RETAILER
from infra.mongo import Mongo
from infra.streams import provision_partners
from workers.gateway.upserts import Written, refuse_wrong_prefixes, write_upserts

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def refuse_location(location: LocationUpsert) -> None:
    """Raises Refusal for what no schema can say. The retailer's own systems hear about orders under one id, and each
    partner under its own."""
    if location.id == RETAILER or is_partner(location.id):
        raise Refusal("id_reserved", f"The id {location.id} is taken.", remedy="Choose another id.", field="id")
    refuse_wrong_prefixes({f"ships_to.{number}": prefix for number, prefix in enumerate(location.ships_to)})
    if location.hours is not None:
        _refuse_overlaps(location.hours)


def _refuse_overlaps(hours: Hours) -> None:
    """Time that is open twice would count twice."""
    for day in _DAYS:
        periods = sorted(getattr(hours, day), key=lambda period: period.opens)
        for one, following in pairwise(periods):
            if following.opens < one.closes:
                detail = f"It is open from {one.opens} to {one.closes} and from {following.opens} already."
                raise Refusal("hours_overlap", detail, remedy="Write both as one period.", field=f"hours.{day}")


async def write_locations(mongo: Mongo, locations: Mapping[str, LocationUpsert]) -> Written:
    return await write_upserts(mongo, mongo.locations, {place: one.kept() for place, one in locations.items()})


async def open_streams(js: JetStreamContext, locations: list[str]) -> None:
    """See to it that each location can read its events. Raises Refusal 503, after which the request may be repeated."""
    failure: BaseException | None = None
    try:
        await provision_partners(js, locations)
    except* (NatsError, TimeoutError, OSError) as errors:
        failure = errors
    if failure is not None:
        raise Refusal(
            "streams_unavailable",
            "The locations are written, but their event streams could not be opened.",
            remedy="Send the same request again after the seconds that Retry-After names.",
            status=503,
            retry_after=2,
        ) from failure
