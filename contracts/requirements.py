"""What is asked of an applicant: requirement sets by kind of partner, region and category, as data with versions.

A set never changes: a change is a new version, and an application keeps the one that counted when it was begun.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from contracts.base import Document, Request
from contracts.carriers import DivisionPrefix
from contracts.partnership import Category, PartnerKind

ItemId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
SetId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
PinnedSet = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}@[1-9]\d{0,5}$")]
"""`<id>@<version>`."""


def _a_day(value: str) -> str:
    return date.fromisoformat(value).isoformat()


Day = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$"), AfterValidator(_a_day)]
"""A calendar day in China, such as 2027-03-31."""


class Words(Request):
    """What a person reads, in both languages."""

    zh: str = Field(min_length=1, max_length=1000)
    en: str = Field(min_length=1, max_length=1000)


FactName = Literal[
    "name",
    "credit_code",
    "legal_representative",
    "scope",
    "number",
    "valid_from",
    "valid_until",
]
"""What the applicant types of a document. name: whom it is made out to; number: its own, or that of the account or
identity card it is about."""
Form = Literal["company", "contact", "bank_account", "territory", "places", "signatories", "stock_feed"]
FORMS: tuple[Form, ...] = ("company", "contact", "bank_account", "territory", "places", "signatories", "stock_feed")


class Item(Request):
    """One thing that the applicant supplies, and that people accept, return or waive.

    form: fields to fill in, `id` is the form's name. document: a file with facts. declaration: a text to agree to.
    """

    id: ItemId
    kind: Literal["form", "document", "declaration"]
    title: Words
    help: Words | None = None
    text: Words | None = Field(default=None, description="Of a declaration: what is declared.")
    optional: bool = False
    categories: list[Category] = Field(
        default=[], max_length=100, description="Asked of those who apply for one of these; empty: of all."
    )
    facts: list[FactName] = Field(default=[], max_length=10, description="Facts of a document that must be given.")
    compared: list[Literal["name", "credit_code", "legal_representative"]] = Field(
        default=[], max_length=3, description="Facts that must equal what the form `company` says."
    )
    covers: Literal["business", "licence"] | None = Field(
        default=None,
        description="business: its scope must cover all categories; licence: those that ask for this licence.",
    )
    expires: bool = Field(default=False, description="Whether it counts only as long as it is valid.")
    valid_days: int = Field(default=90, ge=0, le=3650, description="Days of validity that must be left.")

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "Item":
        if self.kind == "form" and self.id not in FORMS:
            raise ValueError(f"{self.id} is no form; write one of {', '.join(FORMS)}")
        if (self.kind == "declaration") != (self.text is not None):
            raise ValueError(f"{self.id}: a declaration has a text, and nothing else has; add or leave out text")
        if self.kind != "document" and (self.facts or self.compared or self.covers or self.expires):
            raise ValueError(f"{self.id}: only documents have facts; leave out facts, compared, covers and expires")
        return self


class Course(Request):
    """Training that a new partner is enrolled in."""

    id: ItemId
    title: Words
    within_days: int = Field(ge=1, le=365, description="To be completed so many days after activation.")
    categories: list[Category] = Field(default=[], max_length=100)


class StockFeedMinimum(Request):
    """The least that a partner that ships must tell about its stock."""

    skus: int = Field(ge=1, le=1_000_000, description="Articles it tells the stock of.")
    every_minutes: int = Field(ge=1, le=10_080, description="The longest time between two reports.")


class RequirementSet(Request):
    """What is asked in one version. What is left out holds for all. Of the sets that match, the most specific counts:
    the one that names the kind, then the longest beginning of the region, then the one that names a category; then the
    newest version of the first id."""

    id: SetId
    version: int = Field(ge=1, le=999_999, strict=True)
    title: Words
    kinds: list[PartnerKind] = Field(default=[], max_length=6)
    regions: list[DivisionPrefix] = Field(default=[], max_length=500)
    categories: list[Category] = Field(default=[], max_length=100)
    items: list[Item] = Field(min_length=1, max_length=100)
    training: list[Course] = Field(default=[], max_length=50)
    stock_feed: StockFeedMinimum | None = None

    @model_validator(mode="after")
    def _items_once(self) -> "RequirementSet":
        for listed in (self.items, self.training):
            ids = [one.id for one in listed]
            twice = sorted({one for one in ids if ids.count(one) > 1})
            if twice:
                raise ValueError(f"{', '.join(twice)} is listed twice; list it once")
        return self

    @property
    def pinned(self) -> str:
        return f"{self.id}@{self.version}"

    def asked_of(self, categories: Iterable[str]) -> list[Item]:
        """The items that count for an applicant for these categories."""
        wanted = set(categories)
        return [item for item in self.items if not item.categories or wanted & set(item.categories)]

    def courses_for(self, categories: Iterable[str]) -> list[Course]:
        wanted = set(categories)
        return [course for course in self.training if not course.categories or wanted & set(course.categories)]


class CategoryWords(Request):
    """One category of goods. `scope`: words of which a business licence names at least one, where it covers the
    category; `licences`: the same for each licence that the category asks for, by the item's id."""

    id: Category
    title: Words
    scope: list[str] = Field(min_length=1, max_length=100)
    licences: dict[ItemId, list[str]] = Field(default={}, max_length=10)


