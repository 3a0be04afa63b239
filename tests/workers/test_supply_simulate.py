"""What `tongqu supply simulate` says of a network with a history: real MongoDB, functions of production, no writes."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from activities.supply.promotions import keep
from activities.supply.reckoning import AHEAD
from activities.supply.watching import start_of
from contracts.promotions import PromotionUpsert
from contracts.refusals import Refusal
from contracts.supply import Service, SupplyPolicy
from infra.indexes import make_indexes
from infra.mongo import Mongo
from tests.supplying import Network, poisson
from workers.cli.supply_simulate import _read, replayed

DAYS = 110
pytestmark = pytest.mark.timeout(600)


@pytest.fixture
async def network(mongo_url: str) -> AsyncIterator[Network]:
    name = f"simulate_{uuid.uuid4().hex[:8]}"
    mongo = Mongo(mongo_url, name)
    await make_indexes(mongo)
    made = Network(mongo, datetime.now(UTC))
    await made.open("a", "b")
    await made.region()
    await made.supplier("tea", "cup", lead_days=2)
    await made.stock({"a": {"tea": 9_000, "cup": 9_000}, "b": {"tea": 9_000, "cup": 9_000}})
    keys = [(store, sku) for store in ("a", "b") for sku in ("tea", "cup")]
    await made.sold({key: poisson(5, DAYS, number) for number, key in enumerate(keys)})
    yield made
    await mongo.client.drop_database(name)
    mongo.close()


def cycle(value: float) -> SupplyPolicy:
    return SupplyPolicy(service=Service(kind="cycle", value=value), review_days=7)


async def test_a_higher_service_serves_more_and_holds_more(network: Network) -> None:
    told: list[tuple[int, int]] = []
    low, high = [
        await replayed(network.mongo, "east", 14, [cycle(value)], lambda done, of: told.append((done, of)))
        for value in (0.5, 0.98)
    ]
    assert low["classes"]["all"]["fill_rate"] < high["classes"]["all"]["fill_rate"]
    assert low["classes"]["all"]["stock"] < high["classes"]["all"]["stock"]
    assert high["classes"]["all"]["fill_rate"] > 0.95
    assert high["classes"]["all"]["series"] == 4 and high["left_out"] == 0 and high["cost"] > 0
    assert told[-1] == (14, 14)
    for name in ("proposals", "forecasts", "supply_runs", "purchase_orders"):
        assert await getattr(network.mongo, name).count_documents({}) == 0


async def test_of_promotions_a_replay_knows_what_was_written_down_by_then(network: Network) -> None:
    today = network.today
    asked = PromotionUpsert.model_validate(
        {"id": "fair", "first_day": today - timedelta(days=6), "last_day": today - timedelta(days=4), "skus": ["tea"]}
    )
    await keep(network.mongo, [asked], start_of(today - timedelta(days=10)) + timedelta(hours=8))
    known = await _read(network.mongo, "east", 14, [cycle(0.9)])
    planned = known.planned(slice(None))
    tea = [number for number, one in enumerate(known.sold) if one.sku == "tea"]
    for back, ahead in ((11, []), (10, []), (9, [3, 4, 5]), (5, [0, 1]), (3, [])):
        plans = planned(known.table.periods - back)
        assert plans.shape == (4, AHEAD)
        assert [sorted({int(n) for n in plans[one].nonzero()[0]}) for one in tea] == [ahead, ahead], back
        assert plans.sum() == 2 * len(ahead)
    found = await replayed(network.mongo, "east", 14, [cycle(0.9)], lambda done, of: None)
    assert found["classes"]["all"]["series"] == 4


async def test_an_unknown_region_and_too_little_history_are_refused(network: Network) -> None:
    for region, days, field in (("west", 28, "region"), ("east", 90, "days")):
        with pytest.raises(Refusal) as refused:
            await replayed(network.mongo, region, days, [], lambda done, of: None)
        assert refused.value.field == field
