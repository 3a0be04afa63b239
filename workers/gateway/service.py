"""Routes of what customer service goes by: promises and ladders, calendars, teams, rotas; and what they come to."""

from datetime import datetime
from typing import Annotated, Any, Generic, NamedTuple

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, TypeAdapter

from activities.service.clocks import opened, promise
from activities.service.explaining import DeadlineExplained, explained
from activities.service.rota import duties, gaps, on_duty
from contracts.base import Moment, milliseconds
from contracts.base import Request as Draft
from contracts.caseclock import Priority
from contracts.divisions import DivisionCode
from contracts.refusals import Refusal
from contracts.service_calendar import CalendarDraft, ServiceCalendar
from contracts.service_policy import STANDARD, ServicePolicy, ServicePolicyDraft, Tier
from contracts.service_teams import Rota, RotaDraft, Team, TeamDraft
from infra.keys import Scope
from infra.mongo import Mongo
from infra.service_book import (
    CALENDARS,
    POLICIES,
    ROTAS,
    TEAMS,
    Book,
    Kind,
    Versioned,
    newest_of,
    read_book,
    version_of,
)
from workers.gateway import service_examples as examples
from workers.gateway.answers import Answer, answer
from workers.gateway.body import parse
from workers.gateway.carried import carried_out
from workers.gateway.listing import MomentAsked
from workers.gateway.openapi import answers_with, operation
from workers.gateway.security import Operates
from workers.gateway.servicebook import GAPS_WITHIN, keep_version
from workers.gateway.services import Gateway, gateway_of

router = APIRouter(tags=["service"])
_GAPS_SHOWN = 20


class ServicePolicyList(BaseModel):
    """The newest version of each."""

    policies: list[ServicePolicy]


class ServiceCalendarList(BaseModel):
    """The newest version of each."""

    calendars: list[ServiceCalendar]


class TeamList(BaseModel):
    """The newest version of each."""

    teams: list[Team]


class RotaList(BaseModel):
    """The newest version of each."""

    rotas: list[Rota]


class Now(BaseModel):
    """Somebody on duty, and until when."""

    agent: str
    until: Moment


class Uncovered(BaseModel):
    """Nobody is on duty."""

    start: Moment
    end: Moment


class TeamOnDuty(BaseModel):
    """`next`: who comes next. `gaps`: within four weeks, at most twenty; `gaps_in_all`: how many there are."""

    team: str
    level: int
    now: list[Now]
    next_agent: str | None
    next_at: Moment | None
    gaps: list[Uncovered]
    gaps_in_all: int


class OnDutyView(BaseModel):
    at: Moment
    teams: list[TeamOnDuty]


class DeadlinesView(BaseModel):
    """What a case would be promised that comes to people at a moment, and which hours count."""

    policy: str
    calendar: str
    deadlines: list[DeadlineExplained]


class _Route(NamedTuple, Generic[Versioned]):
    kind: Kind[Versioned]
    draft: TypeAdapter[Any]
    path: str


_POLICY = _Route(POLICIES, TypeAdapter(ServicePolicyDraft), "policies")
_CALENDAR = _Route(CALENDARS, TypeAdapter(CalendarDraft), "calendars")
_TEAM = _Route(TEAMS, TypeAdapter(TeamDraft), "teams")
_ROTA = _Route(ROTAS, TypeAdapter(RotaDraft), "rotas")
_Id = Annotated[str, Path(alias="id", max_length=40)]
_Version = Annotated[int | None, Query(ge=1, le=999_999, description="The newest when left out.")]


def _made(what: str, model: type[BaseModel], draft: type[Draft], example: dict[str, Any]) -> dict[str, Any]:
    there = "Where it can be seen."
    return operation(
        f"Make a new version of a {what}",
        {
            201: answers_with(model, "A new version; it counts at once.", Location=there),
            200: answers_with(model, "The newest version says the same already.", Location=there),
        },
        scope=Scope.OPERATE,
        body=draft,
        examples={"one": example},
    )


