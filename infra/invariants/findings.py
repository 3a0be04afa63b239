"""What must always be true, each promise stated once, and what is found where it is not."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["violation", "warning", "information"]

EXAMPLES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Invariant:
    """A promise, and what to do when it is found broken. Only severity `violation` is an error."""

    name: str
    promise: str
    remedy: str
    severity: Severity = "violation"


@dataclass(frozen=True, slots=True)
class Finding:
    """An invariant that does not hold: in how many places, some of them in words, and what to do."""

    invariant: str
    severity: Severity
    count: int
    examples: list[str]
    remedy: str

    @property
    def violated(self) -> bool:
        return self.severity == "violation"

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def found(invariant: Invariant, examples: Sequence[str], count: int | None = None) -> list[Finding]:
    """The finding, if there is one. `count` where there are more places than examples were made for."""
    places = len(examples) if count is None else count
    if not places:
        return []
    shown = list(examples[:EXAMPLES_SHOWN])
    return [Finding(invariant.name, invariant.severity, places, shown, invariant.remedy)]
