"""What must hold when all is quiet, read anew from each party: retailer, partners, provider, MongoDB, Temporal."""

import sqlite3
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from temporalio.client import Client

from contracts.orders import TERMINAL
from contracts.returns import ENDED
from contracts.subjects import DLQ, EVENTS, REPLIES, RETAILER
from infra.invariants import check, violations
from infra.mongo import Mongo
from infra.nats import connect_by
from infra.settings import Settings
from infra.temporal import connect as connect_temporal
from tests.chaos.partner import heard
from tests.chaos.retailer import Ledger

_TERMINAL = sorted(TERMINAL)
_ENDED = sorted(ENDED)
_EXAMPLES = 5
_OURS = "WorkflowType IN ('OrderFulfilment', 'OrderReturn') AND ExecutionStatus = 'Running'"


@dataclass
class Verdict:
    """Violations in words, and figures worth knowing."""

    violations: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    def blame(self, what: str, which: list[str]) -> None:
        if which:
            shown = "; ".join(which[:_EXAMPLES])
            self.violations.append(f"{what}: {len(which)}, such as {shown}")


class Parties:
    """Connections to all, past the links; opened for one run."""

    def __init__(self, settings: Settings, mongo: Mongo, temporal: Client) -> None:
        self.settings = settings
        self.mongo = mongo
        self.temporal = temporal

    @classmethod
    async def open(cls, settings: Settings) -> "Parties":
        mongo = Mongo(settings.require("mongo_url"), settings.mongo_database)
        return cls(settings, mongo, await connect_temporal(settings.require("temporal_address"), "default"))

    def close(self) -> None:
        self.mongo.close()

    async def restless(self) -> dict[str, int]:
        """What is still to be done, by kind; empty when all is quiet."""
        mongo = self.mongo
        found = {
            "open orders": await mongo.orders.count_documents({"stage": {"$nin": _TERMINAL}}),
            "open returns": await mongo.returns.count_documents({"state": {"$nin": _ENDED}}),
            "open batches": await mongo.batches.count_documents({"status": {"$ne": "closed"}}),
            "unread inbox": await mongo.inbox.count_documents({"drained": None}),
            "unsent outbox": await mongo.outbox.count_documents({"status": {"$ne": "sent"}}),
            "workflows": (await self.temporal.count_workflows(_OURS)).count,
            **await self._unheard(),
        }
        return {name: number for name, number in found.items() if number}

    async def _unheard(self) -> dict[str, int]:
        """Messages that a consumer has not had, or has not acknowledged."""
        client = await connect_by(self.settings, "verify")
        try:
            js = client.jetstream()
            waiting = {}
            for stream in (EVENTS, REPLIES):
                names: list[str] = []
                waiting[f"unheard in {stream}"] = 0
                while page := await js.consumers_info(stream, offset=len(names)):
                    names += [consumer.name for consumer in page]
                    numbers = [(c.num_pending or 0) + (c.num_ack_pending or 0) for c in page]
                    waiting[f"unheard in {stream}"] += sum(numbers)
            waiting["dead letters"] = (await js.stream_info(DLQ)).state.messages
            return waiting
        finally:
            await client.close()


async def verify(parties: Parties, ledger: Ledger, books: list[Path], provider: Path, gateway: str) -> Verdict:
    """Everything; `books` are the partners', `provider` is the payment sandbox's own file."""
    verdict = Verdict()
    restless = await parties.restless()
    verdict.blame("left over", [f"{number} {name}" for name, number in restless.items()])
    orders = {row["_id"]: row async for row in parties.mongo.orders.find({}, {"decisions": 0})}
    await _of_orders(verdict, parties, ledger, orders, gateway)
    of_partners(verdict, books, await _numbered(parties.mongo))
    _of_retailer(verdict, next(book for book in books if book.stem == RETAILER), orders, ledger)
    _of_money(verdict, provider, orders, set(ledger.returned.values()))
    await _of_stock(verdict, parties.mongo, ledger)
    await _of_invariants(verdict, parties)
    return verdict


