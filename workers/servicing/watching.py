"""Opens cases by what orders tell: a parcel that is or will be late, an order that nobody takes, a refund that fails, a
partner that has accepted and is silent. And tells the cases that it is over.

What is told lies in the outbox in turns that are numbered without gaps; the last turn that was read is kept, so that
nothing is passed by. An event opens one case, however often it is read.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from activities.service.opening import found_by_system
from activities.service.work import SYSTEM
from contracts.caseclock import Priority
from contracts.cases import PEOPLE, SETTLES, CaseEvent, CaseKind, Found, Settled, new_case_id
from infra.cases import Cases
from workers.servicing.loop import for_ever

_EVERY_S = 1.0
_POSITION = "service_watch"
REFUSALS = 3
"""So often stores have refused or not answered, and somebody should look."""
WATCHED = ("parcel.late_predicted.v1", "parcel.late.v1", "order.attention.v1", "order.backordered.v1")
_MONEY = frozenset({"payment_failed", "payment_declined"})


class Watching:
    def __init__(self, cases: Cases) -> None:
        self._cases = cases
        self._mongo = cases.mongo

    async def run(self) -> None:
        await for_ever(self.once, _EVERY_S, "watching")

    async def once(self) -> int:
        """Read what was told since; how many cases were opened, have heard more, or that it is over."""
        kept = await self._mongo.counters.find_one({"_id": _POSITION})
        newest = await self._mongo.outbox.find_one({"turn": {"$exists": True}}, {"turn": 1}, sort=[("turn", -1)])
        top = int(newest["turn"]) if newest else 0
        if kept is None:
            # What was told before there was service is over.
            await self._keep(top)
            return 0
        found = 0
        wanted = {"turn": {"$gt": int(kept["value"]), "$lte": top}, "events.type": {"$in": [*WATCHED, *SETTLES]}}
        async for row in self._mongo.outbox.find(wanted, {"events": 1}).sort([("turn", 1), ("at", 1), ("key", 1)]):
            over = []
            for event in row["events"]:
                if event["type"] in WATCHED:
                    found += await self._heard(orjson.loads(event["body"]))
                elif event["type"] in SETTLES:
                    over.append(orjson.loads(event["body"]))
            found += await self._settled(over)
        if top > int(kept["value"]):
            await self._keep(top)
        return found

    async def _keep(self, turn: int) -> None:
        await self._mongo.counters.update_one({"_id": _POSITION}, {"$max": {"value": turn}}, upsert=True)

    async def _heard(self, event: Mapping[str, Any]) -> bool:
        data = event["data"]
        order = await self._mongo.orders.find_one(
            {"_id": data["order"]},
            {"attention": 1, "refusals": 1, "payment.intents": 1, "parcels.id": 1, "parcels.location": 1,
             "parcels.state": 1, "parcels.due": 1},
        )  # fmt: skip
        if order is None:
            return False
        told = what_is_wrong(event["type"], data, order)
        if told is None:
            return False
        kind, priority, parcel, partner = told
        found = Found(kind=kind, cause=event["id"], priority=priority)
        opened = await found_by_system(
            self._cases,
            new_case_id(),
            found,
            data["order"],
            self._mongo.clock.now(),
            parcel=parcel,
            partner=partner,
        )
        return opened is not None

    async def _settled(self, over: Sequence[Mapping[str, Any]]) -> int:
        """Tell the cases that are about these orders, which are few; how many there are."""
        about = {f"order:{one['data']['order']}": one for one in over}
        if not about:
            return 0
        kinds = sorted(frozenset().union(*SETTLES.values()))
        wanted = {"same": {"$in": list(about)}, "kind": {"$in": kinds}, "state": {"$in": sorted(PEOPLE)}}
        told = []
        async for case in self._mongo.cases.find(wanted, {"same": 1}):
            event = about[case["same"]]
            asked = Settled(by=event["type"], cause=event["id"])
            told.append(
                CaseEvent(
                    id=f"settled:{event['id']}",
                    case=case["_id"],
                    at=self._mongo.clock.now(),
                    by=SYSTEM,
                    what="settled",
                    data=asked.model_dump(),
                )
            )
        await self._cases.write_events(told)
        return len(told)


def what_is_wrong(
    kind: str, data: Mapping[str, Any], order: Mapping[str, Any]
) -> tuple[CaseKind, Priority, str | None, str | None] | None:
    """What a case is to be about, how urgent it is, and which parcel and partner it concerns. Pure."""
    if kind == "parcel.late_predicted.v1":
        return "late_predicted", "normal", data["parcel"], data["location"]
    if kind == "parcel.late.v1":
        return "late_missed", "high", data["parcel"], data["location"]
    if kind == "order.backordered.v1":
        # `refusals` begins anew with every round of offers: where only two stores are near, it never gets to three.
        given_back = sum(one["state"] in ("rejected", "expired") for one in order["parcels"])
        return ("order_refused", "normal", None, None) if max(order["refusals"], given_back) >= REFUSALS else None
    code = (order.get("attention") or {}).get("code")
    if code in _MONEY:
        stuck = [one for one in order["payment"]["intents"] if one["state"] in ("failed", "declined")]
        return ("refund_failed", "high", None, None) if any(i["operation"] == "refund" for i in stuck) else None
    if code == "ship_overdue":
        held = [one for one in order["parcels"] if one["state"] in ("accepted", "packed") and one.get("due") is None]
        parcel = held[0] if held else None
        return "partner_silent", "normal", parcel and parcel["id"], parcel and parcel["location"]
    return None
