"""How risky an application is, 0 to 100, with the terms that it is the sum of. The weights are data. Pure."""

from collections.abc import Iterator
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from contracts.applications import Application, Check, CheckName, Risk, RiskTerm
from contracts.base import Request
from contracts.hours import TIME_ZONE
from contracts.requirements import Words

HIGHEST = 100


class Term(Words):
    """What one term adds, and its words."""

    points: int


class YoungCompany(Term):
    days: int


class WideTerritory(Term):
    digits: int
    """Beginnings of division codes up to so long are wide."""


class Regulated(Term):
    categories: list[str]


class Weights(Request):
    """`checks`: by `<check>.<verdict>`; each counts once, however many items it is about. `must_pass`: checks whose
    failure nobody may waive."""

    version: str
    limit: int
    must_pass: list[CheckName]
    checks: dict[str, Term]
    young_company: YoungCompany
    exclusive: Term
    wide_territory: WideTerritory
    regulated: Regulated


@cache
def builtin_weights() -> Weights:
    return Weights.model_validate_json(files("contracts.data").joinpath("risk.json").read_text())


def risk_of(checks: list[Check], application: Application, now: datetime, weights: Weights | None = None) -> Risk:
    """More bad results never make the score less."""
    weights = weights or builtin_weights()
    today = now.astimezone(ZoneInfo(TIME_ZONE)).date()
    terms = [*_of_checks(checks, weights), *_of_applicant(application, today, weights)]
    score = min(sum(term.points for term in terms), HIGHEST)
    return Risk(score=score, terms=terms, limit=weights.limit, weights=weights.version)


def _of_checks(checks: list[Check], weights: Weights) -> Iterator[RiskTerm]:
    for name, term in weights.checks.items():
        because = [f"{c.name}:{c.item}:{c.code}" for c in checks if f"{c.name}.{c.verdict}" == name]
        if because:
            yield _term(name, term, because)


def _of_applicant(application: Application, today: date, weights: Weights) -> Iterator[RiskTerm]:
    company, territory = application.fields.company, application.fields.territory
    if company is not None and company.established_on is not None:
        age = (today - date.fromisoformat(company.established_on)).days
        if age < weights.young_company.days:
            yield _term("young_company", weights.young_company, ["fields.company.established_on"])
    if territory is not None and territory.exclusive:
        yield _term("exclusive", weights.exclusive, ["fields.territory.exclusive"])
    if territory is not None and any(len(prefix) <= weights.wide_territory.digits for prefix in territory.prefixes):
        yield _term("wide_territory", weights.wide_territory, ["fields.territory.prefixes"])
    regulated = [one for one in application.categories if one in weights.regulated.categories]
    if regulated:
        yield _term("regulated", weights.regulated, [f"categories.{one}" for one in regulated])


def _term(name: str, term: Term, because: list[str]) -> RiskTerm:
    return RiskTerm(term=name, points=term.points, words=Words(zh=term.zh, en=term.en), because=because)
