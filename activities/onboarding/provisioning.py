"""Making a partner: one function for each step, and one that takes it back.

Both may be repeated at any time, and a step may be taken back that was made half or not at all.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any, Literal, Protocol
from zoneinfo import ZoneInfo

from nats.js import JetStreamContext

from activities.onboarding.commission import agreed_rules, rules_of
from activities.onboarding.requirements import RequirementBook
from activities.onboarding.territory import conflicts, in_the_way
from activities.partners.places import renew_network
from activities.settlement.rulebook import drop_rules, put_rules
from contracts.applications import Application, Place
from contracts.base import milliseconds
from contracts.hours import TIME_ZONE
from contracts.onboarding import Provide, ProvisionStep, is_reserved
from contracts.partners import LocationUpsert
from contracts.partnership import SHIPPING, Enrolment, HeldDocument, PartnerRecord
from infra.applications import Applications
from infra.mongo import Mongo, Session
from infra.streams import provision_partner, withdraw_partner

_UNBORN = ("provisioning", "testing")
"""Only such a partner is taken back."""
_TERRITORIES = "territories"
"""The counter that transactions which give territory away write, so that one at a time goes on."""


class CannotBeMade(Exception):
    """A step that no further try can carry out. `code` is stable; nothing personal is in it."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code


class Access(Protocol):
    """The partner's keys and credentials."""

    async def revoke(self, partner: str) -> None:
        """All of them, at once."""


@dataclass(frozen=True, slots=True)
class Hands:
    """What the steps work with."""

    mongo: Mongo
    js: JetStreamContext
    applications: Applications
    book: RequirementBook
    access: Access


Work = Callable[[Hands, Provide], Awaitable[None]]


async def provide(hands: Hands, asked: Provide) -> None:
    """Carry a step out. Raises CannotBeMade when no further try can help."""
    await _DO[asked.step](hands, asked)


async def undo(hands: Hands, asked: Provide) -> None:
    await _UNDO[asked.step](hands, asked)


async def find_partner(mongo: Mongo, partner: str, session: Session | None = None) -> PartnerRecord | None:
    row = await mongo.partners.find_one({"_id": partner}, session=session)
    return PartnerRecord.from_row(row) if row else None


async def _application(hands: Hands, asked: Provide) -> Application:
    found = await hands.applications.find(asked.application)
    if found is None:
        raise CannotBeMade("unknown_application", f"there is no application {asked.application}")
    return found


async def _unborn(hands: Hands, asked: Provide, session: Session | None = None) -> PartnerRecord:
    """The partner that is being made."""
    found = await find_partner(hands.mongo, asked.partner, session)
    if found is None or found.state not in _UNBORN:
        raise CannotBeMade("no_partner_in_the_making", f"{asked.partner} is not being made")
    return found


async def _change(hands: Hands, asked: Provide, **fields: Any) -> None:
    await hands.mongo.partners.update_one(
        {"_id": asked.partner, "state": {"$in": list(_UNBORN)}}, {"$set": fields, "$inc": {"version": 1}}
    )


async def _partner(hands: Hands, asked: Provide) -> None:
    application = await _application(hands, asked)
    standing, company = application.standing, application.fields.company
    if company is None or standing.agreement is None or standing.agreement_until is None:
        raise CannotBeMade("application_incomplete", f"{asked.application} lacks its company or a signed agreement")
    record = PartnerRecord(
        id=asked.partner,
        kind=application.kind,
        state="provisioning",
        name=company.name,
        credit_code=application.credit_code or company.credit_code,
        categories=application.categories,
        application=application.id,
        agreement=standing.agreement,
        agreement_until=standing.agreement_until,
        agreements=standing.agreements,
        documents=held_documents(application),
    )
    row = record.as_row()
    row.pop("_id")
    await hands.mongo.partners.update_one({"_id": asked.partner}, {"$setOnInsert": row}, upsert=True)


async def _no_partner(hands: Hands, asked: Provide) -> None:
    await hands.mongo.partners.delete_one({"_id": asked.partner, "state": {"$in": list(_UNBORN)}})


