"""Envelopes of the sandbox provider in one SQLite file: who is asked, who has signed, and the PDF as it grows.

What was answered is on disk. A request that comes twice under its key is answered alike and done once.
"""

import base64
import hashlib
import hmac
import secrets
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from contracts.signatures import (
    ALREADY,
    Envelope,
    EnvelopeSigner,
    EnvelopeState,
    EnvelopeView,
    Link,
    LinkAsked,
    SignerAsked,
    SignerView,
    Void,
)
from workers.signature_sandbox.authority import Authority
from workers.signature_sandbox.signing import sign

_BACK_OFF_S: Final = (0.0, 1.0, 5.0, 30.0, 120.0, 600.0)
"""Before each try to call back; after the last one nobody is told any more, and has to ask."""
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS envelopes (
    id TEXT PRIMARY KEY, fingerprint BLOB NOT NULL, title TEXT NOT NULL, state TEXT NOT NULL,
    version INTEGER NOT NULL, pdf BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS signers (
    envelope TEXT NOT NULL, id TEXT NOT NULL, who TEXT NOT NULL, state TEXT NOT NULL, at TEXT, reason TEXT,
    token BLOB, expires_at TEXT, reminders INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (envelope, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS signers_by_token ON signers (token);
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, fingerprint BLOB NOT NULL, answer TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS callbacks (
    number INTEGER PRIMARY KEY, envelope TEXT NOT NULL, tries INTEGER NOT NULL, due REAL NOT NULL
);
"""


class Refused(Exception):
    """The provider does not do as told; `status` is that of HTTP."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail


class Signer:
    """One row of a signer."""

    def __init__(self, row: sqlite3.Row) -> None:
        self.envelope: str = row["envelope"]
        self.who = EnvelopeSigner.model_validate_json(row["who"])
        self.state: str = row["state"]
        self.at: str | None = row["at"]
        self.reason: str | None = row["reason"]
        self.expires_at: str | None = row["expires_at"]

    @property
    def open(self) -> bool:
        return self.state in ("waiting", "sent", "seen")


class Desk:
    """Blocking, and used by one thread at a time. `url` is where signers reach it; `clock` gives UTC."""

    def __init__(
        self,
        file: Path,
        authority: Authority,
        url: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._authority = authority
        self._url = url.rstrip("/")
        self._clock = clock
        self._sql = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self._sql.row_factory = sqlite3.Row
        # What was answered must survive a power cut; with less than FULL only checkpoints are synced.
        self._sql.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + _SCHEMA)
        self._sql.execute("INSERT OR IGNORE INTO facts VALUES ('links', ?)", (secrets.token_bytes(32),))
        self._secret: bytes = self._one("SELECT value FROM facts WHERE name = 'links'")["value"]

    def create(self, asked: Envelope) -> EnvelopeView:
        """Once for an id."""
        pdf = base64.b64decode(asked.document, validate=True)
        if hashlib.sha256(pdf).hexdigest() != asked.sha256:
            raise Refused(422, "wrong-sum", "The document does not have the sum that was named.")
        if len({signer.id for signer in asked.signers}) != len(asked.signers):
            raise Refused(422, "signer-twice", "Each signer needs an id of its own.")
        with self._sql:
            self._sql.execute("BEGIN IMMEDIATE")
            fingerprint = _fingerprint(asked.model_dump_json())
            known = self._maybe("SELECT fingerprint FROM envelopes WHERE id = ?", asked.id)
            if known is None:
                values = (asked.id, fingerprint, asked.title, "open", 1, pdf)
                self._sql.execute("INSERT INTO envelopes VALUES (?, ?, ?, ?, ?, ?)", values)
                for signer in asked.signers:
                    row = (asked.id, signer.id, signer.model_dump_json(), "waiting")
                    self._sql.execute("INSERT INTO signers (envelope, id, who, state) VALUES (?, ?, ?, ?)", row)
            elif known["fingerprint"] != fingerprint:
                raise Refused(409, "key-reused-with-other-body", "There is another envelope with this id.")
            return self._view(asked.id)

    def view(self, envelope: str) -> EnvelopeView:
        self._state(envelope)
        return self._view(envelope)

    def pdf(self, envelope: str) -> bytes:
        self._state(envelope)
        return bytes(self._one("SELECT pdf FROM envelopes WHERE id = ?", envelope)["pdf"])

    def link(self, envelope: str, asked: LinkAsked, key: str) -> Link:
        """A link is made of the key: asked again under it, it is the same one."""

        def work() -> str:
            signer = self._asked(envelope, asked.signer, "link")
            token = self._token(key)
            at = self._clock().isoformat()
            # A signer that had seen the document is asked anew.
            self._sql.execute(
                "UPDATE signers SET state = 'sent', at = ?, token = ?, expires_at = ? WHERE envelope = ? AND id = ?",
                (at, _hash(token), asked.expires_at.isoformat(), envelope, signer.who.id),
            )
            self._changed(envelope)
            url = f"{self._url}/sign/{token}"
            return Link(signer=asked.signer, url=url, expires_at=asked.expires_at).model_dump_json()

        return Link.model_validate_json(self._once(f"link:{key}", asked.model_dump_json(), work))

    def remind(self, envelope: str, asked: SignerAsked, key: str) -> EnvelopeView:
        """A real provider would send its message again; here it is counted."""

        def work() -> str:
            self._asked(envelope, asked.signer, "link")
            said = "UPDATE signers SET reminders = reminders + 1 WHERE envelope = ? AND id = ?"
            self._sql.execute(said, (envelope, asked.signer))
            return "{}"

        self._once(f"remind:{key}", asked.model_dump_json(), work)
        return self._view(envelope)

    def seal(self, envelope: str, asked: SignerAsked, key: str) -> EnvelopeView:
        def work() -> str:
            self._put(self._asked(envelope, asked.signer, "seal"))
            return "{}"

        self._once(f"seal:{key}", asked.model_dump_json(), work)
        return self._view(envelope)

    def void(self, envelope: str, asked: Void) -> EnvelopeView:
        """All links are dead. An envelope that is complete or declined stays so."""
        del asked  # A real provider would tell the signers.
        with self._sql:
            self._sql.execute("BEGIN IMMEDIATE")
            if self._state(envelope) == "open":
                self._close(envelope, "void")
            return self._view(envelope)

    # What signers do, by their links.

    def by_token(self, token: str) -> Signer:
        """Raises Refused 404 for a link that never was or was replaced, 410 for one that was used or has expired."""
        row = self._maybe("SELECT * FROM signers WHERE token = ?", _hash(token))
        if row is None:
            raise Refused(404, "unknown-link", "This link is not known, or was replaced by a newer one.")
        signer = Signer(row)
        late = signer.expires_at is not None and datetime.fromisoformat(signer.expires_at) <= self._clock()
        if late or not signer.open or self._state(signer.envelope) != "open":
            raise Refused(410, "link-used", "This link was used, or its time has ended.")
        return signer

    def read(self, token: str) -> bytes:
        """The document, which its signer has then seen."""
        with self._sql:
            self._sql.execute("BEGIN IMMEDIATE")
            signer = self.by_token(token)
            if signer.state == "sent":
                self._set(signer, "seen")
                self._changed(signer.envelope)
        return self.pdf(signer.envelope)

    def title(self, envelope: str) -> str:
        return str(self._one("SELECT title FROM envelopes WHERE id = ?", envelope)["title"])

    def sign(self, token: str) -> None:
        with self._sql:
            self._sql.execute("BEGIN IMMEDIATE")
            self._put(self.by_token(token))

    def decline(self, token: str, reason: str) -> None:
        with self._sql:
            self._sql.execute("BEGIN IMMEDIATE")
            signer = self.by_token(token)
            self._set(signer, "declined", reason)
            self._close(signer.envelope, "declined")

    # Callbacks.

    def due(self, most: int) -> list[tuple[int, str]]:
        """Number and envelope of callbacks whose time has come."""
        rows = self._sql.execute(
            "SELECT number, envelope FROM callbacks WHERE due <= ? ORDER BY number LIMIT ?",
            (self._clock().timestamp(), most),
        )
        return [(row["number"], row["envelope"]) for row in rows]

    def told(self, number: int) -> None:
        self._sql.execute("DELETE FROM callbacks WHERE number = ?", (number,))

    def put_off(self, number: int) -> None:
        row = self._maybe("SELECT tries FROM callbacks WHERE number = ?", number)
        if row is None:
            return
        tries = row["tries"] + 1
        if tries >= len(_BACK_OFF_S):
            self.told(number)
            return
        due = (self._clock() + timedelta(seconds=_BACK_OFF_S[tries])).timestamp()
        self._sql.execute("UPDATE callbacks SET tries = ?, due = ? WHERE number = ?", (tries, due, number))

    # Within a transaction.

    def _once(self, key: str, body: str, work: Callable[[], str]) -> str:
        with self._sql:
            self._sql.execute("BEGIN IMMEDIATE")
            fingerprint = _fingerprint(body)
            known = self._maybe("SELECT * FROM answers WHERE key = ?", key)
            if known is not None:
                if known["fingerprint"] != fingerprint:
                    raise Refused(422, "key-reused-with-other-body", "This key was used for something else.")
                return str(known["answer"])
            answer = work()
            self._sql.execute("INSERT INTO answers VALUES (?, ?, ?)", (key, fingerprint, answer))
            return answer

    def _asked(self, envelope: str, signer: str, way: str) -> Signer:
        """A signer that may be asked now."""
        state = self._state(envelope)
        row = self._maybe("SELECT * FROM signers WHERE envelope = ? AND id = ?", envelope, signer)
        if row is None:
            raise Refused(404, "unknown-signer", f"The envelope has no signer {signer}.")
        found = Signer(row)
        if found.who.way != way:
            raise Refused(422, "other-way", f"{signer} signs by {found.who.way}.")
        if state != "open" or not found.open:
            raise Refused(409, ALREADY, f"The envelope is {state}, the signer {found.state}.")
        self._refuse_early(found)
        return found

    def _refuse_early(self, signer: Signer) -> None:
        others = self._sql.execute("SELECT * FROM signers WHERE envelope = ?", (signer.envelope,))
        if any(other.state != "signed" and other.who.order < signer.who.order for other in map(Signer, others)):
            raise Refused(422, "not-its-turn", "Others sign before.")

    def _put(self, signer: Signer) -> None:
        """The signature itself: the next revision of the PDF."""
        certificate, key = self._authority.issue(signer.who.name, signer.who.organisation)
        pdf = sign(self.pdf(signer.envelope), signer.who.id, certificate, key, self._authority)
        self._sql.execute("UPDATE envelopes SET pdf = ? WHERE id = ?", (pdf, signer.envelope))
        self._set(signer, "signed")
        rest = "SELECT count(*) AS n FROM signers WHERE envelope = ? AND state <> 'signed'"
        if self._one(rest, signer.envelope)["n"] == 0:
            self._close(signer.envelope, "complete")
        else:
            self._changed(signer.envelope)

    def _set(self, signer: Signer, state: str, reason: str | None = None) -> None:
        values = (state, self._clock().isoformat(), reason, signer.envelope, signer.who.id)
        self._sql.execute("UPDATE signers SET state = ?, at = ?, reason = ? WHERE envelope = ? AND id = ?", values)

    def _close(self, envelope: str, state: EnvelopeState) -> None:
        self._sql.execute("UPDATE envelopes SET state = ? WHERE id = ?", (state, envelope))
        self._changed(envelope)

    def _changed(self, envelope: str) -> None:
        self._sql.execute("UPDATE envelopes SET version = version + 1 WHERE id = ?", (envelope,))
        now = self._clock().timestamp()
        self._sql.execute("INSERT INTO callbacks (envelope, tries, due) VALUES (?, 0, ?)", (envelope, now))

    def _state(self, envelope: str) -> str:
        row = self._maybe("SELECT state FROM envelopes WHERE id = ?", envelope)
        if row is None:
            raise Refused(404, "unknown-envelope", "There is no such envelope.")
        return str(row["state"])

    def _view(self, envelope: str) -> EnvelopeView:
        row = self._one("SELECT state, version FROM envelopes WHERE id = ?", envelope)
        signers = self._sql.execute("SELECT * FROM signers WHERE envelope = ? ORDER BY id", (envelope,))
        return EnvelopeView.model_validate(
            {
                "id": envelope,
                "state": row["state"],
                "version": row["version"],
                "signers": [
                    SignerView.model_validate({"id": s.who.id, "state": s.state, "at": s.at, "reason": s.reason})
                    for s in map(Signer, signers)
                ],
            }
        )

    def _token(self, key: str) -> str:
        digest = hmac.new(self._secret, key.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def _maybe(self, query: str, *values: Any) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._sql.execute(query, values).fetchone()
        return row

    def _one(self, query: str, *values: Any) -> sqlite3.Row:
        row = self._maybe(query, *values)
        if row is None:
            raise LookupError(query)
        return row


def _fingerprint(body: str) -> bytes:
    return hashlib.blake2b(body.encode(), digest_size=16).digest()


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
