"""What the checks by machine look at, and how a result is written down."""

from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from contracts.applications import Application, Check, CheckName, Evidence, Facts
from contracts.hours import TIME_ZONE
from contracts.onboarding import Stage, Verdict
from contracts.partnership import PartnerRecord
from contracts.requirements import Item, RequirementSet, Words


@dataclass(frozen=True, slots=True)
class Other:
    """Another application that has something in common with the one that is checked."""

    id: str
    kind: str
    stage: Stage
    shares: frozenset[str]
    """Of credit_code, bank_account, phone."""


@dataclass(frozen=True, slots=True)
class Others:
    """What is known of others: applications that were submitted and not refused, and partners that are not terminated.

    `same_company`: partners with the same credit code; `near`: partners of the same kind whose territory overlaps.
    """

    applications: tuple[Other, ...] = ()
    same_company: tuple[PartnerRecord, ...] = ()
    near: tuple[PartnerRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """One application at one moment."""

    application: Application
    requirements: RequirementSet
    others: Others
    now: datetime
    asked: tuple[Item, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "asked", tuple(self.requirements.asked_of(self.application.categories)))

    @property
    def today(self) -> date:
        """In China."""
        return self.now.astimezone(ZoneInfo(TIME_ZONE)).date()

    def asks(self, item: str) -> bool:
        return any(one.id == item for one in self.asked)

    def facts(self, item: str) -> Facts:
        document = self.application.documents.get(item)
        return (document.facts if document else None) or Facts()

    def fact(self, item: str, name: str) -> Evidence:
        """What a document says, and the sum of the file that it was typed from."""
        document = self.application.documents.get(item)
        value = getattr(self.facts(item), name)
        digest = document.file.digest if document and document.file else None
        source = f"documents.{item}.facts.{name}"
        if name in ("legal_representative", "number"):
            return Evidence(source=source, person=value, digest=digest)
        return Evidence(source=source, value=value, digest=digest)

    def found(
        self, name: CheckName, item: str, verdict: Verdict, code: str, zh: str, en: str, *evidence: Evidence
    ) -> Check:
        """A result. The words hold no personal data."""
        words = Words(zh=zh, en=en)
        return Check(
            name=name, item=item, verdict=verdict, code=code, words=words, evidence=list(evidence), at=self.now
        )


def worst(verdicts: list[Verdict]) -> Verdict:
    """What counts of several: failed before doubtful before not_checked before passed."""
    order: tuple[Verdict, ...] = ("failed", "doubtful", "not_checked", "passed")
    return next((verdict for verdict in order if verdict in verdicts), "not_checked")
