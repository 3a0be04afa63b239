"""What pulling and the event stream share: where reading begins, and refusals."""

from nats.js import JetStreamContext

from contracts.refusals import Refusal
from infra.hearing import Gone, acknowledged
from infra.mongo import Mongo


def gone(error: Gone, field: str = "after") -> Refusal:
    return Refusal(
        "events_gone",
        f"What follows is kept no more; {error.oldest} is the oldest number that is.",
        remedy=f"Read on from there with after={error.oldest - 1}, and ask for what you missed in another way.",
        field=field,
        status=410,
        oldest=error.oldest,
    )


async def position_of(mongo: Mongo, stream: str) -> int:
    """The highest number that was acknowledged over HTTP; 0: none was."""
    row = await mongo.positions.find_one({"_id": stream}, {"acknowledged": 1})
    return int(row.get("acknowledged", 0)) if row else 0


async def note_over_nats(mongo: Mongo, js: JetStreamContext, stream: str) -> None:
    """Keep what the consumer of a stream has acknowledged before it is set back."""
    change = {"$max": {"over_nats": await acknowledged(mongo, js, stream)}}
    await mongo.positions.update_one({"_id": stream}, change, upsert=True)


async def acknowledge(mongo: Mongo, stream: str, number: int) -> int:
    """Everything up to a number; returns the highest that was ever acknowledged."""
    change = {"$max": {"acknowledged": number}, "$currentDate": {"at": True}}
    await mongo.positions.update_one({"_id": stream}, change, upsert=True)
    return await position_of(mongo, stream)
