"""A parcel on the whole system: routed by a carrier's table, labelled, followed by its scans, delivered."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from nats.js import JetStreamContext

from contracts.carriers import ZoneRule
from infra.demo_carriers import carriers
from infra.mongo import Mongo
from tests.e2e.places import Places, reaches
from workers.shop import Shop

SANSHA = "460300"


@pytest.fixture
async def served(mongo: Mongo, shop: Shop, jetstream: JetStreamContext) -> AsyncIterator[Places]:
    """Two carriers that go nowhere but within one prefecture, where no other test has a store."""
    for carrier in carriers():
        if carrier.id in ("yunque", "qinglu"):
            within = [ZoneRule(zone="city", origin="4603", destination="4603")]
            only = [service.model_copy(update={"zones": within}) for service in carrier.services]
            row = carrier.model_copy(update={"services": only}).model_dump(exclude={"id"})
            await mongo.carriers.replace_one({"_id": carrier.id}, {**row, "version": 1}, upsert=True)
    await mongo.counters.update_one({"_id": "network"}, {"$inc": {"version": 1}})
    places = await Places.open(shop, jetstream, division=SANSHA)
    await shop.put_stock([{"location": places.far.location, "sku": places.sku, "quantity": 0}])
    yield places
    await mongo.carriers.delete_many({})
    await mongo.counters.update_one({"_id": "network"}, {"$inc": {"version": 1}})


async def test_a_parcel_is_labelled_by_its_carrier_and_followed_to_the_door(served: Places, mongo: Mongo) -> None:
    order = await served.place(id=f"{served.sku}-fate-twice")
    offer = (await served.near.hears("parcel.offered.v1", order=order))["data"]
    assert offer["service"] == "qinglu/economy"
    await served.near.says(offer["parcel"], "accepted")
    label = (await served.near.hears("parcel.labelled.v1", parcel=offer["parcel"]))["data"]
    assert label["service"] == offer["service"] and label["tracking"] in label["label_url"]

    row = await reaches(mongo, order, "closed")
    [parcel] = row["parcels"]
    assert (parcel["tracking"], parcel["tracking_state"]) == (label["tracking"], "delivered")
    assert parcel["promised_at"] - row["placed_at"] < timedelta(days=3)
    assert [scan["state"] for scan in parcel["scans"]][-1] == "delivered"
    assert "parcel.shipped" in [entry["what"] for entry in row["timeline"]]


async def test_what_one_carrier_declines_goes_with_the_other(served: Places, mongo: Mongo) -> None:
    order = await served.place(id=f"{served.sku}-fate-declined")
    parcel = await served.near.offered(order)
    await served.near.says(parcel, "accepted")
    label = (await served.near.hears("parcel.labelled.v1", parcel=parcel))["data"]
    assert label["service"] == "yunque/express"
    row = await reaches(mongo, order, "closed")
    assert row["parcels"][0]["service"] == "yunque/express"