def held_documents(application: Application) -> list[HeldDocument]:
    """The documents that count for the partner; valid to the end of their last day in China. Pure."""
    held = []
    for item, document in sorted(application.documents.items()):
        if document.file is None:
            continue
        last = document.facts.valid_until if document.facts else None
        held.append(
            HeldDocument(requirement=item, digest=document.file.digest, valid_until=end_of_day(last) if last else None)
        )
    return held


def end_of_day(day: str) -> datetime:
    """Of a day in China, in UTC: the first moment at which what was valid on it is not any more."""
    following = datetime.fromisoformat(day).date() + timedelta(days=1)
    return milliseconds(datetime.combine(following, time(), ZoneInfo(TIME_ZONE)).astimezone(UTC))


async def _territory(hands: Hands, asked: Provide) -> None:
    """Looked at once more where it is given: another may have become a partner since the checks."""
    application = await _application(hands, asked)
    wanted = application.fields.territory
    if wanted is None:
        return

    async def work(session: Session) -> None:
        counter = {"_id": _TERRITORIES}
        await hands.mongo.counters.update_one(counter, {"$inc": {"version": 1}}, upsert=True, session=session)
        await _unborn(hands, asked, session)
        asking = (application.kind, wanted.prefixes, wanted.exclusive, application.categories)
        near = hands.mongo.partners.find({"_id": {"$ne": asked.partner}, **in_the_way(*asking)}, session=session)
        async for row in near:
            if conflicts(*asking, [PartnerRecord.from_row(row)]):
                raise CannotBeMade("territory_taken", f"{row['_id']} has it already")
        change = {"territory": wanted.prefixes, "exclusive": wanted.exclusive}
        await hands.mongo.partners.update_one(
            {"_id": asked.partner}, {"$set": change, "$inc": {"version": 1}}, session=session
        )

    await hands.mongo.transaction(work)


async def _no_territory(hands: Hands, asked: Provide) -> None:
    await _change(hands, asked, territory=[], exclusive=False)


async def _price_list(hands: Hands, asked: Provide) -> None:
    """The one that was agreed."""
    record = await _unborn(hands, asked)
    await _change(hands, asked, price_list=(await _agreed(hands, record)).get("price_list"))


async def _agreed(hands: Hands, record: PartnerRecord) -> dict[str, Any]:
    """The terms that were signed. Raises CannotBeMade."""
    agreement = await hands.mongo.db["agreements"].find_one({"_id": record.agreement}, {"terms": 1})
    if agreement is None:
        raise CannotBeMade("unknown_agreement", f"there is no agreement {record.agreement}")
    terms: dict[str, Any] = agreement.get("terms", {})
    return terms


async def _no_price_list(hands: Hands, asked: Provide) -> None:
    await _change(hands, asked, price_list=None)


def place_id(partner: str, number: int, place: Place) -> str:
    """A place that was given no id is numbered. Pure."""
    return place.id or f"{partner}-{number}"


async def _locations(hands: Hands, asked: Provide) -> None:
    """Places of kinds that ship, with the commission that was agreed. They take no orders before the partner is
    active."""
    application = await _application(hands, asked)
    record = await _unborn(hands, asked)
    if application.kind not in SHIPPING:
        return
    places = {
        place_id(asked.partner, number, one): one for number, one in enumerate(application.fields.places or [], 1)
    }
    if any(is_reserved(name) and not name.startswith(f"{asked.partner}-") for name in places):
        raise CannotBeMade("location_taken", "the id of a place is taken")
    agreed = (await _agreed(hands, record)).get("commission_bp")
    rules = agreed_rules(record.id, location_kind(record), places, agreed)

    async def work(session: Session) -> None:
        known = hands.mongo.locations.find({"_id": {"$in": sorted(places)}}, {"partner": 1}, session=session)
        async for row in known:
            if row.get("partner") != asked.partner:
                raise CannotBeMade("location_taken", f"there is a location {row['_id']} already")
        if await hands.mongo.partners.count_documents({"_id": {"$in": sorted(places)}}, session=session):
            raise CannotBeMade("location_taken", "a place is called as a partner is")
        for name, place in places.items():
            fields = location_fields(name, place, record)
            update = {"$setOnInsert": {**fields, "version": 1}}
            await hands.mongo.locations.update_one({"_id": name}, update, upsert=True, session=session)
        if rules:
            await put_rules(hands.mongo, rules, session)
        await hands.mongo.partners.update_one(
            {"_id": asked.partner}, {"$set": {"locations": sorted(places)}, "$inc": {"version": 1}}, session=session
        )
        await renew_network(hands.mongo, session)

    await hands.mongo.transaction(work)


