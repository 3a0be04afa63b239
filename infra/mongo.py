"""The one module that knows the MongoDB driver (see docs/adr/0001-motor.md): connection, transactions, collections."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias, TypeVar

from bson.codec_options import CodecOptions
from motor.motor_asyncio import (
    AsyncIOMotorClient,
    AsyncIOMotorClientSession,
    AsyncIOMotorCollection,
    AsyncIOMotorDatabase,
)
from pymongo import ReadPreference, ReplaceOne, UpdateOne, WriteConcern
from pymongo.errors import BulkWriteError, ConnectionFailure, DuplicateKeyError, OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern

from infra.clock import Clock

Session = AsyncIOMotorClientSession
Collection: TypeAlias = "AsyncIOMotorCollection[dict[str, Any]]"
Result = TypeVar("Result")

DUPLICATE_KEY = 11000
__all__ = [
    "DUPLICATE_KEY",
    "UNREAD",
    "BulkWriteError",
    "Collection",
    "DuplicateKeyError",
    "Mongo",
    "OperationFailure",
    "PyMongoError",
    "ReplaceOne",
    "Session",
    "UpdateOne",
    "insert_new",
    "passes",
]

UNREAD: dict[str, Any] = {"drained": None, "batch": {"$exists": True}}
"""Of the inbox: what nobody has read yet. Names the batch, because that is what the index over these rows is by."""

_PLAIN: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=False)
_RETRY_FOR_S = 60.0
_PASSING_LABELS = ("TransientTransactionError", "RetryableWriteError")
_PASSING_CODES = frozenset({64, 91, 100, 189, 262, 10107, 11600, 11602, 13435, 13436})
"""No primary, one that steps down or ends, or no majority in time (MongoDB's error codes)."""


def passes(error: PyMongoError) -> bool:
    """Whether an error is the servers' state of the moment, such as a change of the primary, and not a fault of what
    was asked. Whether anything was written is then unknown."""
    if isinstance(error, BulkWriteError):
        details = error.details or {}
        failures = [*details.get("writeErrors", ()), *details.get("writeConcernErrors", ())]
        return bool(failures) and all(failure["code"] in _PASSING_CODES for failure in failures)
    if not isinstance(error, OperationFailure):
        return True
    return error.code in _PASSING_CODES or any(error.has_error_label(label) for label in _PASSING_LABELS)


async def insert_new(collection: Collection, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows whose ids may be there already, written by an earlier try; those are left as they are."""
    if not rows:
        return
    try:
        await collection.insert_many(rows, ordered=False)
    except BulkWriteError as error:
        details = error.details or {}
        if any(e["code"] != DUPLICATE_KEY for e in details.get("writeErrors", ())) or details.get("writeConcernErrors"):
            raise


class Mongo:
    """A database of ours. Every write is journaled by a majority before it is answered."""

    def __init__(self, url: str, database: str, *, pool: int = 50) -> None:
        self.client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(
            url,
            tz_aware=True,
            maxPoolSize=pool,
            appname="tongqu",
            serverSelectionTimeoutMS=20_000,
            retryWrites=True,
        )
        self.db: AsyncIOMotorDatabase[dict[str, Any]] = self.client.get_database(
            database,
            codec_options=CodecOptions(tz_aware=True),
            write_concern=WriteConcern(w="majority", j=True),
            read_concern=ReadConcern("majority"),
        )
        self.orders: Collection = self.db["orders"]
        self.stock: Collection = self.db["stock"]
        self.ledger: Collection = self.db["ledger"]
        self.locations: Collection = self.db["locations"]
        self.skus: Collection = self.db["skus"]
        self.batches: Collection = self.db["batches"]
        self.inbox: Collection = self.db["inbox"]
        self.outbox: Collection = self.db["outbox"]
        self.partner_sequences: Collection = self.db["partner_sequences"]
        self.idempotency: Collection = self.db["idempotency"]
        self.api_keys: Collection = self.db["api_keys"]
        self.leases: Collection = self.db["leases"]
        self.policies: Collection = self.db["policies"]
        self.carriers: Collection = self.db["carriers"]
        self.expectations: Collection = self.db["expectations"]
        self.holds: Collection = self.db["holds"]
        self.returns: Collection = self.db["returns"]
        self.entries: Collection = self.db["entries"]
        self.commission_rules: Collection = self.db["commission_rules"]
        self.statements: Collection = self.db["statements"]
        self.agreements: Collection = self.db["agreements"]
        self.files: Collection = self.db["files"]
        self.partners: Collection = self.db["partners"]
        self.positions: Collection = self.db["positions"]
        self.webhooks: Collection = self.db["webhooks"]
        self.stock_reports: Collection = self.db["stock_reports"]
        self.counters: Collection = self.db["counters"]
        self.applications: Collection = self.db["applications"]
        self.audit: Collection = self.db["audit"]
        self.requirement_sets: Collection = self.db["requirement_sets"]
        self.bus_accounts: Collection = self.db["bus_accounts"]
        self.credentials: Collection = self.db["credentials"]
        self.supply_regions: Collection = self.db["supply_regions"]
        self.supply_policies: Collection = self.db["supply_policies"]
        self.sourcing: Collection = self.db["sourcing"]
        self.promotions: Collection = self.db["promotions"]
        self.lead_times: Collection = self.db["lead_times"]
        self.supply_runs: Collection = self.db["supply_runs"]
        self.supply_chunks: Collection = self.db["supply_chunks"]
        self.demand: Collection = self.db["demand"]
        self.demand_days: Collection = self.db["demand_days"]
        self.demand_told: Collection = self.db["demand_told"]
        self.forecasts: Collection = self.db["forecasts"]
        self.proposals: Collection = self.db["proposals"]
        self.supply_rounds: Collection = self.db["supply_rounds"]
        self.purchase_orders: Collection = self.db["purchase_orders"]
        self.transfers: Collection = self.db["transfers"]
        self.purchase_inbox: Collection = self.db["purchase_inbox"]
        self.supplier_reports: Collection = self.db["supplier_reports"]
        self.lead_observations: Collection = self.db["lead_observations"]
        self.purchase_approvers: Collection = self.db["purchase_approvers"]
        self.score_disputes: Collection = self.db["score_disputes"]
        self.supplier_rates: Collection = self.db["supplier_rates"]
        self.buying_terms: Collection = self.db["buying_terms"]
        self.cases: Collection = self.db["cases"]
        self.case_messages: Collection = self.db["case_messages"]
        self.case_inbox: Collection = self.db["case_inbox"]
        self.partner_cases: Collection = self.db["partner_cases"]
        self.service_policies: Collection = self.db["service_policies"]
        self.service_calendars: Collection = self.db["service_calendars"]
        self.service_teams: Collection = self.db["service_teams"]
        self.service_rotas: Collection = self.db["service_rotas"]
        self.service_loads: Collection = self.db["service_loads"]
        self.clock = Clock(self._time)

    @staticmethod
    def plain(collection: Collection) -> Collection:
        """The collection with moments that name no zone; they are UTC, and `Moment` takes them for that.

        For what is read very often: giving every moment its zone is most of the work of reading a document.
        """
        return collection.with_options(codec_options=_PLAIN)

    async def ping(self) -> None:
        await self.db.command("ping")

    async def _time(self) -> datetime:
        told: datetime = (await self.db.command("hello"))["localTime"]
        return told.replace(tzinfo=UTC)

    def close(self) -> None:
        self.client.close()

    async def transaction(self, work: Callable[[Session], Awaitable[Result]]) -> Result:
        """Run `work` in one transaction, again from the start after a write conflict or a change of primary.

        `work` must do nothing but reads and writes with the session it is given, because it may run several times.
        """
        deadline = asyncio.get_running_loop().time() + _RETRY_FOR_S
        pause = 0.002
        async with await self.client.start_session() as session:
            while True:
                try:
                    return await self._once(session, work)
                except PyMongoError as error:
                    if not error.has_error_label("TransientTransactionError"):
                        raise
                    if asyncio.get_running_loop().time() > deadline:
                        raise
                await asyncio.sleep(pause * random.uniform(0.5, 1.5))
                pause = min(pause * 2, 0.2)

    async def _once(self, session: Session, work: Callable[[Session], Awaitable[Result]]) -> Result:
        session.start_transaction(
            read_concern=ReadConcern("snapshot"),
            write_concern=WriteConcern(w="majority", j=True),
            read_preference=ReadPreference.PRIMARY,
        )
        try:
            result = await work(session)
        except BaseException:
            if session.in_transaction:  # type: ignore[truthy-function]  # a property; the stub says method
                await session.abort_transaction()
            raise
        await self._commit(session)
        return result

    async def _commit(self, session: Session) -> None:
        for left in (2, 1, 0):
            try:
                await session.commit_transaction()
                return
            except (OperationFailure, ConnectionFailure) as error:
                if left == 0 or not error.has_error_label("UnknownTransactionCommitResult"):
                    raise

    async def snapshot(self, work: Callable[[Session], Awaitable[Result]]) -> Result:
        """Run reads that all see the database at one moment.

        No transaction, so its short life does not end them; they may take as long as MongoDB keeps the past
        (minSnapshotHistoryWindowInSeconds: a minute on the embedded server, five by default).
        """
        async with await self.client.start_session(snapshot=True) as session:
            return await work(session)
