"""What is known of suppliers when one is to be chosen, read from the database; and the order at the next one."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from activities.buying.choosing import Choice, Known, Ranked, choose
from activities.buying.deadlines import REGION, roles_of
from activities.buying.lead_times import lead_times_of
from activities.buying.moves import Moves
from activities.buying.scoring import score_of
from contracts.buying import PurchaseLine, PurchaseOrder, successor_id
from contracts.buying_replies import Reported
from contracts.partnership import PartnerRecord
from contracts.scoring import WINDOW_DAYS, LineDispute, Rate, Served
from contracts.supply import Sourcing
from contracts.workdays import add_workdays, day_of
from infra.mongo import Mongo, Session, insert_new


async def sources_of(mongo: Mongo, skus: Sequence[str], session: Session | None = None) -> list[Sourcing]:
    found = mongo.sourcing.find({"sku": {"$in": list(skus)}, "active": True}, session=session)
    return [Sourcing.from_row(row) async for row in found]


async def orders_of(
    mongo: Mongo, suppliers: Sequence[str], now: datetime, session: Session | None = None
) -> dict[str, list[PurchaseOrder]]:
    """By supplier, of all that may count in a score now."""
    since = now - timedelta(days=2 * WINDOW_DAYS)
    wanted = {"supplier": {"$in": list(suppliers)}, "created_at": {"$gte": since}}
    orders: dict[str, list[PurchaseOrder]] = {one: [] for one in suppliers}
    async for row in mongo.purchase_orders.find(wanted, session=session).sort("_id", 1):
        orders[row["supplier"]].append(PurchaseOrder.from_row(row))
    return orders


async def disputes_of(mongo: Mongo, suppliers: Sequence[str], session: Session | None = None) -> dict[str, LineDispute]:
    found = mongo.score_disputes.find({"supplier": {"$in": list(suppliers)}}, session=session)
    return {row["_id"]: LineDispute.from_row(row) async for row in found}


async def served_of(mongo: Mongo, partner: str, now: datetime, window_days: int = WINDOW_DAYS) -> Served:
    """What customers' cases have said of a partner: of all its streams, in the months that the window touches."""
    row = await mongo.partners.find_one({"_id": partner})
    streams = PartnerRecord.from_row(row).streams if row else [partner]
    days = (now - timedelta(days=back) for back in range(window_days + 1))
    months = {f"{day:%Y-%m}" for day in days}
    ids = [f"{stream}:{month}" for stream in streams for month in sorted(months)]
    rows = [row async for row in mongo.partner_cases.find({"_id": {"$in": ids}})]
    return Served.model_validate({name: sum(row.get(name, 0) for row in rows) for name in Served.model_fields})


async def known_of(
    mongo: Mongo, sources: Sequence[Sourcing], location: str, now: datetime, session: Session | None = None
) -> Known:
    suppliers = sorted({one.supplier for one in sources})
    active = mongo.partners.find(
        {"_id": {"$in": suppliers}, "kind": "supplier", "state": "active"}, {"_id": 1}, session=session
    )
    reports = mongo.supplier_reports.find({"supplier": {"$in": suppliers}}, session=session)
    return Known(
        able={row["_id"] async for row in active},
        rates=await rates_of(mongo, suppliers, now, session),
        lead_times=await lead_times_of(mongo, suppliers, location, session),
        reports={(row["supplier"], row["sku"]): Reported.from_row(row) async for row in reports},
    )


async def rates_of(
    mongo: Mongo, suppliers: Sequence[str], now: datetime, session: Session | None = None
) -> dict[str, Rate]:
    """How often each delivers on time and in full, as it was when it was first asked for that day: reckoned once a day,
    so that all choices of a night's run, made in many pieces, rest on the same numbers."""
    today = day_of(now)
    ids = {f"{one}:{today}": one for one in suppliers}
    found = mongo.supplier_rates.find({"_id": {"$in": list(ids)}}, session=session)
    rates = {ids[row["_id"]]: Rate.model_validate(row["lines"]) async for row in found}
    missing = [one for one in suppliers if one not in rates]
    if missing:
        orders, disputes = await orders_of(mongo, missing, now, session), await disputes_of(mongo, missing, session)
        made = {one: score_of(one, orders[one], disputes, today)[0].lines for one in missing}
        rates |= made
        if session is None:
            rows = [{"_id": f"{one}:{today}", "lines": rate.model_dump(), "at": now} for one, rate in made.items()]
            await insert_new(mongo.supplier_rates, rows)
    return rates


