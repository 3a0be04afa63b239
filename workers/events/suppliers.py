"""Writes down what suppliers say: answers for the workflows of their orders to read, and reports."""

from typing import Any

from contracts.buying_replies import Reported
from infra.mongo import DUPLICATE_KEY, BulkWriteError, Mongo, UpdateOne, insert_new
from workers.reply_forms import GivenPurchaseReply, GivenSupply, Refused


async def write_down(mongo: Mongo, given: list[GivenPurchaseReply]) -> list[Refused]:
    """Into `purchase_inbox`, once by their ids. Another's order cannot be told from one that does not exist."""
    if not given:
        return []
    ids = sorted({one.reply.order for one in given})
    found = mongo.purchase_orders.find({"_id": {"$in": ids}, "sent_at": {"$ne": None}}, {"supplier": 1})
    suppliers = {row["_id"]: row["supplier"] async for row in found}
    rows, refused = [], []
    for one in given:
        if suppliers.get(one.reply.order) == one.partner:
            rows.append(_row(one))
        else:
            told = (one.partner, one.reply.id, None, "unknown_order", "order", "There is no such purchase order.")
            refused.append(Refused(*told, "Send the id that you were told with purchase.ordered."))
    await insert_new(mongo.purchase_inbox, rows)
    return refused


def _row(one: GivenPurchaseReply) -> dict[str, Any]:
    return {
        "_id": f"{one.partner}:{one.reply.order}:{one.reply.kind}:{one.reply.id}",
        "order": one.reply.order,
        "partner": one.partner,
        "reply": one.reply.model_dump(mode="json", exclude_none=True),
        "received_at": one.at,
        "drained": None,
    }


async def keep_report(mongo: Mongo, given: GivenSupply) -> list[Refused]:
    """Of each SKU the newest report counts, in whatever order they come."""
    if not await mongo.partners.find_one({"_id": given.partner, "kind": "supplier"}, {"_id": 1}):
        words = (f"{given.partner} is no supplier.", "Report stock of your own shelves with stock.counted.v1.")
        return [given.refused(index, "not_a_supplier", *words) for index in given.items]
    skus = sorted({item.sku for item in given.items.values()})
    known = {row["_id"] async for row in mongo.skus.find({"_id": {"$in": skus}}, {"_id": 1})}
    updates = []
    for item in given.items.values():
        if item.sku in known:
            name = f"{given.partner}:{item.sku}"
            kept = Reported(
                id=name, supplier=given.partner, at=given.at, event=given.event, **item.model_dump()
            ).as_row()
            kept.pop("_id")
            updates.append(UpdateOne({"_id": name, "at": {"$lte": given.at}}, {"$set": kept}, upsert=True))
    await _write(mongo, updates)
    remedy = "Send the SKU as the retailer has it."
    return [
        given.refused(index, "unknown_sku", f"There is no SKU {item.sku}.", remedy)
        for index, item in given.items.items()
        if item.sku not in known
    ]


async def _write(mongo: Mongo, updates: list[UpdateOne]) -> None:
    """A key that is there already has a newer report, which stays."""
    if not updates:
        return
    try:
        await mongo.supplier_reports.bulk_write(updates, ordered=False)
    except BulkWriteError as error:
        details = error.details or {}
        if any(e["code"] != DUPLICATE_KEY for e in details.get("writeErrors", ())) or details.get("writeConcernErrors"):
            raise