def location_kind(record: PartnerRecord) -> Literal["seller", "store"]:
    """A distributor sells its own goods, the others the retailer's. Pure."""
    return "seller" if record.kind == "distributor" else "store"


def location_fields(name: str, place: Place, record: PartnerRecord) -> dict[str, Any]:
    """A place of a partner as it is kept among the locations. Pure."""
    location = LocationUpsert(
        id=name,
        kind=location_kind(record),
        name=place.name,
        division=place.division,
        point=place.point,
        active=False,
        ships_to=record.territory,
    )
    return {**location.kept(), "partner": record.id}


async def _no_locations(hands: Hands, asked: Provide) -> None:
    """They never took an order."""

    async def work(session: Session) -> None:
        gone = await hands.mongo.locations.delete_many({"partner": asked.partner, "active": False}, session=session)
        update = {"$set": {"locations": []}, "$inc": {"version": 1}}
        unborn = {"_id": asked.partner, "state": {"$in": list(_UNBORN)}}
        await hands.mongo.partners.update_one(unborn, update, session=session)
        if gone.deleted_count:
            await renew_network(hands.mongo, session)
        await drop_rules(hands.mongo, rules_of(asked.partner), session)

    record = await find_partner(hands.mongo, asked.partner)
    if record is None or record.state in _UNBORN:
        await hands.mongo.transaction(work)


async def _streams(hands: Hands, asked: Provide) -> None:
    record = await _unborn(hands, asked)
    for stream in record.streams:
        await provision_partner(hands.js, stream)


async def _no_streams(hands: Hands, asked: Provide) -> None:
    record = await find_partner(hands.mongo, asked.partner)
    if record is not None and record.state not in _UNBORN:
        return
    for stream in record.streams if record else [asked.partner]:
        await withdraw_partner(hands.js, stream)


async def _access(hands: Hands, asked: Provide) -> None:
    record = await _unborn(hands, asked)
    if record.access == "none":
        await _change(hands, asked, access="to_collect")


async def _no_access(hands: Hands, asked: Provide) -> None:
    record = await find_partner(hands.mongo, asked.partner)
    if record is None or record.state in _UNBORN:
        await _change(hands, asked, access="none")
        await hands.access.revoke(asked.partner)


async def _training(hands: Hands, asked: Provide) -> None:
    application = await _application(hands, asked)
    wanted = await hands.book.pinned(application.requirements)
    courses = [
        Enrolment(course=course.id, enrolled_at=asked.now) for course in wanted.courses_for(application.categories)
    ]
    record = await _unborn(hands, asked)
    if not record.training:
        await _change(hands, asked, training=[course.model_dump() for course in courses])


async def _no_training(hands: Hands, asked: Provide) -> None:
    await _change(hands, asked, training=[])


_DO: dict[ProvisionStep, Work] = {
    "partner": _partner,
    "territory": _territory,
    "price_list": _price_list,
    "locations": _locations,
    "streams": _streams,
    "access": _access,
    "training": _training,
}
_UNDO: dict[ProvisionStep, Work] = {
    "partner": _no_partner,
    "territory": _no_territory,
    "price_list": _no_price_list,
    "locations": _no_locations,
    "streams": _no_streams,
    "access": _no_access,
    "training": _no_training,
}
