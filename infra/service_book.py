"""Promises, calendars, teams and rotas as they are kept: versions that never change, of which the newest counts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from contracts import service_calendar, service_policy
from contracts.base import Request
from contracts.service_calendar import ServiceCalendar
from contracts.service_policy import ServicePolicy
from contracts.service_teams import Rota, Team
from infra.mongo import Collection, Mongo, Session

_STAMP = "service_book"
Versioned = TypeVar("Versioned", ServicePolicy, ServiceCalendar, Team, Rota)


@dataclass(frozen=True, slots=True)
class Kind(Generic[Versioned]):
    """One of the four. `key`: the field that is its id; `builtin`: what counts while no version of that id is kept."""

    name: str
    collection: str
    model: type[Versioned]
    key: str
    builtin: Mapping[str, Versioned]

    def of(self, mongo: Mongo) -> Collection:
        found: Collection = getattr(mongo, self.collection)
        return found

    def id_of(self, one: Request) -> str:
        return str(getattr(one, self.key))


POLICIES: Kind[ServicePolicy] = Kind("policy", "service_policies", ServicePolicy, "id", service_policy.BUILTIN)
CALENDARS: Kind[ServiceCalendar] = Kind(
    "calendar", "service_calendars", ServiceCalendar, "id", service_calendar.BUILTIN
)
TEAMS: Kind[Team] = Kind("team", "service_teams", Team, "id", {})
ROTAS: Kind[Rota] = Kind("rota", "service_rotas", Rota, "team", {})


@dataclass(frozen=True, slots=True)
class Book:
    """What counts, in the newest versions, by id; rotas by team. `stamp` grows with every change."""

    stamp: int
    policies: Mapping[str, ServicePolicy]
    calendars: Mapping[str, ServiceCalendar]
    teams: Mapping[str, Team]
    rotas: Mapping[str, Rota]


class ServiceBook:
    """Read again only when something has changed: whether it has is one small read."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._book: Book | None = None

    async def current(self, session: Session | None = None) -> Book:
        """As of the session's snapshot, or of now."""
        stamp = await stamp_of(self._mongo, session)
        if self._book is None or self._book.stamp != stamp:
            self._book = await read_book(self._mongo, session)
        return self._book


async def stamp_of(mongo: Mongo, session: Session | None = None) -> int:
    row = await mongo.counters.find_one({"_id": _STAMP}, session=session)
    return int(row["value"]) if row else 0


async def read_book(mongo: Mongo, session: Session | None = None) -> Book:
    """The stamp is read first: what changes while the rest is read makes the book old, and it is read again."""
    stamp = await stamp_of(mongo, session)
    return Book(
        stamp=stamp,
        policies=await newest_of(mongo, POLICIES, session),
        calendars=await newest_of(mongo, CALENDARS, session),
        teams=await newest_of(mongo, TEAMS, session),
        rotas=await newest_of(mongo, ROTAS, session),
    )


async def newest_of(mongo: Mongo, kind: Kind[Versioned], session: Session | None = None) -> dict[str, Versioned]:
    """By id, in their order."""
    found = dict(kind.builtin)
    async for row in kind.of(mongo).find({"newest": True}, session=session):
        one = kind.model.model_validate(row)
        found[kind.id_of(one)] = one
    return dict(sorted(found.items()))


async def version_of(mongo: Mongo, kind: Kind[Versioned], name: str, version: int | None = None) -> Versioned | None:
    """Any version that ever counted, or the newest; None: there is none."""
    wanted: dict[str, Any] = {kind.key: name} | ({"newest": True} if version is None else {"version": version})
    row = await kind.of(mongo).find_one(wanted)
    if row is not None:
        return kind.model.model_validate(row)
    builtin = kind.builtin.get(name)
    return builtin if builtin is not None and version in (None, builtin.version) else None


async def keep(mongo: Mongo, kind: Kind[Versioned], draft: Request, at: datetime, session: Session) -> Versioned:
    """Make the next version, or find that the newest says the same; `at` tells which. In the caller's transaction."""
    name = kind.id_of(draft)
    before = (await newest_of(mongo, kind, session)).get(name)
    wanted = kind.model.model_validate(
        {**draft.model_dump(mode="json"), "version": before.version + 1 if before else 1, "at": at}
    )
    if before is not None and content(before) == content(wanted):
        return before
    await kind.of(mongo).update_one({kind.key: name, "newest": True}, {"$set": {"newest": False}}, session=session)
    row = {"_id": f"{name}@{wanted.version}", **wanted.model_dump(mode="json"), "newest": True}
    await kind.of(mongo).insert_one(row, session=session)
    await mongo.counters.update_one({"_id": _STAMP}, {"$inc": {"value": 1}}, upsert=True, session=session)
    return wanted


def content(one: Request) -> Mapping[str, Any]:
    """What it says, without which version it is and since when."""
    return one.model_dump(exclude={"version", "at"})
