"""Labels and scans in one SQLite file. Blocking, and used by one thread at a time."""

import secrets
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from activities.carriers.rates import Quote, quote
from contracts.carriers import CarrierUpsert, LabelInstruction, LabelOutcome, Service, TrackingState
from workers.carrier_sandbox.journeys import Fate, Rates, fate_of, journey

FLAKY_FAILURES: Final = 2
TELLS_AT_MOST: Final = 12
_LONGEST_PAUSE_S: Final = 30.0
_MOMENT_S: Final = 0.5
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS labels (
    key TEXT PRIMARY KEY, parcel TEXT NOT NULL, service TEXT NOT NULL, failures INTEGER NOT NULL,
    outcome TEXT, number TEXT UNIQUE, voided INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS labels_by_parcel ON labels (parcel);
CREATE TABLE IF NOT EXISTS scans (
    row INTEGER PRIMARY KEY, id TEXT NOT NULL, number TEXT NOT NULL, carrier TEXT NOT NULL, code TEXT NOT NULL,
    at TEXT NOT NULL, place TEXT NOT NULL, due REAL NOT NULL, tells INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'told', 'given_up'))
);
CREATE INDEX IF NOT EXISTS scans_due ON scans (due) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS scans_by_number ON scans (number);
"""


class Due(NamedTuple):
    """A scan that the gateway is to be told of."""

    row: int
    id: str
    number: str
    carrier: str
    code: str
    at: str
    place: str

    def report(self) -> dict[str, str]:
        return {"id": self.id, "tracking": self.number, "code": self.code, "at": self.at, "place": self.place}


class Book:
    """Every answer that was given is on disk, with all scans that will follow from it. `day_s`: seconds of a day."""

    def __init__(
        self,
        file: Path,
        carriers: Sequence[CarrierUpsert],
        *,
        day_s: float,
        rates: Rates,
        url: str,
        clock: Callable[[], float],
    ) -> None:
        self._services = {service.id: (carrier, service) for carrier in carriers for service in carrier.services}
        self._day_s = day_s
        self._rates = rates
        self._url = url
        self._clock = clock
        self._sql = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        # A label that was answered must survive a power cut; with less than FULL only checkpoints are synced.
        self._sql.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + _SCHEMA)

    def answer_all(self, instructions: Sequence[LabelInstruction]) -> list[LabelOutcome]:
        """One transaction, however many there are."""
        with self._sql:
            self._sql.execute("BEGIN IMMEDIATE")
            return [self._void(i) if i.operation == "void" else self._book(i) for i in instructions]

    def due(self, at_most: int) -> list[Due]:
        rows = self._sql.execute(
            "SELECT row, id, number, carrier, code, at, place FROM scans WHERE state = 'waiting' AND due <= ?"
            " ORDER BY due, row LIMIT ?",
            (self._clock(), at_most),
        )
        return [Due(*row) for row in rows]

    def told(self, rows: Sequence[int]) -> None:
        """Scans that were taken, or that will never be."""
        with self._sql:
            self._sql.execute("BEGIN IMMEDIATE")
            self._sql.executemany("UPDATE scans SET state = 'told' WHERE row = ?", [(row,) for row in rows])

    def put_off(self, rows: Sequence[int]) -> None:
        """Nobody could be told: tell them again in a moment, however long that lasts."""
        due = self._clock() + _MOMENT_S
        with self._sql:
            self._sql.execute("BEGIN IMMEDIATE")
            self._sql.executemany("UPDATE scans SET due = ? WHERE row = ?", [(due, row) for row in rows])

    def doubted(self, rows: Sequence[int]) -> None:
        """Their numbers are not known: tell them again after ever longer pauses, and give them up after twelve."""
        now = self._clock()
        with self._sql:
            self._sql.execute("BEGIN IMMEDIATE")
            for row in rows:
                (tells,) = self._sql.execute("SELECT tells FROM scans WHERE row = ?", (row,)).fetchone()
                state = "given_up" if tells + 1 >= TELLS_AT_MOST else "waiting"
                due = now + min(0.2 * 2**tells, _LONGEST_PAUSE_S)
                self._sql.execute(
                    "UPDATE scans SET tells = ?, state = ?, due = ? WHERE row = ?", (tells + 1, state, due, row)
                )

    def label(self, number: str) -> dict[str, Any] | None:
        cursor = self._sql.execute("SELECT parcel, service, number, voided FROM labels WHERE number = ?", (number,))
        row = cursor.fetchone()
        return row and dict(zip(("parcel", "service", "number", "voided"), row, strict=True))

    def totals(self) -> dict[str, int]:
        query = "SELECT count(*), coalesce(sum(voided), 0) FROM labels WHERE number IS NOT NULL"
        labels, voided = self._sql.execute(query).fetchone()
        scans: Mapping[str, int] = dict(
            self._sql.execute("SELECT state, count(*) FROM scans GROUP BY state").fetchall()
        )
        return {"labels": labels, "voided": voided, **{s: scans.get(s, 0) for s in ("waiting", "told", "given_up")}}

    def _book(self, i: LabelInstruction) -> LabelOutcome:
        row = self._sql.execute(
            "SELECT parcel, service, failures, outcome, voided FROM labels WHERE key = ?", (i.key,)
        ).fetchone()
        parcel, service, failures, kept, voided = row or (i.parcel, i.service, 0, None, 0)
        if voided:
            return _declined(i, "voided", "This label was voided; book anew under another key.")
        if (parcel, service) != (i.parcel, i.service):
            return _declined(i, "key-reused", "This key was used for another parcel or service.")
        if kept is not None:
            return LabelOutcome.model_validate_json(kept)
        fate = fate_of(i.parcel, i.key, self._rates)
        if fate == "flaky" and failures < FLAKY_FAILURES:
            self._keep(i, failures + 1, None)
            return LabelOutcome(key=i.key, status="failed", code="unavailable", detail="Try again, under the same key.")
        outcome = self._label(i, fate)
        self._keep(i, failures, outcome)
        return outcome

    def _label(self, i: LabelInstruction, fate: Fate) -> LabelOutcome:
        known = self._services.get(i.service)
        if known is None:
            return _declined(i, "unknown-service", f"There is no service {i.service}.")
        carrier, service = known
        quoted = quote(service, i.origin, i.destination, i.weight_g, i.volume_cm3)
        if quoted is None:
            return _declined(i, "not-served", f"{i.service} does not go from {i.origin} to {i.destination}.")
        if fate == "unserved" or (fate == "declined" and not self._asked_before(i.parcel)):
            return _declined(i, "no-capacity", f"{carrier.name} takes no more parcels there today.")
        return self._labelled(i, carrier, service, quoted, fate)

    def _asked_before(self, parcel: str) -> bool:
        query = "SELECT 1 FROM labels WHERE parcel = ? AND outcome IS NOT NULL"
        return self._sql.execute(query, (parcel,)).fetchone() is not None

    def _labelled(
        self, i: LabelInstruction, carrier: CarrierUpsert, service: Service, quoted: Quote, fate: Fate
    ) -> LabelOutcome:
        number = f"{carrier.id[:2].upper()}{secrets.randbelow(10**12):012d}"
        self._plan(carrier, number, fate, quoted.days)
        return LabelOutcome(
            key=i.key,
            status="done",
            tracking=number,
            label_url=f"{self._url}/v1/labels/{number}",
            price=quoted.price,
        )

    def _plan(self, carrier: CarrierUpsert, number: str, fate: Fate, days: int) -> None:
        now = self._clock()
        codes = _by_state(carrier)
        for place, step in enumerate(journey(fate, days)):
            choice = codes[step.state]
            at = datetime.fromtimestamp(now + step.days * self._day_s, UTC).isoformat()
            row = (
                f"{number}-{place}",
                number,
                carrier.id,
                choice[place % len(choice)],
                at,
                step.place,
                now + step.told_days * self._day_s,
            )
            for _ in range(step.times):
                self._sql.execute(
                    "INSERT INTO scans (id, number, carrier, code, at, place, due) VALUES (?, ?, ?, ?, ?, ?, ?)", row
                )

    def _keep(self, i: LabelInstruction, failures: int, outcome: LabelOutcome | None) -> None:
        self._sql.execute(
            "REPLACE INTO labels (key, parcel, service, failures, outcome, number) VALUES (?, ?, ?, ?, ?, ?)",
            (
                i.key,
                i.parcel,
                i.service,
                failures,
                outcome and outcome.model_dump_json(),
                outcome and outcome.tracking,
            ),
        )

    def _void(self, i: LabelInstruction) -> LabelOutcome:
        """What was never booked cannot be booked any more; what was collected cannot be called back."""
        row = self._sql.execute("SELECT number, voided FROM labels WHERE key = ?", (i.key,)).fetchone()
        number, voided = row or (None, 0)
        if number is not None and not voided and self._collected(number):
            return _declined(i, "already-collected", "The parcel is on its way.")
        if row is None:
            self._keep(i, 0, None)
        self._sql.execute("UPDATE labels SET voided = 1 WHERE key = ?", (i.key,))
        if number is not None:
            self._sql.execute("DELETE FROM scans WHERE number = ? AND state = 'waiting'", (number,))
        return LabelOutcome(key=i.key, operation="void", status="done", tracking=number)

    def _collected(self, number: str) -> bool:
        """By the clock, whether it was told already or not."""
        now = datetime.fromtimestamp(self._clock(), UTC).isoformat()
        query = "SELECT code, carrier FROM scans WHERE number = ? AND at <= ?"
        carriers = {carrier.id: carrier for carrier, _ in self._services.values()}
        found = self._sql.execute(query, (number, now)).fetchall()
        return any(carriers[carrier].codes[code] is not TrackingState.LABELLED for code, carrier in found)


def _by_state(carrier: CarrierUpsert) -> dict[TrackingState, list[str]]:
    codes: dict[TrackingState, list[str]] = {}
    for code, state in carrier.codes.items():
        codes.setdefault(state, []).append(code)
    return codes


def _declined(i: LabelInstruction, code: str, detail: str) -> LabelOutcome:
    return LabelOutcome(key=i.key, operation=i.operation, status="declined", code=code, detail=detail)
