"""Keeps what customer service goes by: promises, calendars, teams, rotas. What makes no sense is refused by field."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from activities.service.rota import gaps
from contracts.base import Request, milliseconds
from contracts.refusals import Refusal
from contracts.service_calendar import ServiceCalendar
from contracts.service_policy import ServicePolicyDraft
from contracts.service_teams import RotaDraft, TeamDraft
from infra.mongo import Mongo, Session
from infra.service_book import Book, Kind, Versioned, keep, read_book
from workers.gateway.upserts import refuse_wrong_prefixes

GAPS_WITHIN = timedelta(days=28)


async def keep_version(mongo: Mongo, kind: Kind[Versioned], draft: Request, at: datetime) -> tuple[Versioned, bool]:
    """The newest version now, and whether it is new. In one transaction with what it was held against. Raises
    Refusal."""
    made = milliseconds(at)

    async def work(session: Session) -> tuple[Versioned, bool]:
        book = await read_book(mongo, session)
        refuse(book, draft, made)
        kept = await keep(mongo, kind, draft, made, session)
        return kept, kept.at == made

    return await mongo.transaction(work)


def refuse(book: Book, draft: Request, now: datetime) -> None:
    """Raises Refusal for what no schema can say."""
    if isinstance(draft, ServicePolicyDraft):
        _refuse_policy(book, draft)
    elif isinstance(draft, TeamDraft):
        refuse_wrong_prefixes(_places("regions", draft.regions))
    elif isinstance(draft, RotaDraft):
        _refuse_rota(book, draft, now)


def _refuse_policy(book: Book, draft: ServicePolicyDraft) -> None:
    refuse_wrong_prefixes(_places("regions", draft.regions))
    for number, target in enumerate(draft.targets):
        refuse_wrong_prefixes(_places(f"targets.{number}.regions", target.regions))
    _known(book.calendars, draft.calendar, "calendar", "calendar")
    for number, level in enumerate(draft.ladder):
        rule, field = level.assignee, f"ladder.{number}.assignee"
        if rule.team is not None:
            _known(book.teams, rule.team, "team", f"{field}.team")
        if rule.agent is not None:
            agents = {one.id: one for team in book.teams.values() for one in team.agents}
            _known(agents, rule.agent, "agent", f"{field}.agent")
    for other in book.policies.values():
        shared = set(draft.regions or [""]) & set(other.regions or [""])
        if other.id != draft.id and shared:
            raise Refusal(
                "policy_overlaps",
                f"The policy {other.id} holds for the same region: {min(shared) or 'everywhere'}.",
                remedy=f"Name another region, or send a new version of {other.id}.",
                field="regions",
                status=409,
            )


def _refuse_rota(book: Book, draft: RotaDraft, now: datetime) -> None:
    _known(book.teams, draft.team, "team", "team")
    agents = {one.id: one for one in book.teams[draft.team].agents}
    for number, duty in enumerate(draft.duties):
        _known(agents, duty.agent, f"agent of {draft.team}", f"duties.{number}.agent")
    for number, change in enumerate(draft.changes):
        _known(agents, change.agent, f"agent of {draft.team}", f"changes.{number}.agent")
    if draft.calendar is not None:
        _known(book.calendars, draft.calendar, "calendar", "calendar")
    if draft.whole:
        _refuse_gaps(draft, book.calendars.get(draft.calendar or ""), now)


def _refuse_gaps(draft: RotaDraft, calendar: ServiceCalendar | None, now: datetime) -> None:
    found = gaps(draft, calendar, now, now + max(GAPS_WITHIN, timedelta(days=draft.cycle_days)))
    if found:
        here = ZoneInfo(draft.zone)
        start, end = (moment.astimezone(here) for moment in found[0])
        raise Refusal(
            "rota_gap",
            f"Nobody is on duty from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}, and in {len(found)} stretches "
            "in all, although somebody must be there at any time.",
            remedy="Add duties or changes that fill them, or send whole as false.",
            field="duties",
        )


def _known(known: Mapping[str, object], name: str, what: str, field: str) -> None:
    if name not in known:
        raise Refusal(
            f"unknown_{what.split()[0]}",
            f"There is no {what} {name}.",
            remedy=f"Write one of {', '.join(sorted(known)[:20])}."
            if known
            else f"First make one: there is no {what}.",
            field=field,
        )


def _places(field: str, prefixes: list[str]) -> dict[str, str]:
    return {f"{field}.{number}": prefix for number, prefix in enumerate(prefixes)}