async def _of_orders(verdict: Verdict, parties: Parties, ledger: Ledger, orders: dict[str, Any], gateway: str) -> None:
    """Accepted, as the retailer knows or learns by asking: there, once, and ended."""
    verdict.blame("requests that never got an answer", ledger.unanswered)
    key = {"Authorization": f"Bearer {parties.settings.require('operator_key')}"}
    async with aiohttp.ClientSession(gateway, headers=key) as session:
        for order, placed in ledger.orders.items():
            if placed.accepted_at is None and placed.refusal is None:
                async with session.get(f"/v1/orders/{order}") as answer:
                    placed.accepted_at = placed.sent_at if answer.status == 200 else None
    accepted = {order for order, placed in ledger.orders.items() if placed.accepted_at is not None}
    refused = {order: placed.refusal for order, placed in ledger.orders.items() if placed.refusal is not None}
    verdict.blame("accepted orders that are lost", sorted(accepted - set(orders)))
    verdict.blame("orders that nobody placed", sorted(set(orders) - set(ledger.orders)))
    verdict.blame("refused orders that are carried out", sorted(set(orders) & set(refused)))
    verdict.blame("orders refused", [f"{order}: {why}" for order, why in refused.items()])
    open_still = [f"{order} is {row['stage']}" for order, row in orders.items() if row["stage"] not in TERMINAL]
    verdict.blame("accepted orders that have not ended", open_still)
    stages: dict[str, int] = defaultdict(int)
    attention: dict[str, int] = defaultdict(int)
    for row in orders.values():
        stages[row["stage"]] += 1
        if row["attention"]:
            attention[row["attention"]["code"]] += 1
    verdict.blame("orders in error", [order for order, row in orders.items() if _code(row) == "error"])
    again = sum(placed.tries - 1 for placed in ledger.orders.values())
    verdict.figures |= {"orders placed": len(ledger.orders), "orders accepted": len(accepted), "tries again": again}
    verdict.figures |= {f"orders {stage}": number for stage, number in sorted(stages.items())}
    verdict.figures |= {f"attention {code}": number for code, number in sorted(attention.items())}


def _code(row: dict[str, Any]) -> str | None:
    return row["attention"]["code"] if row["attention"] else None


Numbered = dict[tuple[str, int], str]
"""Events by partner and number."""


async def _numbered(mongo: Mongo) -> Numbered:
    """What was told, as the outbox has it."""
    found: Numbered = {}
    async for row in mongo.outbox.find(
        {"numbers": {"$exists": True}}, {"numbers": 1, "events.partner": 1, "events.id": 1}
    ):
        for event, number in zip(row["events"], row["numbers"], strict=True):
            found[event["partner"], number] = event["id"]
    return found


def of_partners(verdict: Verdict, books: list[Path], told: Numbered) -> None:
    """Each partner has heard 1, 2, … up to the last number given, each event under one number alone."""
    known: Numbered = {}
    gaps, twice, contradictions = [], [], []
    redelivered = 0
    for path in books:
        book = heard(path)
        for partner, least, most, numbers, distinct, times in book.execute(
            "SELECT partner, min(number), max(number), count(*), count(DISTINCT event), sum(times)"
            " FROM heard GROUP BY partner"
        ):
            redelivered += times - numbers
            if (least, most) != (1, numbers):
                gaps.append(f"{partner}: {numbers} events between {least} and {most}")
            if distinct != numbers:
                twice.append(f"{partner}: {numbers - distinct} events under two numbers")
        known |= {(p, number): event for p, number, event in book.execute("SELECT partner, number, event FROM heard")}
        contradictions += [str(row) for row in book.execute("SELECT * FROM contradicted")]
        book.close()
    verdict.blame("gaps in what a partner heard", gaps)
    verdict.blame("events told under two numbers", twice)
    verdict.blame("a number with two contents", contradictions)
    differ = [key for key in told.keys() | known.keys() if told.get(key) != known.get(key)]
    verdict.blame(
        "numbers under which a partner heard otherwise than was told",
        [f"{key}: heard {known.get(key)}, told {told.get(key)}" for key in sorted(differ)],
    )
    partners = len({partner for partner, _ in known})
    verdict.figures |= {"partners": partners, "events heard": len(known), "redelivered": redelivered}


def _of_retailer(verdict: Verdict, path: Path, orders: dict[str, Any], ledger: Ledger) -> None:
    """The end of every order was told once, unless goods came back after it."""
    book = heard(path)
    query = (
        "SELECT subject, count(*) FROM heard WHERE type IN ('order.closed.v1', 'order.cancelled.v1') GROUP BY subject"
    )
    ends = dict(book.execute(query))
    book.close()
    reopened = set(ledger.returned.values())
    wrong = [
        f"{order}: told {ends.get(order, 0)} times"
        for order, row in orders.items()
        if row["stage"] in TERMINAL and ends.get(order, 0) != 1 and order not in reopened and not _came_back(row)
    ]
    verdict.blame("orders whose end was not told exactly once", wrong)


