"""Who saw and decided what, and when: rows that are only ever added."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from infra.mongo import Mongo, Session


def audit_row(
    subject: str, key: str, by: str, did: str, at: datetime, *, what: str | None = None, note: str | None = None
) -> dict[str, Any]:
    """`subject`: the application or partner. `key` makes the row's id: the same step leaves one row, however often it
    is tried. `note`: codes and words of reviewers; no personal data."""
    return {"_id": f"{subject}:{key}", "subject": subject, "at": at, "by": by, "did": did, "what": what, "note": note}


async def write_audit(mongo: Mongo, rows: Sequence[dict[str, Any]], session: Session | None = None) -> None:
    if rows:
        await mongo.audit.insert_many(list(rows), session=session)


async def read_audit(mongo: Mongo, subjects: Sequence[str], limit: int = 500) -> list[dict[str, Any]]:
    """The newest rows about some subjects, in the order in which they were written."""
    found = mongo.audit.find({"subject": {"$in": list(subjects)}}).sort([("at", -1), ("_id", -1)]).limit(limit)
    return list(reversed([row async for row in found]))
