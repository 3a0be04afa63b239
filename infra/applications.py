"""Applications in MongoDB: personal fields sealed, every write guarded by the version."""

from collections.abc import Sequence
from typing import Any

from contracts.applications import Application, ApplicationId
from contracts.onboarding import Stage
from infra.mongo import Mongo, Session
from infra.sealing import Sealing

_COLLECTION = "applications"
_REFUSED: tuple[Stage, ...] = ("rejected", "withdrawn", "expired")
_SHARED_MAX = 50
"""So many others are looked at; with as many something is wrong anyway."""


class Stale(Exception):
    """The application was written by somebody else since it was read. Nothing was written; read it again."""

    def __init__(self, application: str) -> None:
        super().__init__(f"{application} was changed since it was read")


class Applications:
    """The one place that reads and writes them whole."""

    def __init__(self, mongo: Mongo, sealing: Sealing) -> None:
        self._mongo = mongo
        self._sealing = sealing

    async def find(self, application: ApplicationId, session: Session | None = None) -> Application | None:
        row = await self._mongo.applications.find_one({"_id": application}, session=session)
        return Application.from_row(self._sealing.opened(row, _COLLECTION)) if row else None

    async def token_hash(self, application: str) -> str | None:
        row = await self._mongo.applications.find_one({"_id": application}, {"token_hash": 1})
        return str(row["token_hash"]) if row else None

    async def insert(self, application: Application, session: Session | None = None) -> None:
        await self._mongo.applications.insert_one(self._sealing.row(application, _COLLECTION), session=session)

    async def replace(self, application: Application, session: Session | None = None) -> Application:
        """Write an application that was changed since it was read, and return it with its new version. Raises Stale."""
        new = application.model_copy(update={"version": application.version + 1})
        guard = {"_id": application.id, "version": application.version}
        row = self._sealing.row(new, _COLLECTION)
        written = await self._mongo.applications.replace_one(guard, row, session=session)
        if not written.matched_count:
            raise Stale(application.id)
        return new

    async def sharing(
        self, application: Application, session: Session | None = None
    ) -> Sequence[tuple[dict[str, Any], frozenset[str]]]:
        """Rows (`_id`, `kind`, `standing.stage`) of other applications that were submitted and not refused, each with
        what it has in common: credit_code, bank_account, phone."""
        fields = application.fields
        by: dict[str, dict[str, Any]] = {}
        if application.credit_code:
            by["credit_code"] = {"credit_code": application.credit_code}
        if fields.bank_account:
            hashes = self._sealing.hashes("account", fields.bank_account.number)
            by["bank_account"] = {"fields.bank_account.number.hash": {"$in": hashes}}
        if fields.contact:
            hashes = self._sealing.hashes("phone", fields.contact.phone)
            by["phone"] = {"fields.contact.phone.hash": {"$in": hashes}}
        found: dict[str, tuple[dict[str, Any], frozenset[str]]] = {}
        open_ones = {
            "_id": {"$ne": application.id},
            "standing.revision": {"$gt": 0},
            "standing.stage": {"$nin": list(_REFUSED)},
        }
        for what, same in by.items():
            cursor = self._mongo.applications.find(
                {**same, **open_ones}, {"kind": 1, "standing.stage": 1}, session=session
            )
            async for row in cursor.sort("_id", 1).limit(_SHARED_MAX):
                _, shared = found.get(row["_id"], (row, frozenset()))
                found[row["_id"]] = row, shared | {what}
        return [found[one] for one in sorted(found)]
