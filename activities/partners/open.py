"""What a partner still has open: orders and returns at its places, purchase orders that it is to deliver, statements
that are not paid, money that no statement has."""

from contracts.buying import ENDED as NOT_BOUGHT
from contracts.lifecycle import Open
from contracts.orders import TERMINAL, Stage
from contracts.parcels import SPOKEN_FOR
from contracts.partnership import PartnerRecord
from contracts.returns import OPEN
from contracts.settlement import partner_account
from infra.mongo import Mongo, Session

_ORDERS_NAMED = 20


async def what_is_open(mongo: Mongo, partner: PartnerRecord, session: Session | None = None) -> Open:
    """Reads orders that are open, of whichever place, once; those that have ended are never looked at. (An index by
    place would cost every order's writes more than these few looks are worth.)"""
    places = partner.streams
    mine = {"$elemMatch": {"location": {"$in": places}, "state": {"$in": sorted(SPOKEN_FOR)}}}
    orders = {"stage": {"$in": sorted(set(Stage) - TERMINAL)}, "parcels": mine}
    some = {"$minN": {"input": "$_id", "n": _ORDERS_NAMED}}
    group = {"$group": {"_id": None, "count": {"$sum": 1}, "named": some}}
    counted = await mongo.orders.aggregate([{"$match": orders}, group], session=session).to_list(1)
    returns = {"location": {"$in": places}, "state": {"$in": sorted(OPEN)}}
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
        orders=sorted(counted[0]["named"]) if counted else [],
        order_count=counted[0]["count"] if counted else 0,
        returns=await mongo.returns.count_documents(returns, session=session),
        statements=[row["_id"] async for row in statements],
        purchases=[row["_id"] async for row in bought],
        unsettled={row["_id"]: row["sum"] async for row in sums if row["sum"]},
    )


_UNDER_WAY = {"state": {"$in": ["freezing", "frozen", "ready", "disputed"]}}
_NOT_PAID = {"state": "closed", "balances": {"$elemMatch": {"closing": {"$ne": 0}}}}
"""Closed with a balance that nobody has paid, and that no later statement has taken over."""
