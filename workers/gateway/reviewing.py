"""What reviewers see: the queue of applications, and one of them with all that was checked."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel

from contracts.applications import Application, Check, Fields, Risk, SuppliedDocument
from contracts.onboarding import ItemStanding, Stage, Standing, Turn, onboarding_id
from contracts.turns import waits_for
from infra.audit import read_audit
from infra.mongo import Mongo
from workers.gateway.cursors import cursor_of, from_milliseconds, position_of, to_milliseconds

QUEUED: tuple[Stage, ...] = ("review",)
"""Stages at which reviewers are waited for."""
_LISTED = {
    "kind": 1,
    "region": 1,
    "categories": 1,
    "requirements": 1,
    "fields.company.name": 1,
    "standing": 1,
    "created_at": 1,
    "updated_at": 1,
}
"""Of an application in a list: nothing personal is read."""
_NO_TURN = datetime.fromisoformat("8999-01-01T00:00:00+00:00")


class ReviewLinks(BaseModel):
    """`workflow`: in the Temporal UI."""

    self: str
    workflow: str | None


class ReviewRow(BaseModel):
    """`waits_for`: who is waited for and until when, in words."""

    application: str
    company: str | None
    kind: str
    region: str
    categories: list[str]
    stage: Stage
    revision: int
    risk: int | None
    reviewers_needed: int
    approved_by: list[str]
    undecided: list[str]
    reasons: list[str]
    partner: str | None
    turn: Turn | None
    overdue: bool
    waits_for: str
    updated_at: datetime
    links: ReviewLinks


class ReviewPage(BaseModel):
    """`next` is the cursor of the following page; null on the last one."""

    reviews: list[ReviewRow]
    next: str | None


class DepositView(BaseModel):
    """Without its amount, which only the applicant's bank may tell."""

    number: int
    state: str
    code: str | None
    tries: int
    wanted_at: datetime


class AuditLine(BaseModel):
    """Who saw or decided what, when."""

    subject: str
    at: datetime
    by: str
    did: str
    what: str | None = None
    note: str | None = None


class ReviewView(ReviewRow):
    """All of an application. It holds personal data, so that to look is written down."""

    requirements: str
    language: Literal["zh", "en"]
    fields: Fields
    documents: dict[str, SuppliedDocument]
    declarations: list[str]
    items: list[ItemStanding]
    checks: list[Check]
    risk_terms: Risk | None
    deposits: list[DepositView]
    agreement: str | None
    audit: list[AuditLine]


class Queue:
    """Applications in the order in which their turns are due."""

    def __init__(self, mongo: Mongo, link: Any) -> None:
        self._mongo = mongo
        self._link = link

    async def page(
        self,
        now: datetime,
        stages: tuple[Stage, ...],
        kind: str | None,
        region: str | None,
        overdue: bool | None,
        limit: int,
        cursor: str | None,
        company: str | None = None,
    ) -> dict[str, Any]:
        """`company`: its credit code, or a part of its name."""
        conditions: list[dict[str, Any]] = [{"standing.stage": {"$in": list(stages)}}]
        if company is not None:
            named = {"fields.company.name": {"$regex": re.escape(company), "$options": "i"}}
            conditions.append({"$or": [{"credit_code": company.upper()}, named]})
        if kind is not None:
            conditions.append({"kind": kind})
        if region is not None:
            conditions.append({"region": {"$regex": f"^{region}"}})
        if overdue is not None:
            late = {"$or": [{"standing.turn.due": {"$lt": now}}, {"standing.turn.escalated": {"$gt": 0}}]}
            conditions.append(late if overdue else {"$nor": [late]})
        if cursor is not None:
            conditions.append(_after(cursor))
        order = [("standing.turn.due", 1), ("_id", 1)]
        found = self._mongo.applications.find({"$and": conditions}, _LISTED).sort(order).limit(limit + 1)
        rows = [row async for row in found]
        views = [self.row(row, now) for row in rows[:limit]]
        return {"reviews": views, "next": _cursor(rows[limit - 1]) if len(rows) > limit else None}

    def row(self, row: Mapping[str, Any], now: datetime) -> dict[str, Any]:
        standing = Standing.model_validate(row["standing"])
        company = (row.get("fields") or {}).get("company") or {}
        return self._view(row["_id"], row, standing, company.get("name"), row["updated_at"], now)

    def _view(
        self,
        application: str,
        row: Mapping[str, Any],
        standing: Standing,
        company: str | None,
        updated_at: datetime,
        now: datetime,
    ) -> dict[str, Any]:
        turn = standing.turn
        return {
            "application": application,
            "company": company,
            "kind": row["kind"],
            "region": row["region"],
            "categories": row["categories"],
            "stage": standing.stage,
            "revision": standing.revision,
            "risk": standing.risk,
            "reviewers_needed": standing.reviewers_needed,
            "approved_by": standing.approved_by,
            "undecided": standing.undecided,
            "reasons": standing.reasons,
            "partner": standing.partner,
            "turn": turn.model_dump(mode="json") if turn else None,
            "overdue": turn is not None and (turn.escalated > 0 or turn.due < now),
            "waits_for": waits_for(standing),
            "updated_at": updated_at,
            "links": {
                "self": f"/v1/reviews/{application}",
                "workflow": self._link(onboarding_id(application)),
            },
        }

    async def whole(self, application: Application, now: datetime) -> dict[str, Any]:
        row = {"kind": application.kind, "region": application.region, "categories": application.categories}
        company = application.fields.company.name if application.fields.company else None
        standing = application.standing
        return {
            **self._view(application.id, row, standing, company, application.updated_at, now),
            "requirements": application.requirements,
            "language": application.language,
            "fields": application.fields.model_dump(mode="json"),
            "documents": {name: one.model_dump(mode="json") for name, one in application.documents.items()},
            "declarations": sorted(application.declarations),
            "items": [item.model_dump(mode="json") for item in standing.items],
            "checks": [check.model_dump(mode="json") for check in application.checks],
            "risk_terms": application.risk.model_dump(mode="json") if application.risk else None,
            "deposits": [
                {
                    "number": one.number,
                    "state": one.state,
                    "code": one.code,
                    "tries": len(one.tries),
                    "wanted_at": one.wanted_at,
                }
                for one in application.deposits
            ],
            "agreement": standing.agreement,
            "audit": await self.audit(application),
        }

    async def audit(self, application: Application) -> list[dict[str, Any]]:
        """Who did and saw what with it, and with the partner that it led to."""
        subjects = [application.id] + ([application.standing.partner] if application.standing.partner else [])
        return [line(row) for row in await read_audit(self._mongo, subjects)]


def line(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("subject", "at", "by", "did", "what", "note")}


def _cursor(row: Mapping[str, Any]) -> str:
    turn = row["standing"].get("turn")
    return cursor_of(to_milliseconds(turn["due"] if turn else _NO_TURN), row["_id"])


def _after(cursor: str) -> dict[str, Any]:
    """Those without a turn come first, as null sorts before every moment."""
    moment, last = position_of(cursor, (int, str))
    due = from_milliseconds(moment)
    if due >= _NO_TURN:
        return {"$or": [{"standing.turn.due": {"$ne": None}}, {"standing.turn.due": None, "_id": {"$gt": last}}]}
    return {"$or": [{"standing.turn.due": {"$gt": due}}, {"standing.turn.due": due, "_id": {"$gt": last}}]}
