"""What one step does to one case: its new state, and everything that must be written or told with it. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from pydantic import BaseModel

from activities.service.clocks import Promise
from contracts.caseclock import CaseClocks
from contracts.cases import CaseEntry, CaseEvent, CaseMessage, CaseRecord, Sender
from contracts.refusals import Refusal

SYSTEM = "tongqu"
BOT = "bot"
_TIMELINE_KEPT = 500

Told = tuple[str, str, BaseModel]
"""To whom, which type of event, and what it says."""


@dataclass(slots=True)
class Work:
    """`case` is a copy of its own; the record that was read is `before`. `given`: what counts at this moment."""

    case: CaseRecord
    before: CaseRecord
    given: Promise
    elsewhere: int = 0
    """What other cases about the same order have given, or offered, in minor units."""
    ended: frozenset[str] = frozenset()
    """Cases into which nothing can be merged any more."""
    messages: list[CaseMessage] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    verdicts: dict[str, Refusal | None] = field(default_factory=dict)
    """By event that was taken: why it was not carried out."""
    passed_on: list[CaseEvent] = field(default_factory=list)
    """What another case is to hear."""
    why: list[str] = field(default_factory=list)
    """Codes of what happened, for those who hear that the case has changed."""

    def note(self, at: datetime, what: str, by: str = SYSTEM, note: str | None = None) -> None:
        """The timeline is for people; the newest entries are kept with the case."""
        entry = CaseEntry(at=at, what=what, by=by, note=note)
        self.case.timeline = [*self.case.timeline, entry][-_TIMELINE_KEPT:]
        self.why.append(what)

    def say(self, at: datetime, sender: Sender, by: str, text: str, *, internal: bool = False) -> CaseMessage:
        case = self.case
        case.messages += 1
        made = CaseMessage(
            id=f"{case.id}:{case.messages}",
            case=case.id,
            number=case.messages,
            at=at,
            sender=sender,
            by=by,
            text=text,
            language=case.language,
            internal=internal,
        )
        self.messages.append(made)
        return made

    def tell(self, whom: str, kind: str, data: BaseModel) -> None:
        self.told.append((whom, kind, data))

    def wind(self, change: Callable[[CaseClocks, Promise], CaseClocks]) -> None:
        self.case.clocks = change(self.case.clocks, self.given)

    def regard(self) -> None:
        """Targets by the priority that the case has now."""
        case, policy = self.case, self.given.policy
        targets = policy.targets_for(case.priority, case.customer.tier, case.region)
        self.given = replace(self.given, targets=targets)


def begin(case: CaseRecord, given: Promise, elsewhere: int = 0, ended: frozenset[str] = frozenset()) -> Work:
    return Work(case=case.model_copy(deep=True), before=case, given=given, elsewhere=elsewhere, ended=ended)
