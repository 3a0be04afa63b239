"""Looks up what an answer needs, and does what a customer has confirmed, through the API."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from activities.service.bot.facts import (
    cancellable,
    eta_of,
    movable,
    price_of,
    refund_of,
    returnable,
    status_of,
)
from activities.service.bot.outlets import hours_fact, named_in, nearest, outlet_fact, outlets_of
from activities.service.bot.places import name_with_city
from contracts.applications import Language
from contracts.bot import Ask, Deed, Fact, Slots
from contracts.cases import CaseRecord
from contracts.divisions import division
from contracts.geo import Point
from infra.bot_api import ApiRefused

CUSTOMER_WORDS = "asked for by the customer in a service case"


class BotApi(Protocol):
    """As in infra.bot_api; every call raises ApiSilent, and `do` ApiRefused."""

    async def order(self, order: str) -> dict[str, Any] | None: ...

    async def returns(self, order: str) -> list[dict[str, Any]]: ...

    async def locations(self, region: str) -> list[dict[str, Any]]: ...

    async def do(self, deed: Deed, body: Mapping[str, Any]) -> dict[str, Any]: ...


class Answering:
    """Facts for one customer, who sees the case's order and orders under its own reference, and no others. A reference
    that only the case's order has told opens that order alone."""

    def __init__(self, api: BotApi) -> None:
        self._api = api

    async def fact(
        self, case: CaseRecord, ask: Ask, text: str, slots: Slots, language: Language, now: datetime
    ) -> Fact:
        """Raises ApiSilent."""
        order = await self._own(case, ask.order) if ask.order else None
        if ask.what == "nearest_outlet":
            return await self._outlets(case, ask, order, now, language)
        if ask.what == "opening_hours":
            return await self._hours(case, ask, order, text, slots, now, language)
        if order is None:
            return Fact("unknown_order", found=False, values={"order": ask.order or ""})
        if ask.deed is not None:
            return await self._done(order, ask.deed, language)
        if ask.what == "order_status":
            return status_of(order, language)
        if ask.what == "delivery_eta":
            return eta_of(order, language, slots.day, now)
        if ask.what == "refund_status":
            return refund_of(order, await self._api.returns(order["id"]), language)
        if ask.what == "cancel_order":
            return cancellable(order, language)
        if ask.what == "change_address":
            return movable(order, slots.address.line if slots.address else None, language)
        if ask.what == "return_request":
            return returnable(order, language)
        return price_of(order, language)

    async def is_theirs(self, case: CaseRecord, order: str) -> bool:
        """Whether the order is one that the customer may see. Raises ApiSilent."""
        return order == case.order or await self._own(case, order) is not None

    async def _own(self, case: CaseRecord, order: str) -> dict[str, Any] | None:
        """None: there is none, or it is somebody else's, which nobody is told."""
        found = await self._api.order(order)
        if found is None or order == case.order:
            return found
        reference = None if case.customer.inferred else case.customer.reference
        return found if reference is not None and found.get("customer") == reference else None

    async def _done(self, order: Mapping[str, Any], deed: Deed, language: Language) -> Fact:
        try:
            body, parcel = _body(deed, order), None
            if deed.what == "return":
                choice = returnable(order, language)
                if choice.kind != "return_confirm":
                    return choice
                parcel = choice.values["parcel"]
                body = {"parcel": parcel, "reason": "changed_mind"}
            after = await self._api.do(deed, body)
        except ApiRefused as refusal:
            return Fact("cannot", found=False, values={"code": refusal.code})
        return outcome_of(deed, after, {"order": deed.order, "parcel": parcel or ""}, body)

    async def _outlets(
        self, case: CaseRecord, ask: Ask, order: Mapping[str, Any] | None, now: datetime, language: Language
    ) -> Fact:
        code, here = _whereabouts(case, ask, order)
        return outlet_fact(outlets_of(await self._around(code)), code, here, now, language)

    async def _hours(
        self,
        case: CaseRecord,
        ask: Ask,
        order: Mapping[str, Any] | None,
        text: str,
        slots: Slots,
        now: datetime,
        language: Language,
    ) -> Fact:
        code, here = _whereabouts(case, ask, order)
        outlets = outlets_of(await self._around(code))
        named = named_in(text, outlets, code)
        first = nearest(outlets, code, here)[:1]
        outlet = named or (first[0][0] if first else None)
        return hours_fact(outlet, name_with_city(code), slots.day, now, language)

    async def _around(self, code: str) -> Sequence[Mapping[str, Any]]:
        """Of the city, or of the province where the city has no store. A district alone may be too narrow: the nearest
        place is often across its border."""
        for digits in (4, 2):
            found = await self._api.locations(code[:digits] if code.isdigit() else code)
            if any(one["active"] and one["kind"] == "store" for one in found):
                return found
        return []


def _whereabouts(case: CaseRecord, ask: Ask, order: Mapping[str, Any] | None) -> tuple[str, Point | None]:
    """The division to look in, and the customer's own point where it is the order's district that is meant."""
    if order is None:
        return ask.division or case.region, None
    code = ask.division or order["division"]
    point = order["ship_to"].get("point")
    there = point is not None and order["division"].startswith(code.rstrip("0"))
    return code, Point.model_validate(point) if there else None


def _body(deed: Deed, order: Mapping[str, Any]) -> dict[str, Any]:
    if deed.what != "address" or deed.address is None:
        return {"reason": CUSTOMER_WORDS}
    before = order["ship_to"]
    ship_to = {
        "name": before.get("name"),
        "address": deed.address.line,
        "division": deed.address.division,
        "point": _point_of(deed.address.division, before),
    }
    return {"ship_to": {name: value for name, value in ship_to.items() if value is not None}}


def _point_of(code: str, before: Mapping[str, Any]) -> dict[str, Any]:
    """Nobody here knows where a street lies. In the same district it is about where it was; elsewhere the middle of the
    city has to do, which is enough to choose a store by."""
    if before["division"] == code:
        return dict(before["point"])
    known = division(code)
    while known.centre is None and known.parent is not None:
        known = division(known.parent)
    return known.centre.model_dump() if known.centre is not None else dict(before["point"])


def outcome_of(deed: Deed, after: Mapping[str, Any], values: dict[str, str], body: Mapping[str, Any]) -> Fact:
    """What a command came to, as the order shows it. Pure."""
    if deed.what == "return":
        return Fact("return_done", values={**values, "return": after["id"]})
    if deed.what == "cancel":
        outcome = (after.get("cancellation") or {}).get("outcome", "pending")
        known = {"cancelled": "cancel_done", "partly": "cancel_partly", "refused": "cancel_refused"}
        return Fact(known.get(outcome, "cancel_pending"), values=values)
    moved = after["ship_to"].get("address") == body["ship_to"]["address"]
    return Fact("address_done" if moved else "address_pending", values=values)
