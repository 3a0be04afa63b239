"""What a partner still has open: orders and returns at its places, purchase orders that it is to deliver, statements
that are not paid, money that no statement has."""

from contracts.buying import ENDED as NOT_BOUGHT
from contracts.lifecycle import Open
from contracts.orders import TERMINAL, Stage
from contracts.parcels import SPOKEN_FOR
from contracts.partnership import PartnerRecord
from contracts.returns import ENDED
from contracts.settlement import partner_account
from infra.mongo import Mongo, Session

_ORDERS_NAMED = 20


async def what_is_open(mongo: Mongo, partner: PartnerRecord, session: Session | None = None) -> Open:
    places = partner.streams
    mine = {"$elemMatch": {"location": {"$in": places}, "state": {"$in": sorted(SPOKEN_FOR)}}}
    orders = {"stage": {"$in": sorted(set(Stage) - TERMINAL)}, "parcels": mine}
    named = mongo.orders.find(orders, {"_id": 1}, session=session).sort("_id", 1).limit(_ORDERS_NAMED)
    returns = {"location": {"$in": places}, "state": {"$nin": sorted(ENDED)}}
    due = {"partner": {"$in": places}, "$or": [_UNDER_WAY, _NOT_PAID]}
    statements = mongo.statements.find(due, {"_id": 1}, session=session).sort("_id", 1).limit(_ORDERS_NAMED)
    purchases = {"supplier": partner.id, "state": {"$nin": sorted(NOT_BOUGHT)}, "sent_at": {"$ne": None}}
    bought = mongo.purchase_orders.find(purchases, {"_id": 1}, session=session).sort("_id", 1).limit(_ORDERS_NAMED)
    accounts = [partner_account(place) for place in places]
    sums = mongo.entries.aggregate(
        [
            {"$match": {"account": {"$in": accounts}, "statement": None}},
            {"$group": {"_id": "$currency", "sum": {"$sum": "$amount"}}},
        ],
        session=session,
    )
    return Open(
        orders=[row["_id"] async for row in named],
        order_count=await mongo.orders.count_documents(orders, session=session),
        returns=await mongo.returns.count_documents(returns, session=session),
        statements=[row["_id"] async for row in statements],
        purchases=[row["_id"] async for row in bought],
        unsettled={row["_id"]: row["sum"] async for row in sums if row["sum"]},
    )


_UNDER_WAY = {"state": {"$in": ["freezing", "frozen", "ready", "disputed"]}}
_NOT_PAID = {"state": "closed", "balances": {"$elemMatch": {"closing": {"$ne": 0}}}}
"""Closed with a balance that nobody has paid, and that no later statement has taken over."""