async def choose_supplier(
    mongo: Mongo, sku: str, quantity: int, location: str, now: datetime, session: Session | None = None
) -> Choice:
    """For one need, with all that is known now."""
    sources = await sources_of(mongo, [sku], session)
    known = await known_of(mongo, sources, location, now, session)
    division = await _division(mongo, location, session)
    return choose(sources, quantity, division, known, day_of(now))


async def _division(mongo: Mongo, location: str, session: Session | None) -> str:
    place = await mongo.locations.find_one({"_id": location}, {"division": 1}, session=session)
    return str(place["division"]) if place else ""


async def next_orders(mongo: Mongo, session: Session, moves: Moves) -> tuple[list[PurchaseOrder], list[str]]:
    """Orders at other suppliers for what this one does not deliver, and the SKUs for which there is none."""
    order = moves.order
    tried = [*order.tried, order.supplier]
    lines = [line for line in order.lines if moves.elsewhere.get(line.line)]
    if not lines:
        return [], []
    if len(tried) >= order.terms.sources_max:
        return [], [line.sku for line in lines]
    sources = await sources_of(mongo, [line.sku for line in lines], session)
    sources = [one for one in sources if one.currency == order.currency]
    known = await known_of(mongo, sources, order.location, moves.now, session)
    division = await _division(mongo, order.location, session)
    chosen: dict[str, list[tuple[PurchaseLine, Ranked]]] = {}
    nowhere: list[str] = []
    for line in lines:
        able = [one for one in sources if one.sku == line.sku]
        units = moves.elsewhere[line.line]
        best = choose(able, units, division, known, day_of(moves.now, order.terms.zone), tried).best
        if best is None:
            nowhere.append(line.sku)
        else:
            chosen.setdefault(best.source.supplier, []).append((line, best))
    return [
        succeeding(moves, supplier, chosen[supplier], tried, place) for place, supplier in enumerate(sorted(chosen), 1)
    ], nowhere


def succeeding(
    moves: Moves, supplier: str, chosen: Sequence[tuple[PurchaseLine, Ranked]], tried: list[str], place: int
) -> PurchaseOrder:
    """The order in this one's place. What was approved stays so, as long as the same role may approve it."""
    order = moves.order
    today = day_of(moves.now, order.terms.zone)
    made = PurchaseOrder(
        id=successor_id(order.id, place),
        run=order.run,
        supplier=supplier,
        location=order.location,
        currency=order.currency,
        lines=[
            PurchaseLine(
                line=number,
                sku=line.sku,
                ordered=best.quantity,
                unit_price=best.source.price,
                due=max(line.due, add_workdays(REGION, today, round(best.lead_days))),
            )
            for number, (line, best) in enumerate(chosen, 1)
        ],
        predecessor=order.id,
        tried=tried,
        reasons=[f"{line.sku}: {why.en}" for line, best in chosen for why in best.why],
        reasons_zh=[f"{line.sku}：{why.zh}" for line, best in chosen for why in best.why],
        terms=order.terms,
        state="approval",
        asked_by=order.asked_by,
        created_at=moves.now,
    )
    before = order.model_copy(
        update={
            "lines": [
                line.model_copy(update={"cancelled": line.cancelled - moves.elsewhere.get(line.line, 0)})
                for line in order.lines
            ]
        }
    )
    same = set(roles_of(made)[:1]) <= set(roles_of(before)[:1])
    return made.model_copy(update={"approved_by": order.approved_by if same else None})