def _seen(what: str, model: type[BaseModel]) -> dict[str, Any]:
    return operation(f"See a {what}", {200: answers_with(model, "It.")}, scope=Scope.OPERATE, problems=[404])


def _listed(what: str, model: type[BaseModel]) -> dict[str, Any]:
    return operation(f"List {what}", {200: answers_with(model, "Those that count.")}, scope=Scope.OPERATE)


@router.post("/v1/service/policies", **_made("service policy", ServicePolicy, ServicePolicyDraft, examples.POLICY))
async def make_service_policy(request: Request, caller: Operates) -> Response:
    """Open cases go by the new version from then on: what is due moves, and each says from when to when. What has ended
    or is breached stays as it was promised."""
    return await _make(_POLICY, request, caller)


@router.get("/v1/service/policies", **_listed("service policies", ServicePolicyList))
async def list_service_policies(request: Request, caller: Operates) -> Response:
    """What is promised by priority, tier and region, and the ladder of levels."""
    return await _list(_POLICY, request)


@router.get("/v1/service/policies/{id}", **_seen("service policy", ServicePolicy))
async def see_service_policy(request: Request, caller: Operates, policy: _Id, version: _Version = None) -> Response:
    """Any version that ever counted."""
    return await _see(_POLICY, request, policy, version)


@router.post("/v1/service/calendars", **_made("service calendar", ServiceCalendar, CalendarDraft, examples.CALENDAR))
async def make_service_calendar(request: Request, caller: Operates) -> Response:
    """Hours by the week, several periods a day, holidays with their make-up workdays, days off of one's own. Open cases
    are reckoned anew."""
    return await _make(_CALENDAR, request, caller)


@router.get("/v1/service/calendars", **_listed("service calendars", ServiceCalendarList))
async def list_service_calendars(request: Request, caller: Operates) -> Response:
    """Those that the system brings with it are among them."""
    return await _list(_CALENDAR, request)


@router.get("/v1/service/calendars/{id}", **_seen("service calendar", ServiceCalendar))
async def see_service_calendar(request: Request, caller: Operates, calendar: _Id, version: _Version = None) -> Response:
    """Any version that ever counted."""
    return await _see(_CALENDAR, request, calendar, version)


@router.post("/v1/service/teams", **_made("team", Team, TeamDraft, examples.TEAM))
async def make_team(request: Request, caller: Operates) -> Response:
    """Who is in it and what they can do: languages, dialects, products, cases at once. Names of people have no place
    here; agents go by a pseudonym such as a staff number."""
    return await _make(_TEAM, request, caller)


@router.get("/v1/service/teams", **_listed("teams", TeamList))
async def list_teams(request: Request, caller: Operates) -> Response:
    """By level, region, language, dialect and product they get cases."""
    return await _list(_TEAM, request)


@router.get("/v1/service/teams/{id}", **_seen("team", Team))
async def see_team(request: Request, caller: Operates, team: _Id, version: _Version = None) -> Response:
    """Any version that ever counted."""
    return await _see(_TEAM, request, team, version)


@router.post("/v1/service/rotas", **_made("rota", Rota, RotaDraft, examples.ROTA))
async def make_rota(request: Request, caller: Operates) -> Response:
    """A cycle of days that repeats, and what differs from it. With `whole`, a rota that leaves a gap is refused."""
    return await _make(_ROTA, request, caller)


@router.get("/v1/service/rotas", **_listed("rotas", RotaList))
async def list_rotas(request: Request, caller: Operates) -> Response:
    """One for each team that has any."""
    return await _list(_ROTA, request)


@router.get("/v1/service/rotas/{id}", **_seen("rota", Rota))
async def see_rota(request: Request, caller: Operates, team: _Id, version: _Version = None) -> Response:
    """Any version that ever counted; by the team's id."""
    return await _see(_ROTA, request, team, version)


