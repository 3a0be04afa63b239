"""Cases in MongoDB: personal fields sealed, every write guarded by the version."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from contracts.cases import CaseEvent, CaseMessage, CaseRecord
from contracts.refusals import Refusal
from infra.mongo import Mongo, Session, UpdateOne, insert_new
from infra.sealing import Sealing

_CASES, _MESSAGES, _INBOX = "cases", "case_messages", "case_inbox"


class Stale(Exception):
    """The case was written by somebody else since it was read. Nothing was written; read it again."""

    def __init__(self, case: str) -> None:
        super().__init__(f"{case} was changed since it was read")


class Cases:
    """The one place that reads and writes them whole."""

    def __init__(self, mongo: Mongo, sealing: Sealing) -> None:
        self.mongo = mongo
        self._sealing = sealing

    async def find(self, case: str, session: Session | None = None) -> CaseRecord | None:
        row = await self.mongo.cases.find_one({"_id": case}, session=session)
        return self.of_row(row) if row else None

    def of_row(self, row: Mapping[str, Any]) -> CaseRecord:
        return CaseRecord.from_row(self._sealing.opened(row, _CASES))

    async def insert(self, case: CaseRecord, session: Session | None = None) -> None:
        """Raises DuplicateKeyError when there is one of this id, or a live one of the same matter."""
        await self.mongo.cases.insert_one(self._row(case), session=session)

    async def replace(self, case: CaseRecord, session: Session | None = None) -> CaseRecord:
        """Write a case that was changed since it was read, and return it with its new version. Raises Stale."""
        new = case.model_copy(update={"version": case.version + 1})
        guard = {"_id": case.id, "version": case.version}
        written = await self.mongo.cases.replace_one(guard, self._row(new), session=session)
        if not written.matched_count:
            raise Stale(case.id)
        return new

    def _row(self, case: CaseRecord) -> dict[str, Any]:
        row = self._sealing.row(case, _CASES)
        # For lists: what is breached, without a look into every clock.
        return {**row, "breached": any(one.breached_at for one in case.clocks.promised())}

    async def messages(
        self, case: str, after: int = 0, limit: int = 1000, session: Session | None = None
    ) -> list[CaseMessage]:
        wanted = {"case": case, "number": {"$gt": after}}
        found = self.mongo.case_messages.find(wanted, session=session).sort("number", 1).limit(limit)
        return [CaseMessage.from_row(self._sealing.opened(row, _MESSAGES)) async for row in found]

    async def newest(self, case: str, limit: int = 1000) -> list[CaseMessage]:
        """The last ones, in their order."""
        found = self.mongo.case_messages.find({"case": case}).sort("number", -1).limit(limit)
        rows = [CaseMessage.from_row(self._sealing.opened(row, _MESSAGES)) async for row in found]
        return rows[::-1]

    async def add_messages(self, messages: Sequence[CaseMessage], session: Session) -> None:
        if messages:
            rows = [self._sealing.row(one, _MESSAGES) for one in messages]
            await self.mongo.case_messages.insert_many(rows, session=session)

    async def write_events(self, events: Sequence[CaseEvent], session: Session | None = None) -> None:
        """Once for their ids."""
        rows = [self._sealing.row(one, _INBOX) for one in events]
        if session is None:
            await insert_new(self.mongo.case_inbox, rows)
        elif rows:
            await self.mongo.case_inbox.insert_many(rows, session=session)

    async def unread(self, case: str, limit: int, session: Session | None = None) -> list[CaseEvent]:
        """The oldest that were not taken yet."""
        wanted = {"case": case, "taken": None}
        found = self.mongo.case_inbox.find(wanted, session=session).sort([("at", 1), ("_id", 1)]).limit(limit)
        return [CaseEvent.from_row(self._sealing.opened(row, _INBOX)) async for row in found]

    async def outcome(self, event: str) -> Mapping[str, Any] | None:
        """`taken` and `refused` of what has come in; null: it is not there."""
        return await self.mongo.case_inbox.find_one({"_id": event}, {"taken": 1, "refused": 1})

    async def take(self, verdicts: Mapping[str, Refusal | None], now: datetime, session: Session) -> None:
        """Their words are in the messages from now on, and nowhere else."""
        updates = [
            UpdateOne({"_id": event}, {"$set": {"taken": now, "text": None, "refused": refused_row(refusal)}})
            for event, refusal in verdicts.items()
        ]
        if updates:
            await self.mongo.case_inbox.bulk_write(updates, ordered=False, session=session)


def refused_row(refusal: Refusal | None) -> dict[str, Any] | None:
    if refusal is None:
        return None
    return {
        "code": refusal.code,
        "detail": refusal.detail,
        "remedy": refusal.remedy,
        "field": refusal.field,
        "status": refusal.status,
    }
