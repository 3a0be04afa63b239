"""Makes everything that the servers must hold before a process of ours starts. Safe to run again."""

from contracts.replenishing import Region
from contracts.routing import Policy
from contracts.subjects import RETAILER
from infra.credentials import CredentialDesk
from infra.indexes import make_indexes
from infra.mongo import Mongo
from infra.nats import connect_by
from infra.settings import Settings
from infra.streams import provision_partners, provision_streams
from infra.supply_schedules import ensure_schedule
from infra.temporal import connect as connect_temporal
from infra.temporal import register_search_attributes, schedule_settlements


async def provision(settings: Settings) -> None:
    """Indexes in MongoDB; accounts, streams and consumers in NATS; search attributes and schedules in Temporal."""
    mongo = Mongo(settings.require("mongo_url"), settings.mongo_database)
    try:
        await make_indexes(mongo)
        policy = Policy()
        await mongo.policies.update_one(
            {"id": policy.id, "version": policy.version}, {"$setOnInsert": policy.model_dump()}, upsert=True
        )
        regions = [Region.from_row(row) async for row in mongo.supply_regions.find({})]
        partners = [RETAILER, *await mongo.locations.distinct("_id")]
        await _provision_nats(settings, mongo, partners)
    finally:
        mongo.close()
    temporal = await connect_temporal(settings)
    await register_search_attributes(temporal, settings.temporal_namespace)
    await schedule_settlements(temporal)
    for region in regions:
        await ensure_schedule(temporal, region)


async def _provision_nats(settings: Settings, mongo: Mongo, partners: list[str]) -> None:
    async with CredentialDesk.opened(settings, mongo) as desk:
        await desk.tell_all()
    nats = await connect_by(settings, "provision")
    try:
        js = nats.jetstream()
        await provision_streams(js)
        await provision_partners(js, partners)
    finally:
        await nats.close()