@router.get(
    "/v1/service/duty",
    **operation("See who is on duty", {200: answers_with(OnDutyView, "By team.")}, scope=Scope.OPERATE, problems=[404]),
)
async def see_duty(
    request: Request,
    caller: Operates,
    team: Annotated[str | None, Query(max_length=40, description="Of this team alone.")] = None,
    at: Annotated[MomentAsked | None, Query(description="Now, when left out.")] = None,
) -> Response:
    """With who comes next, and where nobody is there within four weeks."""
    mongo = gateway_of(request).mongo
    book = await read_book(mongo)
    if team is not None and team not in book.teams:
        raise _unknown("team", team, "teams")
    moment = at or milliseconds(mongo.clock.now())
    shown = [_on_duty(book, one, moment) for one in book.teams.values() if team in (None, one.id)]
    return answer(OnDutyView(at=moment, teams=shown).model_dump(mode="json")).response()


@router.get(
    "/v1/service/deadlines",
    **operation(
        "See what would be promised",
        {200: answers_with(DeadlinesView, "Each deadline with the hours that count.")},
        scope=Scope.OPERATE,
    ),
)
async def see_deadlines(
    request: Request,
    caller: Operates,
    region: Annotated[DivisionCode, Query(examples=["330106"])],
    priority: Priority = "normal",
    tier: Annotated[Tier, Query()] = STANDARD,
    at: Annotated[MomentAsked | None, Query(description="When the case comes to people; now, when left out.")] = None,
) -> Response:
    """For a case of a region, priority and tier; by the versions that count now."""
    mongo = gateway_of(request).mongo
    book = await read_book(mongo)
    given = promise(book.policies.values(), book.calendars.values(), region, priority, tier)
    moment = at or milliseconds(mongo.clock.now())
    view = DeadlinesView(
        policy=given.policy.pinned,
        calendar=given.calendar.pinned,
        deadlines=[explained(one, given, moment) for one in opened(given, moment).promised()],
    )
    return answer(view.model_dump(mode="json")).response()


async def _make(route: _Route[Versioned], request: Request, caller: Operates) -> Response:
    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        draft = parse(route.draft, body)
        kept, new = await keep_version(gateway.mongo, route.kind, draft, gateway.mongo.clock.now())
        path = f"/v1/service/{route.path}/{route.kind.id_of(kept)}?version={kept.version}"
        return answer(kept.model_dump(mode="json"), 201 if new else 200, {"Location": path})

    return await carried_out(request, caller, work)


async def _list(route: _Route[Versioned], request: Request) -> Response:
    found = await newest_of(_mongo(request), route.kind)
    return answer({route.path: [one.model_dump(mode="json") for one in found.values()]}).response()


async def _see(route: _Route[Versioned], request: Request, name: str, version: int | None) -> Response:
    found = await version_of(_mongo(request), route.kind, name, version)
    if found is None:
        raise _unknown(route.kind.name, name if version is None else f"{name}@{version}", route.path)
    return answer(found.model_dump(mode="json")).response()


def _on_duty(book: Book, team: Team, at: datetime) -> TeamOnDuty:
    rota = book.rotas.get(team.id) or Rota(team=team.id, anchor=at.date(), duties=[])
    calendar = book.calendars.get(rota.calendar) if rota.calendar else None
    there = on_duty(rota, calendar, at)
    following = next((one for one in duties(rota, calendar, at, at + GAPS_WITHIN) if one.start > at), None)
    uncovered = gaps(rota, calendar, at, at + GAPS_WITHIN)
    return TeamOnDuty(
        team=team.id,
        level=team.level,
        now=[Now(agent=name, until=one.end) for name, one in sorted(there.items())],
        next_agent=following.agent if following else None,
        next_at=following.start if following else None,
        gaps=[Uncovered(start=start, end=end) for start, end in uncovered[:_GAPS_SHOWN]],
        gaps_in_all=len(uncovered),
    )


def _mongo(request: Request) -> Mongo:
    return gateway_of(request).mongo


def _unknown(what: str, name: str, listed: str) -> Refusal:
    remedy = f"See GET /v1/service/{listed} for those there are."
    return Refusal(f"unknown_{what}", f"There is no {what} {name}.", remedy=remedy, field="id", status=404)
