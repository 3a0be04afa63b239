"""A partner that was made comes to its test, and then to life."""

from typing import Literal

from activities.partners.places import open_places
from activities.partners.telling import Told, told_state
from infra.mongo import Mongo, Session


async def become(mongo: Mongo, partner: str, state: Literal["testing", "active"], session: Session) -> list[Told]:
    """Written with the step of the application. An active partner's locations take orders. Raises LookupError when
    there is no such partner."""
    update = {"$set": {"state": state}, "$inc": {"version": 1}}
    changed = await mongo.partners.update_one({"_id": partner}, update, session=session)
    if not changed.matched_count:
        raise LookupError(f"there is no partner {partner}")
    if state == "active":
        await open_places(mongo, partner, session, active=True)
    return told_state(partner, state)