def _came_back(row: dict[str, Any]) -> bool:
    """Parcels that were refused at the door or lost come back by themselves."""
    return any(parcel["state"] in ("lost", "returning", "returned") for parcel in row["parcels"])


def _of_money(verdict: Verdict, provider: Path, orders: dict[str, Any], returned: set[str]) -> None:
    """The provider's own book, line by line against ours, and against what the customer should have paid."""
    book = sqlite3.connect(f"file:{provider}?mode=ro", uri=True)
    query = (
        "SELECT order_id, sum(captured), sum(refunded), sum(authorised - captured - voided), max(prepaid)"
        " FROM payments GROUP BY order_id"
    )
    theirs = {order: values for order, *values in book.execute(query)}
    book.close()
    differ, held, wrong, unknown = [], [], [], []
    unknown += [order for order in theirs if order not in orders]
    for order, row in orders.items():
        pay = row["payment"]
        if order in theirs:
            captured, refunded, holding, _ = theirs[order]
            if (captured, refunded, holding) != (pay["captured"], pay["refunded"], pay["authorised"]):
                ours = (pay["captured"], pay["refunded"], pay["authorised"])
                differ.append(f"{order}: {(captured, refunded, holding)}, ours {ours}")
        else:
            captured, refunded, holding = (row["total"] if pay["method"] == "prepaid" else 0), 0, 0
        if holding:
            held.append(f"{order}: {holding}")
        due = _price(row)
        if due is not None and order not in returned and captured - refunded != due:
            wrong.append(f"{order}, {row['stage']}: {captured - refunded} kept, {due} due")
    verdict.blame("payments that the provider has and we have no order for", unknown)
    verdict.blame("orders whose sums differ at the provider", differ)
    verdict.blame("orders that ended with money held", held)
    verdict.blame("orders paid otherwise than for what was delivered", wrong)
    verdict.figures["payments at the provider"] = len(theirs)


def _price(row: dict[str, Any]) -> int | None:
    """What the customer pays in the plain cases: everything for all of it, nothing for none of it."""
    units = sum(line["quantity"] for line in row["lines"])
    parcels = [p for p in row["parcels"] if p["state"] in ("shipped", "delivered", "lost", "returning", "returned")]
    if any(parcel["state"] not in ("shipped", "delivered") for parcel in parcels):
        return None
    gone = sum(item["quantity"] for parcel in parcels for item in parcel["items"])
    return {units: int(row["total"]), 0: 0}.get(gone)


async def _of_stock(verdict: Verdict, mongo: Mongo, ledger: Ledger) -> None:
    """Goods received are on the shelf, reserved or gone: counted from orders, not the ledger.

    Only in the warehouses, where no store's refusal writes anything off.
    """
    gone: dict[tuple[str, str], int] = defaultdict(int)
    async for row in mongo.orders.find({}, {"parcels": 1}):
        for parcel in row["parcels"]:
            if parcel["state"] in ("shipped", "delivered", "returning", "returned", "lost"):
                for item in parcel["items"]:
                    gone[parcel["location"], item["sku"]] += item["quantity"]
    async for row in mongo.returns.find({"state": {"$in": ["received", "refunded", "closed"]}}):
        for line in row["lines"]:
            gone[row["location"], line["sku"]] -= line["sellable"]
    wrong, reserved = [], []
    first = {
        (row["location"], row["changes"][0]["sku"]): row["changes"][0]["on_hand"]
        async for row in mongo.ledger.find({"kind": "counted", "location": {"$regex": "^wh-"}})
    }
    async for level in mongo.stock.find({}):
        key = (level["location"], level["sku"])
        if level["reserved"]:
            reserved.append(f"{key}: {level['reserved']}")
        if level["location"].startswith("wh-"):
            due = first.get(key, 0) + ledger.receipts.get(key, 0) - gone[key]
            if due != level["on_hand"]:
                wrong.append(f"{key}: {level['on_hand']} on hand, {due} due")
    verdict.blame("levels that are not what came less what went", wrong)
    verdict.blame("levels with reservations of nobody", reserved)


async def _of_invariants(verdict: Verdict, parties: Parties) -> None:
    client = await connect_by(parties.settings, "verify")
    try:
        findings = await check(parties.mongo, client.jetstream(), parties.settings.payment_url)
    finally:
        await client.close()
    broken = [f"{f.invariant} {f.count}: {'; '.join(f.examples[:3])}" for f in violations(findings)]
    verdict.blame("invariants that do not hold", broken)
    others = [f"{f.invariant} {f.count}" for f in findings if not f.violated]
    if others:
        verdict.figures["warnings"] = "; ".join(others)
