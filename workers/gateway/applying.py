"""What an applicant sees of its application: what is asked, what it has supplied, what comes next."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel

from activities.onboarding import bank
from contracts.applications import Application, Check, Facts, Fields
from contracts.onboarding import ItemState, Stage, Verdict
from contracts.requirements import Course, RequirementSet, StockFeedMinimum, Words

NOT_TOLD = frozenset({"duplicate", "territory"})
"""Checks whose results speak of others: with them anybody could find out who else applies."""


class ResultView(BaseModel):
    """A check by machine, as far as it is about what the applicant itself supplied."""

    check: str
    verdict: Verdict
    code: str
    words: Words


class FileView(BaseModel):
    digest: str
    media_type: str
    size: int
    pages: int
    supplied_at: datetime


class ItemView(BaseModel):
    """One thing that is asked. `comment`: of the reviewer who returned it."""

    id: str
    kind: Literal["form", "document", "declaration"]
    title: Words
    help: Words | None
    text: Words | None
    optional: bool
    facts_needed: list[str]
    state: ItemState
    comment: str | None
    results: list[ResultView]
    file: FileView | None
    facts: Facts | None


class DepositView(BaseModel):
    """`tries_left`: how often an amount may still be named."""

    state: str
    tries_left: int


class TurnView(BaseModel):
    """Who is waited for, and until when."""

    who: str
    due: datetime


class StandingView(BaseModel):
    """`comment`: of the reviewer who rejected it."""

    id: str
    stage: Stage
    revision: int
    missing: list[str]
    returned: list[str]
    reasons: list[str]
    comment: str | None
    turn: TurnView | None
    deposit: DepositView | None
    partner: str | None


class ApplicationView(StandingView):
    """Everything, for going on where it was left."""

    kind: str
    region: str
    categories: list[str]
    language: str
    requirements: str
    items: list[ItemView]
    training: list[Course]
    stock_feed_minimum: StockFeedMinimum | None
    fields: Fields
    created_at: datetime
    updated_at: datetime


def standing_view(application: Application) -> dict[str, Any]:
    """Without personal data: this may be kept with an idempotency key."""
    standing = application.standing
    turn, deposit = standing.turn, bank.current(application)
    return {
        "id": application.id,
        "stage": standing.stage,
        "revision": standing.revision,
        "missing": [item.item for item in standing.items if item.state == "missing"],
        "returned": standing.returned,
        "reasons": standing.reasons,
        "comment": standing.comment,
        "turn": {"who": turn.who, "due": turn.due} if turn else None,
        "deposit": {"state": deposit.state, "tries_left": bank.TRIES - len(deposit.tries)} if deposit else None,
        "partner": standing.partner,
    }


def application_view(application: Application, requirements: RequirementSet) -> dict[str, Any]:
    wanted = application.categories
    return {
        **standing_view(application),
        "kind": application.kind,
        "region": application.region,
        "categories": wanted,
        "language": application.language,
        "requirements": application.requirements,
        "items": _items(application, requirements),
        "training": [course.model_dump(mode="json") for course in requirements.courses_for(wanted)],
        "stock_feed_minimum": requirements.stock_feed.model_dump(mode="json") if requirements.stock_feed else None,
        "fields": application.fields.model_dump(mode="json"),
        "created_at": application.created_at,
        "updated_at": application.updated_at,
    }


def _items(application: Application, requirements: RequirementSet) -> list[dict[str, Any]]:
    listed = []
    for item in requirements.asked_of(application.categories):
        standing = application.standing.item(item.id)
        document = application.documents.get(item.id)
        listed.append(
            {
                "id": item.id,
                "kind": item.kind,
                "title": item.title.model_dump(),
                "help": item.help and item.help.model_dump(),
                "text": item.text and item.text.model_dump(),
                "optional": item.optional,
                "facts_needed": item.facts,
                "state": standing.state if standing else "missing",
                "comment": standing.comment if standing else None,
                "results": _results(application, item.id),
                "file": document.file.model_dump(mode="json") if document and document.file else None,
                "facts": document.facts.model_dump(mode="json") if document and document.facts else None,
            }
        )
    return listed


def _results(application: Application, item: str) -> list[dict[str, Any]]:
    """Of what lies there now: an item that was supplied anew has not been checked yet."""
    standing = application.standing.item(item)
    if standing is None or (standing.verdict == "not_checked" and item != bank.ITEM):
        return []
    return [_result(check) for check in application.checks if check.item == item and check.name not in NOT_TOLD]


def _result(check: Check) -> dict[str, Any]:
    return {
        "check": check.name,
        "verdict": check.verdict,
        "code": check.code,
        "words": check.words.model_dump(),
    }
