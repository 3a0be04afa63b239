"""Invariants of settlement: entries add up to nothing, and every parcel that left is in the books once."""

from collections.abc import Callable, Mapping
from typing import Any

from contracts.orders import GONE, TERMINAL
from contracts.settlement import CUSTOMER
from infra.invariants.findings import EXAMPLES_SHOWN, Finding, Invariant, found
from infra.mongo import Collection, Mongo, Session

BALANCED = Invariant(
    "settlement.balanced",
    "the entries of every cause and of every order add up to zero",
    "Compare the entries of the cause that is named with the parcel's items and the rules they name.",
)
BOOKED = Invariant(
    "settlement.booked",
    "every parcel that has left has the entries of its goods exactly once",
    "Compare the order's timeline with its entries; a parcel that is missing was shipped without being settled.",
)
CUSTOMERS = Invariant(
    "settlement.customers",
    "of an order that ended, the customer was charged what was captured less refunded, and has paid it",
    "Compare the customer's entries with the order's payment and with what came back of its parcels.",
)
STATED = Invariant(
    "settlement.stated",
    "every statement opens where the one before it closed, and closes with that and all entries that it took in",
    "Compare the statement's JSON file with its entries; make a correction in the partner's next statement.",
)
INVARIANTS = [BALANCED, BOOKED, CUSTOMERS, STATED]

_Words = Callable[[Mapping[str, Any]], str]
_GONE = [str(state) for state in GONE]
_ORDER_OF_PARCEL = {"$first": {"$split": ["$parcels.id", ".p"]}}


async def check_settlement(mongo: Mongo, session: Session) -> list[Finding]:
    return [
        *await _balanced(mongo, session),
        *await _booked(mongo, session),
        *await _customers(mongo, session),
        *await _stated(mongo, session),
    ]


async def _balanced(mongo: Mongo, session: Session) -> list[Finding]:
    """By cause within order: where each of those is zero, every cause and every order is."""
    by_cause = {"_id": {"cause": "$cause", "order": "$order", "currency": "$currency"}, "sum": {"$sum": "$amount"}}
    pipeline: list[dict[str, Any]] = [{"$group": by_cause}, {"$match": {"sum": {"$ne": 0}}}, {"$sort": {"_id": 1}}]

    def words(row: Mapping[str, Any]) -> str:
        return f"{row['_id']['cause']}: the entries add up to {row['sum']} {row['_id']['currency']}"

    return await _found(mongo.entries, pipeline, session, BALANCED, words)


async def _booked(mongo: Mongo, session: Session) -> list[Finding]:
    """Goods are one entry for each line of a parcel, also when they cost nothing."""
    goods = {
        "from": "entries",
        "localField": "order",
        "foreignField": "order",
        "let": {"cause": "$cause"},
        "pipeline": [
            {"$match": {"meaning": "goods", "$expr": {"$eq": ["$cause", "$$cause"]}}},
            {"$project": {"line": 1}},
        ],
        "as": "goods",
    }
    once = {
        "$and": [
            {"$setEquals": ["$goods.line", "$parcels.items.line"]},
            {"$eq": [{"$size": "$goods"}, {"$size": {"$setUnion": ["$goods.line", []]}}]},
        ]
    }
    pipeline: list[dict[str, Any]] = [
        {"$match": {"parcels.state": {"$in": _GONE}}},
        {"$project": {"parcels.id": 1, "parcels.state": 1, "parcels.items.line": 1}},
        {"$unwind": "$parcels"},
        {"$match": {"parcels.state": {"$in": _GONE}}},
        {"$set": {"cause": {"$concat": ["$parcels.id", ":shipped"]}, "order": _ORDER_OF_PARCEL}},
        {"$lookup": goods},
        {"$match": {"$expr": {"$not": [once]}}},
    ]

    def words(row: Mapping[str, Any]) -> str:
        wanted, there = len(row["parcels"]["items"]), len(row["goods"])
        return f"{row['parcels']['id']} left with {wanted} lines, but {there} are in the books"

    return await _found(mongo.orders, pipeline, session, BOOKED, words)


async def _customers(mongo: Mongo, session: Session) -> list[Finding]:
    sums = {
        "from": "entries",
        "localField": "_id",
        "foreignField": "order",
        "pipeline": [
            {"$match": {"account": CUSTOMER}},
            {
                "$group": {
                    "_id": None,
                    "charged": {"$sum": {"$cond": [{"$eq": ["$meaning", "sale"]}, {"$multiply": ["$amount", -1]}, 0]}},
                    "paid": {"$sum": {"$cond": [{"$in": ["$meaning", ["payment", "refund"]]}, "$amount", 0]}},
                }
            },
        ],
        "as": "sums",
    }
    kept = {"$subtract": ["$payment.captured", "$payment.refunded"]}
    pipeline: list[dict[str, Any]] = [
        {"$match": {"stage": {"$in": [str(stage) for stage in TERMINAL]}}},
        {"$project": {"kept": kept}},
        {"$lookup": sums},
        {"$set": {name: {"$ifNull": [{"$first": f"$sums.{name}"}, 0]} for name in ("charged", "paid")}},
        {"$match": {"$expr": {"$not": [{"$and": [{"$eq": ["$charged", "$kept"]}, {"$eq": ["$paid", "$kept"]}]}]}}},
    ]

    def words(row: Mapping[str, Any]) -> str:
        return f"{row['_id']}: charged {row['charged']}, paid {row['paid']}, captured less refunded {row['kept']}"

    return await _found(mongo.orders, pipeline, session, CUSTOMERS, words)


async def _stated(mongo: Mongo, session: Session) -> list[Finding]:
    """Reads statements one by one: there are as many as partners and months."""
    examples: list[str] = []
    closing: dict[str, dict[str, int]] = {}
    async for row in mongo.statements.find({}, session=session).sort([("frozen_at", 1), ("_id", 1)]):
        closing[row["_id"]] = {b["currency"]: b["closing"] for b in row["balances"] if b["closing"]}
        if row["opening"] != closing.get(row["previous"], {}):
            examples.append(f"{row['_id']} opens with {row['opening']}, but the one before it closed otherwise")
        if row["state"] in ("ready", "closed", "carried", "paid"):
            expected = await _sums(mongo, session, row["_id"], row["opening"])
            if closing[row["_id"]] != expected:
                examples.append(f"{row['_id']} closes with {closing[row['_id']]}; its entries make {expected}")
    return found(STATED, examples)


async def _sums(mongo: Mongo, session: Session, statement: str, opening: Mapping[str, int]) -> dict[str, int]:
    """By currency, without those that make zero."""
    sums = dict(opening)
    by_currency = {"_id": "$currency", "sum": {"$sum": "$amount"}}
    pipeline: list[dict[str, Any]] = [{"$match": {"statement": statement}}, {"$group": by_currency}]
    async for row in mongo.entries.aggregate(pipeline, session=session):
        sums[row["_id"]] = sums.get(row["_id"], 0) + row["sum"]
    return {currency: amount for currency, amount in sums.items() if amount}


async def _found(
    rows: Collection, pipeline: list[dict[str, Any]], session: Session, invariant: Invariant, words: _Words
) -> list[Finding]:
    examples: list[str] = []
    count = 0
    async for row in rows.aggregate(pipeline, session=session):
        count += 1
        if len(examples) < EXAMPLES_SHOWN:
            examples.append(words(row))
    return found(invariant, examples, count)