class Considered(Document):
    """Why a set counts or does not."""

    requirements: str
    matches: bool
    because: str


class Choice(Document):
    chosen: RequirementSet | None
    considered: list[Considered]


def choose(sets: Iterable[RequirementSet], kind: str, region: str, categories: Sequence[str]) -> Choice:
    """The set that counts for an applicant, with the reason for each that was looked at. Pure."""
    newest: dict[str, RequirementSet] = {}
    for one in sets:
        if one.id not in newest or newest[one.id].version < one.version:
            newest[one.id] = one
    looked = [(one, _misfit(one, kind, region, categories)) for one in sorted(newest.values(), key=lambda s: s.id)]
    fitting = [one for one, misfit in looked if misfit is None]
    # max() keeps the first of equals: the first id.
    chosen = max(fitting, key=lambda one: _specific(one, region), default=None)
    considered = [
        Considered(
            requirements=one.pinned,
            matches=misfit is None,
            because=misfit or ("the most specific that matches" if one is chosen else "less specific than another"),
        )
        for one, misfit in looked
    ]
    return Choice(chosen=chosen, considered=considered)


def _misfit(one: RequirementSet, kind: str, region: str, categories: Sequence[str]) -> str | None:
    if one.kinds and kind not in one.kinds:
        return f"is not for the kind {kind}"
    if one.regions and _longest(one, region) < 0:
        return f"is not for the region {region}"
    if one.categories and not set(one.categories) & set(categories):
        return f"is for none of the categories {', '.join(categories) or '(none)'}"
    return None


def _specific(one: RequirementSet, region: str) -> tuple[bool, int, bool]:
    return bool(one.kinds), max(_longest(one, region), 0), bool(one.categories)


def _longest(one: RequirementSet, region: str) -> int:
    """Length of the longest of its prefixes that begins the region; -1: none does."""
    return max((len(prefix) for prefix in one.regions if region.startswith(prefix)), default=-1)


@cache
def builtin_sets() -> Mapping[str, RequirementSet]:
    """The sets that come with the system, by `<id>@<version>`. In the file, items that several sets ask for stand once
    under `items`, and sets name them."""
    data = json.loads(files("contracts.data").joinpath("requirements.json").read_text())
    items, courses = data["items"], data["courses"]
    sets = {}
    for one in data["sets"]:
        whole = {
            **one,
            "items": [{"id": name, **items[name]} for name in one["items"]],
            "training": [{"id": name, **courses[name]} for name in one.get("training", [])],
        }
        made = RequirementSet.model_validate(whole)
        sets[made.pinned] = made
    return sets


@cache
def categories() -> Mapping[str, CategoryWords]:
    """The categories that partners may apply for, by id."""
    data = json.loads(files("contracts.data").joinpath("categories.json").read_text())
    made = [CategoryWords.model_validate(one) for one in data["categories"]]
    return {one.id: one for one in made}
