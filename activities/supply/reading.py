"""Reads master data of replenishment: regions, policies, where SKUs can be bought, and how long that takes."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from activities.supply.planned import Key
from contracts.partners import Location
from contracts.replenishing import Region
from contracts.skus import Article
from contracts.supply import DemandClass, LeadTime, Sourcing, SupplyPolicy
from contracts.versions import newest
from contracts.workdays import add_workdays
from infra.mongo import Mongo, Session

PROMISED_DEVIATION = 0.25
"""Of a promised lead time: taken for its deviation while no receipt is known. An assumption, said in explanations."""


async def find_region(mongo: Mongo, region: str) -> Region | None:
    row = await mongo.supply_regions.find_one({"_id": region})
    return Region.from_row(row) if row else None


async def read_policies(mongo: Mongo, session: Session | None = None) -> list[SupplyPolicy]:
    """The newest version of each, by id. The built-in defaults hold while no policy of their id is kept."""
    kept = [SupplyPolicy.model_validate(row) async for row in mongo.supply_policies.find({}, session=session)]
    return newest([SupplyPolicy(), *kept])


async def read_all_versions(mongo: Mongo) -> dict[tuple[str, int], SupplyPolicy]:
    """Every version by id and version: what a run began with holds for it to its end."""
    kept = [SupplyPolicy.model_validate(row) async for row in mongo.supply_policies.find({})]
    return {(one.id, one.version): one for one in [SupplyPolicy(), *kept]}


def policy_for(
    policies: Sequence[SupplyPolicy], division: str, category: str, demand_class: DemandClass
) -> SupplyPolicy:
    """The one that names the series most precisely; the built-in defaults where none holds."""
    fitting = [
        (precision, one.id, one)
        for one in policies
        if (precision := one.precision(division, category, demand_class)) is not None
    ]
    return max(fitting, key=lambda found: (found[0], found[1]))[2] if fitting else SupplyPolicy()


async def read_places(mongo: Mongo, region: Region) -> dict[str, Location]:
    """Active locations of a region, and its hubs wherever they are."""
    rows = mongo.locations.find({"active": True})
    places = [Location.from_row(row) async for row in rows]
    return {one.id: one for one in places if one.id in region.hubs or region.holds(one.division)}


async def read_articles(mongo: Mongo, skus: Iterable[str]) -> dict[str, Article]:
    rows = mongo.skus.find({"_id": {"$in": sorted(set(skus))}})
    return {row["_id"]: Article.from_row(row) async for row in rows}


async def read_sourcing(mongo: Mongo, skus: Iterable[str]) -> dict[str, list[Sourcing]]:
    """By SKU: where it can be bought, for whatever locations."""
    found: dict[str, list[Sourcing]] = {}
    rows = mongo.sourcing.find({"sku": {"$in": sorted(set(skus))}, "active": True}).sort("_id", 1)
    async for row in rows:
        found.setdefault(row["sku"], []).append(Sourcing.from_row(row))
    return found


async def read_leads(mongo: Mongo, suppliers: Iterable[str], locations: Iterable[str]) -> dict[Key, LeadTime]:
    """Lead times that were learned, by supplier and location."""
    wanted = {"supplier": {"$in": sorted(set(suppliers))}, "location": {"$in": sorted(set(locations))}}
    rows = mongo.lead_times.find(wanted)
    return {(row["supplier"], row["location"]): LeadTime.from_row(row) async for row in rows}


def lead_of(sourcing: Sourcing, location: str, learned: Mapping[Key, LeadTime]) -> LeadTime:
    """As learned from receipts, else as promised."""
    known = learned.get((sourcing.supplier, location))
    if known is not None and known.n > 0:
        return known
    return LeadTime(
        id=f"{sourcing.supplier}:{location}",
        supplier=sourcing.supplier,
        location=location,
        mean=sourcing.lead_days,
        deviation=PROMISED_DEVIATION * sourcing.lead_days,
    )


def calendar_days(lead: LeadTime, today: date) -> int:
    """Of a lead in working days, begun today: over Spring Festival ten working days are four weeks."""
    return (add_workdays("CN", today, round(lead.mean)) - today).days
