"""How many orders of one customer may hold goods for a payment: a place for each, taken before the order is written.

A customer's places are one document, and a place is taken by one conditional write, so that no race gives more of them
than there are. The step in which a hold ends gives its place back; one that was lost by a crash is found out and given
back when a customer is about to be refused.
"""

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from activities.orders.policies import Policies, policy_for
from contracts.refusals import Refusal
from infra.mongo import DuplicateKeyError, Mongo
from workers.gateway.faults import Fault, refused

_WRITTEN_WITHIN = timedelta(minutes=2)
"""A place without an order is given back after this; no placing takes so long."""


class Holds:
    def __init__(self, mongo: Mongo, policies: Policies) -> None:
        self._mongo = mongo
        self._policies = policies

    async def take(self, order: Mapping[str, Any]) -> None:
        """Take a place for an order that is about to be written. Raises Refusal when it may have none."""
        if order["payment"]["method"] != "later":
            return
        customer: str | None = order["customer"]
        if customer is None:
            detail = "An order that is paid later holds goods for somebody."
            raise refused([Fault("customer", "missing", detail, "Send your own id of the customer.")])
        if await self._mongo.orders.find_one({"_id": order["_id"]}, {"_id": 1}):
            return
        policy = policy_for(await self._policies.in_force(), order["channel"], order["division"])
        place = {"order": order["_id"], "at": order["placed_at"]}
        if await self._take(customer, place, policy.holds_per_customer):
            return
        await self._give_back_lost(customer)
        if not await self._take(customer, place, policy.holds_per_customer):
            raise await self._too_many(customer, timedelta(seconds=policy.hold_s))

    async def _take(self, customer: str, place: Mapping[str, Any], most: int) -> bool:
        mine = {"_id": customer, "places.order": place["order"]}
        if await self._mongo.holds.find_one(mine, {"_id": 1}):
            return True
        free = {"_id": customer, f"places.{most - 1}": {"$exists": False}, "places.order": {"$ne": place["order"]}}
        try:
            await self._mongo.holds.update_one(free, {"$push": {"places": place}}, upsert=True)
        except DuplicateKeyError:
            return await self._mongo.holds.find_one(mine, {"_id": 1}) is not None
        return True

    async def _give_back_lost(self, customer: str) -> None:
        """Places of orders that were never written, or hold nothing any more."""
        row = await self._mongo.holds.find_one({"_id": customer})
        places = row["places"] if row else []
        wanted = {"hold_ended": 1}
        orders = {
            order["_id"]: order["hold_ended"]
            async for order in self._mongo.orders.find({"_id": {"$in": [place["order"] for place in places]}}, wanted)
        }
        before = self._mongo.clock.now() - _WRITTEN_WITHIN
        lost = [place["order"] for place in places if orders.get(place["order"], place["at"] < before)]
        if lost:
            await self._mongo.holds.update_one({"_id": customer}, {"$pull": {"places": {"order": {"$in": lost}}}})

    async def _too_many(self, customer: str, hold: timedelta) -> Refusal:
        row = await self._mongo.holds.find_one({"_id": customer})
        places = row["places"] if row else []
        oldest = min((place["at"] for place in places), default=self._mongo.clock.now())
        wait = (oldest + hold - self._mongo.clock.now()).total_seconds()
        return Refusal(
            "too_many_holds",
            f"Customer {customer} has {len(places)} orders that await payment.",
            remedy="Pay or cancel one of them, or wait until its hold ends; Retry-After says when, at the latest.",
            field="customer",
            status=429,
            retry_after=max(1, math.ceil(wait)),
        )
