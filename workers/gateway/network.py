"""Writes locations: those that changed in one transaction with the network's version, then each one's event stream."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from contracts.geo import to_wgs84
from contracts.partners import LocationUpsert
from contracts.refusals import Refusal
from contracts.subjects import RETAILER
from infra.mongo import Mongo, ReplaceOne, Session
from infra.streams import provision_partners


@dataclass(frozen=True, slots=True)
class Written:
    outcomes: Mapping[str, Literal["created", "updated", "unchanged"]]
    network_version: int


def refuse_reserved(location: LocationUpsert) -> None:
    """The retailer's own systems hear about orders under this id."""
    if location.id == RETAILER:
        raise Refusal("id_reserved", f"The id {RETAILER} is taken.", remedy="Choose another id.", field="id")


def fields_of(location: LocationUpsert) -> dict[str, Any]:
    """A location as it is kept, without its version."""
    point = to_wgs84(location.point) if location.point is not None else None
    return {
        **location.model_dump(exclude={"id", "point"}),
        "lat": point.lat if point else None,
        "lon": point.lon if point else None,
    }


async def write_locations(mongo: Mongo, locations: Mapping[str, LocationUpsert]) -> Written:
    """A location that is sent as it is known keeps its version, and nobody need read the network anew."""

    async def work(session: Session) -> Written:
        wanted = {"_id": {"$in": sorted(locations)}}
        known = {row["_id"]: row async for row in mongo.locations.find(wanted, session=session)}
        outcomes: dict[str, Literal["created", "updated", "unchanged"]] = {}
        writes = []
        for place, location in locations.items():
            before, fields = known.get(place), fields_of(location)
            if before is not None and all(before.get(name) == value for name, value in fields.items()):
                outcomes[place] = "unchanged"
                continue
            outcomes[place] = "updated" if before else "created"
            version = before["version"] + 1 if before else 1
            writes.append(ReplaceOne({"_id": place}, {**fields, "version": version}, upsert=True))
        if writes:
            await mongo.locations.bulk_write(writes, ordered=False, session=session)
            await mongo.counters.update_one({"_id": "network"}, {"$inc": {"version": 1}}, upsert=True, session=session)
        counter = await mongo.counters.find_one({"_id": "network"}, session=session)
        return Written(outcomes, counter["version"] if counter else 0)

    return await mongo.transaction(work)


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
