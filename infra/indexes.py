"""Every index, declared once and made by provisioning."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from pymongo import IndexModel

from contracts.returns import OPEN
from infra.mongo import Mongo, OperationFailure

INBOX_KEPT_S = 30 * 86400
IDEMPOTENCY_KEPT_S = 72 * 3600
OUTBOX_KEPT_S = 14 * 86400
NEVER_BEGUN_S = 60 * 86400
FORECASTS_KEPT_S = 60 * 86400

_OTHERWISE = (85, 86)
"""Of MongoDB: an index of that name, or on these fields, is there with other options."""
_NO_SUCH_INDEX = 27
_Keys = list[tuple[str, int]]
_UNREAD = {"drained": None}
TEXT = {"$gte": ""}
MOMENT = {"$lt": datetime(9999, 1, 1, tzinfo=UTC)}
"""Any text, and any moment; null and what is missing are neither. Said as a comparison, because with `$type` the index
is used by no query that does not say `$type` too: MongoDB does not conclude that what equals a text is one."""
_READ = {"drained": MOMENT}
_Indexes = list[tuple[_Keys, dict[str, Any]]]
INDEXES: dict[str, _Indexes] = {
    "orders": [
        ([("placed_at", 1)], {"partialFilterExpression": {"batch": None}, "name": "unclaimed"}),
        ([("batch", 1), ("due", 1)], {}),
        ([("placed_at", -1), ("_id", 1)], {}),
        ([("stage", 1), ("placed_at", -1)], {}),
        ([("lines.sku", 1), ("placed_at", 1)], {"partialFilterExpression": {"stage": "backordered"}, "name": "waits"}),
        ([("parcels.tracking", 1)], {"partialFilterExpression": {"parcels.tracking": TEXT}, "name": "tracked"}),
        # Deliveries of a service, the newest first: what its speed is learned from.
        (
            [("parcels.service", 1), ("closed_at", -1)],
            {"partialFilterExpression": {"stage": "closed", "parcels.service": TEXT}, "name": "carried"},
        ),
    ],
    "stock": [([("sku", 1), ("location", 1)], {})],
    "ledger": [
        ([("version", 1), ("row", 1)], {}),
        ([("at", 1)], {}),
        ([("slot", 1)], {"partialFilterExpression": {"slot": {"$exists": True}}}),
    ],
    "batches": [([("status", 1), ("created_at", 1)], {})],
    "inbox": [
        # Only what is still to be read: an event leaves these indexes when it is drained, at half the cost of moving.
        ([("batch", 1)], {"partialFilterExpression": _UNREAD}),
        ([("drained", 1)], {"expireAfterSeconds": INBOX_KEPT_S, "partialFilterExpression": _READ, "name": "kept"}),
    ],
    "outbox": [
        (
            [("status", 1), ("at", 1), ("key", 1)],
            {"partialFilterExpression": {"status": {"$in": ["pending", "stamped"]}}},
        ),
        ([("turn", 1), ("at", 1), ("key", 1)], {"partialFilterExpression": {"turn": {"$exists": True}}}),
        # Not before its numbers are written to the partners' documents.
        (
            [("sent_at", 1)],
            {"expireAfterSeconds": OUTBOX_KEPT_S, "partialFilterExpression": {"folded": True}, "name": "kept"},
        ),
    ],
    "returns": [
        ([("order", 1)], {}),
        ([("started", 1)], {"partialFilterExpression": {"started": False}}),
        ([("next_due", 1)], {}),
        ([("location", 1)], {"partialFilterExpression": {"state": {"$in": sorted(OPEN)}}, "name": "open"}),
    ],
    "api_keys": [
        ([("partner", 1)], {"partialFilterExpression": {"partner": TEXT}, "name": "of_partner"}),
    ],
    "webhooks": [
        ([("stream", 1)], {}),
        ([("state", 1), ("lease.until", 1)], {}),
        # Twice a second every process renews its own.
        ([("lease.owner", 1)], {"partialFilterExpression": {"lease.owner": TEXT}, "name": "of_owner"}),
    ],
    "stock_reports": [
        ([("location", 1), ("at", -1)], {}),
        ([("at", 1)], {"expireAfterSeconds": INBOX_KEPT_S, "name": "kept"}),
    ],
    "idempotency": [([("at", 1)], {"expireAfterSeconds": IDEMPOTENCY_KEPT_S, "name": "kept"})],
    "entries": [
        ([("order", 1)], {}),
        # Only what no statement has taken in yet; partners' only, as theirs alone are taken in.
        (
            [("account", 1), ("at", 1)],
            {
                "partialFilterExpression": {"statement": None, "account": {"$gte": "partner:", "$lt": "partner;"}},
                "name": "open",
            },
        ),
        ([("statement", 1)], {"partialFilterExpression": {"statement": TEXT}, "name": "stated"}),
    ],
    "commission_rules": [([("id", 1), ("version", -1)], {"unique": True})],
    "statements": [([("partner", 1), ("frozen_at", -1)], {}), ([("frozen_at", -1), ("_id", 1)], {})],
    "agreements": [([("application", 1), ("number", -1)], {"unique": True})],
    "policies": [([("id", 1), ("version", -1)], {"unique": True})],
    "supply_policies": [([("id", 1), ("version", -1)], {"unique": True})],
    "sourcing": [([("sku", 1), ("active", 1)], {}), ([("supplier", 1)], {})],
    "promotions": [([("replaced_at", 1), ("promotion", 1)], {}), ([("last_day", 1), ("first_day", 1)], {})],
    "supply_runs": [
        ([("region", 1), ("started_at", -1)], {}),
        ([("started_at", -1), ("_id", 1)], {}),
        # One at a time in a region.
        (
            [("region", 1)],
            {"unique": True, "partialFilterExpression": {"state": "running"}, "name": "running"},
        ),
    ],
    "supply_chunks": [([("run", 1), ("number", 1)], {}), ([("made_at", 1)], {"expireAfterSeconds": FORECASTS_KEPT_S})],
    "demand_told": [([("location", 1), ("last", 1)], {}), ([("sku", 1)], {})],
    "forecasts": [
        ([("run", 1), ("chunk", 1)], {}),
        # Who else wants the same of a supplier who has little.
        ([("run", 1), ("sku", 1)], {}),
        ([("location", 1), ("sku", 1), ("made_at", -1)], {}),
        ([("made_at", 1)], {"expireAfterSeconds": FORECASTS_KEPT_S, "name": "kept"}),
    ],
    "proposals": [
        ([("run", 1), ("state", 1), ("_id", 1)], {}),
        # What a run brings already, chunk by chunk.
        ([("run", 1), ("sku", 1)], {}),
        ([("location", 1), ("sku", 1), ("created_at", -1)], {}),
        ([("decision", 1)], {"partialFilterExpression": {"decision": TEXT}, "name": "decided"}),
        # Not ordered yet: what counts in positions, and what a later run supersedes.
        (
            [("sku", 1), ("location", 1)],
            {"partialFilterExpression": {"state": {"$in": ["proposed", "approved", "changed"]}}, "name": "open"},
        ),
        ([("region", 1), ("state", 1)], {}),
    ],
    "supply_rounds": [([("run", 1)], {})],
    "transfers": [
        ([("destination", 1), ("state", 1)], {}),
        ([("source", 1), ("state", 1)], {}),
        ([("approved_at", -1), ("_id", 1)], {}),
    ],
    "partners": [
        ([("state", 1)], {}),
        ([("kind", 1), ("state", 1)], {}),
        ([("credit_code", 1)], {}),
        ([("kind", 1), ("territory", 1)], {}),
    ],
    "purchase_orders": [
        # A proposal is ordered once, whoever asks again.
        (
            [("proposals", 1)],
            {"unique": True, "partialFilterExpression": {"proposals.0": {"$exists": True}}, "name": "of_proposals"},
        ),
        ([("location", 1), ("lines.sku", 1), ("state", 1)], {}),
        ([("supplier", 1), ("created_at", -1)], {}),
        ([("created_at", -1), ("_id", 1)], {}),
        ([("started", 1)], {"partialFilterExpression": {"started": False}}),
        ([("next_at", 1)], {}),
    ],
    "purchase_inbox": [
        ([("order", 1)], {"partialFilterExpression": _UNREAD, "name": "unread"}),
        ([("drained", 1)], {"expireAfterSeconds": INBOX_KEPT_S, "name": "kept"}),
    ],
    "supplier_reports": [([("supplier", 1), ("sku", 1)], {})],
    "supplier_rates": [([("at", 1)], {"expireAfterSeconds": 3 * 86400, "name": "kept"})],
    "lead_observations": [([("supplier", 1), ("came", -1)], {})],
    "score_disputes": [([("supplier", 1), ("state", 1)], {}), ([("state", 1), ("next_at", 1)], {})],
    "audit": [([("subject", 1), ("at", -1)], {})],
    "applications": [
        ([("standing.stage", 1), ("standing.turn.due", 1), ("_id", 1)], {"name": "queue"}),
        # By what the same applicant is found again.
        ([("credit_code", 1)], {"partialFilterExpression": {"credit_code": TEXT}, "name": "company"}),
        (
            [("fields.bank_account.number.hash", 1)],
            {"partialFilterExpression": {"fields.bank_account.number.hash": TEXT}, "name": "account"},
        ),
        (
            [("fields.contact.phone.hash", 1)],
            {"partialFilterExpression": {"fields.contact.phone.hash": TEXT}, "name": "phone"},
        ),
        # Begun while no workflow could be started, and never gone on with.
        (
            [("created_at", 1)],
            {
                "partialFilterExpression": {"standing.step": 0},
                "expireAfterSeconds": NEVER_BEGUN_S,
                "name": "never_begun",
            },
        ),
    ],
    "cases": [
        # One live case of a matter: whoever opens another finds it.
        ([("same", 1)], {"unique": True, "partialFilterExpression": {"same": TEXT}, "name": "same"}),
        ([("state", 1), ("team", 1), ("priority", 1), ("opened_at", 1)], {"name": "queue"}),
        ([("due", 1)], {"partialFilterExpression": {"due": MOMENT}, "name": "due"}),
        ([("order", 1)], {"partialFilterExpression": {"order": TEXT}, "name": "of_order"}),
        ([("partner", 1), ("opened_at", -1)], {"partialFilterExpression": {"partner": TEXT}, "name": "of_partner"}),
        (
            [("customer.reference", 1), ("opened_at", -1)],
            {"partialFilterExpression": {"customer.reference": TEXT}, "name": "of_customer"},
        ),
        ([("assignee", 1), ("state", 1)], {"partialFilterExpression": {"assignee": TEXT}, "name": "in_hand"}),
        ([("causes", 1)], {}),
    ],
    "case_messages": [([("case", 1), ("number", 1)], {"unique": True})],
    "case_inbox": [
        ([("case", 1), ("at", 1)], {"partialFilterExpression": {"taken": None}, "name": "unread"}),
        ([("taken", 1)], {"expireAfterSeconds": INBOX_KEPT_S, "name": "kept"}),
    ],
    "bus_accounts": [
        ([("streams", 1)], {}),
        # A stream is one partner's.
        (
            [("streams", 1)],
            {"unique": True, "partialFilterExpression": {"streams.0": {"$exists": True}}, "name": "one_owner"},
        ),
        ([("telling.at", 1)], {"sparse": True}),
    ],
    "credentials": [
        ([("partner", 1)], {}),
        ([("retires_at", 1)], {"partialFilterExpression": {"revoked_at": None, "retires_at": MOMENT}}),
    ],
}


async def make_indexes(mongo: Mongo) -> None:
    """Make all indexes and the counters they lean on. Safe to run again."""

    async def of(collection: str, indexes: _Indexes) -> None:
        try:
            await mongo.db[collection].create_indexes([IndexModel(keys, **options) for keys, options in indexes])
        except OperationFailure as error:
            if error.code not in _OTHERWISE:
                raise
            for keys, options in indexes:
                await _make(mongo, collection, keys, options)

    await asyncio.gather(*(of(collection, indexes) for collection, indexes in INDEXES.items()))
    for name in ("stock", "network"):
        await mongo.counters.update_one({"_id": name}, {"$setOnInsert": {"version": 0}}, upsert=True)


async def _make(mongo: Mongo, collection: str, keys: _Keys, options: dict[str, Any]) -> None:
    """One that an earlier version made otherwise is made anew."""
    try:
        await mongo.db[collection].create_index(keys, **options)
    except OperationFailure as error:
        if error.code not in _OTHERWISE:
            raise
        try:
            await mongo.db[collection].drop_index(options.get("name") or keys)
        except OperationFailure as gone:
            if gone.code != _NO_SUCH_INDEX:
                raise
        await mongo.db[collection].create_index(keys, **options)
