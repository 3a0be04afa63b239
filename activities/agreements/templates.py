"""Templates of agreements: plain data in versions that never change, with the layout that each was made for."""

import hashlib
import json
import re
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Literal

from pydantic import Field

from contracts.base import Document
from contracts.partnership import PartnerKind
from contracts.requirements import Words

Condition = Literal["territory", "exclusive", "open", "categories", "commission", "price_list", "first", "renewal"]
SUMS = "SUMS"
"""SHA-256 of every file of a version, as `sha256sum` writes them: a version that was changed is not used."""
_FILE = re.compile(r"^([a-z]+)-([1-9]\d*)\.json$")


class TemplateChanged(Exception):
    """A file of a template does not have the sum that it had when the version was made."""


class UnknownTemplate(LookupError):
    """There is no such template, or none for this kind of partner."""


class Clause(Document):
    """`when`: it is in the agreement only if all of these are so."""

    title: Words
    text: Words
    when: list[Condition] = []


class Defaults(Document):
    """Commercial terms unless others are offered."""

    commission_bp: int | None = None
    price_list: str | None = None
    term_months: int = Field(ge=1)
    notice_days: int = Field(ge=0)


class Template(Document):
    id: str
    version: int
    kind: PartnerKind
    layout: str
    title: Words
    defaults: Defaults
    clauses: list[Clause]

    @property
    def pinned(self) -> str:
        return f"{self.id}@{self.version}"


@cache
def templates() -> dict[str, Template]:
    """All versions, by `<id>@<version>`. Raises TemplateChanged."""
    found: dict[str, Template] = {}
    for name in sums():
        if _FILE.match(name):
            template = Template.model_validate(json.loads(read(name)))
            found[template.pinned] = template
    return found


def template_for(kind: PartnerKind) -> Template:
    """The newest version for a kind of partner. Raises UnknownTemplate."""
    fitting = [template for template in templates().values() if template.kind == kind]
    if not fitting:
        raise UnknownTemplate(f"there is no template for {kind}")
    return max(fitting, key=lambda template: template.version)


def template_named(pinned: str) -> Template:
    """Raises UnknownTemplate."""
    if pinned not in templates():
        raise UnknownTemplate(f"there is no template {pinned}")
    return templates()[pinned]


def digest_of(template: Template) -> str:
    """SHA-256 over the sums of its two files, hex."""
    both = f"{sums()[f'{template.id}-{template.version}.json']} {sums()[template.layout]}"
    return hashlib.sha256(both.encode()).hexdigest()


@cache
def sums() -> dict[str, str]:
    """The pinned sum of each file, by name."""
    lines = _folder().joinpath(SUMS).read_text().splitlines()
    return {name: digest for digest, name in (line.split("  ", 1) for line in lines if line)}


@cache
def read(name: str) -> bytes:
    """A file of a template, looked at before use. Raises TemplateChanged."""
    content = _folder().joinpath(name).read_bytes()
    if hashlib.sha256(content).hexdigest() != sums().get(name):
        raise TemplateChanged(f"{name} is not as it was pinned in {SUMS}; make a new version instead of changing one")
    return content


def _folder() -> Traversable:
    return files("activities.agreements").joinpath("templates")
