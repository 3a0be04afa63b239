"""A partner's locations: whether they are offered orders."""

from infra.mongo import Mongo, Session


async def renew_network(mongo: Mongo, session: Session) -> None:
    """Tell every planner, by the network's version, to read the network anew."""
    await mongo.counters.update_one({"_id": "network"}, {"$inc": {"version": 1}}, upsert=True, session=session)


async def open_places(mongo: Mongo, partner: str, session: Session, *, active: bool) -> None:
    """Let all of a partner's locations take orders, or none of them. What was offered before is theirs still."""
    changed = await mongo.locations.update_many(
        {"partner": partner, "active": {"$ne": active}},
        {"$set": {"active": active}, "$inc": {"version": 1}},
        session=session,
    )
    if changed.modified_count:
        await renew_network(mongo, session)
