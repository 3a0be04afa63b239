"""Which faults happen when, to whom, and for how long: a pure function of the seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

Kind = Literal["kill", "pause", "cut", "halt", "full"]

PROCESSES = (
    *("fulfilment", "events", "relay", "gateway", "stores", "retailer", "payments", "carriers"),
    *("nats", "mongo", "temporal"),
)
"""What is killed (SIGKILL) and paused (SIGSTOP): our own processes, the partners, and the servers."""
LINKS = ("gateway", "nats", "mongo", "temporal", "payments")
"""Whose connections are cut (dropped, and new ones refused) and halted (open, and nothing passes)."""
KINDS: tuple[tuple[Kind, str], ...] = (
    *((kind, name) for kind in ("kill", "pause") for name in PROCESSES),
    *((kind, name) for kind in ("cut", "halt") for name in LINKS),
    ("full", "nats"),
)
"""Every kind of fault. `full`: the streams take no byte more."""
WORDS: Mapping[Kind, str] = {
    "kill": "killed",
    "pause": "paused",
    "cut": "cut off",
    "halt": "silenced",
    "full": "at its storage limit",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `at_s`: seconds from the first moment of the load; `lasts_s`: until it is ended by us."""

    number: int
    kind: Kind
    target: str
    at_s: float
    lasts_s: float

    @property
    def ends_s(self) -> float:
        return self.at_s + self.lasts_s

    @property
    def words(self) -> str:
        return f"{self.target} {WORDS[self.kind]}"


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds. Gaps are exponential; one fault in ten lasts up to `longest`, the others up to `usual`."""

    gap: float = 4.5
    shortest: float = 0.3
    usual: float = 6.0
    longest: float = 18.0
    rest: float = 2.0
    """Between two faults of one target."""
    apart: float | None = None
    """Each fault begins so long after the end of the one before it; None: they may overlap."""


SHORT = Pace(gap=0.7, usual=1.5, longest=2.5, rest=0.5)
APART = Pace(apart=20.0)


def schedule(seed: int, count: int, pace: Pace) -> list[Fault]:
    """`count` faults, in the order in which they begin: every kind once in each shuffled round of all kinds.

    Faults of different targets may overlap. A process is never hit twice at once, nor is a link.
    """
    rng = Random(f"chaos:{seed}")
    free: dict[tuple[bool, str], float] = {}
    faults: list[Fault] = []
    at = 0.0
    for number, (kind, target) in enumerate(_rounds(rng, count), 1):
        at += rng.expovariate(1 / pace.gap)
        most = pace.longest if rng.random() < 0.1 else pace.usual
        lasts = rng.uniform(pace.shortest, most)
        place = (kind in ("cut", "halt"), target)
        begins = max(at, free.get(place, 0.0))
        if pace.apart is not None:
            at = begins = faults[-1].ends_s + pace.apart if faults else 0.0
        free[place] = begins + lasts + pace.rest
        faults.append(Fault(number, kind, target, round(begins, 3), round(lasts, 3)))
    return sorted(faults, key=lambda fault: fault.at_s)


def _rounds(rng: Random, count: int) -> Sequence[tuple[Kind, str]]:
    drawn: list[tuple[Kind, str]] = []
    while len(drawn) < count:
        drawn += rng.sample(KINDS, len(KINDS))
    return drawn[:count]
