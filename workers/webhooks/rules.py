"""What becomes of a webhook after a try: pure decisions, and the settings that they go by."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts.webhooks import PauseReason

_GONE = 410
_DOUBLINGS_MAX = 30
_DETAIL_MAX = 200


@dataclass(frozen=True, slots=True)
class Rules:
    """Times in seconds."""

    within_s: float
    retry_s: float
    retry_max_s: float
    gives_up_s: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one try: the HTTP status, or in words why there is none. `retry_after_s`: what the endpoint asked for."""

    status: int | None
    detail: str
    retry_after_s: float | None = None

    @property
    def taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Again:
    """Try again after so many seconds."""

    after_s: float


@dataclass(frozen=True, slots=True)
class Pause:
    """Send nothing until somebody resumes it."""

    reason: PauseReason


def after_failure(
    outcome: Outcome, attempts: int, failing_since: datetime, now: datetime, chance: float, rules: Rules
) -> Again | Pause:
    """`attempts`: failures so far, with this one; `chance`: from 0 to 1.

    The pause doubles each time up to the longest, and is between half of that and all of it ("equal jitter", Brooker,
    Exponential Backoff and Jitter, AWS Architecture Blog 2015). An endpoint may ask for more, up to the longest.
    """
    if outcome.status == _GONE:
        return Pause("endpoint_gone")
    if now - failing_since >= timedelta(seconds=rules.gives_up_s):
        return Pause("failing")
    doubled = min(rules.retry_s * 2.0 ** min(attempts - 1, _DOUBLINGS_MAX), rules.retry_max_s)
    pause = doubled * (0.5 + chance / 2)
    asked = min(outcome.retry_after_s or 0.0, rules.retry_max_s)
    return Again(max(pause, asked))


def retry_after(header: str | None) -> float | None:
    """Seconds of `Retry-After`; dates, which would need the endpoint's clock, are not gone by."""
    return float(header) if header and header.isascii() and header.isdecimal() and len(header) < 10 else None


def in_words(error: BaseException) -> str:
    """Why there was no answer."""
    return printable(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)


def printable(words: str) -> str:
    """What somebody else has said, fit to be kept and shown."""
    return "".join(c if c.isprintable() else "?" for c in words)[:_DETAIL_MAX]
