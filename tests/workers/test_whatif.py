"""What if, on a history that real steps have written: the recorded arm does what was done, another does otherwise."""

import json
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from contracts.refusals import Refusal
from contracts.routing import Policy
from contracts.stock import Change
from infra.demo_carriers import carriers
from infra.indexes import make_indexes
from infra.mongo import Mongo
from infra.settings import Settings
from tests.builders import later, location
from tests.recorded import Recorded
from tests.workers.desk import run_tongqu
from workers.cli.console import CommandFailed
from workers.cli.whatif import moment
from workers.whatif.history import History, window_of
from workers.whatif.run import Asked, Outcome, as_json, run

BEFORE, END = later(hours=-1), later(hours=10)
POLICY = Policy(rule="fewest", km_price=2)


@pytest.fixture
async def mongo(settings: Settings) -> AsyncIterator[Mongo]:
    mongo = Mongo(settings.require("mongo_url"), settings.mongo_database)
    yield mongo
    mongo.close()


@pytest.fixture
async def history(mongo: Mongo) -> Recorded:
    """Six orders: one before the window, one whole, one split, one refused and moved, one called off, one never
    served. Goods are counted away and arrive in between."""
    recorded = Recorded(mongo)
    await make_indexes(mongo)
    await mongo.policies.insert_one(POLICY.model_dump())
    await mongo.counters.delete_many({})
    await recorded.open(location("near", 10.0), location("far", 20.0), location("hub", 500.0))
    await recorded.receive("near", {"tea": 6, "cup": 2}, BEFORE)
    await recorded.receive("far", {"tea": 6, "pot": 3}, BEFORE)
    await _order(recorded, "before", [("tea", 2)], later(-60))
    await _order(recorded, "whole", [("tea", 2)], later(0))
    await _order(recorded, "split", [("cup", 1), ("pot", 1)], later(60))
    await recorded.move("counted", "near", [Change(sku="tea", on_hand=-1)], later(90))
    await _order(recorded, "refused", [("pot", 1)], later(120))
    await recorded.answer("refused.p1", "rejected", "far", at=later(180), reason="damaged")
    await _order(recorded, "off", [("cup", 1)], later(240))
    await recorded.cancel("off", later(300))
    await _order(recorded, "never", [("jar", 3)], later(360))
    await recorded.receive("hub", {"pot": 5}, later(420))
    return recorded


async def _order(recorded: Recorded, order: str, lines: list[tuple[str, int]], at: datetime) -> None:
    await recorded.place(order, *lines, at=at, price=1000)
    await recorded.step(at)


def asked(*policies: str, against: str | None = None, start: datetime | None = None) -> Asked:
    return Asked(policies, start or later(0), END, against, 0.4)


def arms(outcome: Outcome) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = as_json(outcome)["arms"]
    return found


async def test_the_recorded_arm_does_what_was_done(history: Recorded) -> None:
    outcome = await run(history.mongo, asked())
    recorded = arms(outcome)["recorded"]
    assert (outcome.routed, recorded["orders"], recorded["as_recorded_share"]) == (5, 5, 1.0)
    assert (recorded["called_off"], recorded["split_orders"]) == (1, 1)
    assert (recorded["waiting_orders"], recorded["waiting_units"], recorded["lost_margin"]) == (1, 3, 1200)
    # whole 10 km, split 10 + 20 km, refused 20 km (a store accepts in a replay), at 2 a kilometre and 300 a parcel.
    assert (recorded["parcels"], recorded["handling"], recorded["freight"]) == (4, 1200, 120)
    assert recorded["km_per_parcel"] == pytest.approx(15, abs=0.01)


async def test_another_policy_is_compared_on_the_same_history(history: Recorded) -> None:
    version = POLICY.model_copy(update={"version": 2, "max_parcels": 1})
    await history.mongo.policies.insert_one(version.model_dump())
    outcome = await run(history.mongo, asked("default@2", "default@1"))
    found = arms(outcome)
    assert list(found) == ["recorded", "default@2", "default@1"]
    assert found["default@1"] == found["recorded"]
    assert (found["default@2"]["split_orders"], found["default@2"]["waiting_orders"]) == (0, 2)
    assert found["default@2"]["lost_margin"] == 1200 + 800
    assert found["default@2"]["as_recorded_share"] == 0.8


async def test_the_stock_at_the_start_is_that_of_the_ledger_then(history: Recorded) -> None:
    window = await window_of(history.mongo, later(30), END)
    stock = await History(history.mongo, window).stock()
    assert stock == {("near", "tea"): 2, ("near", "cup"): 2, ("far", "tea"): 6, ("far", "pot"): 3}
    everything = await window_of(history.mongo, None, END)
    assert everything.start == later(-60)
    assert (await History(history.mongo, everything).stock())["near", "tea"] == 6
    nothing = await window_of(history.mongo, END, END)
    assert (await History(history.mongo, nothing).stock())["hub", "pot"] == 5


async def test_a_file_can_be_tried_before_it_is_set(history: Recorded, tmp_path: Path) -> None:
    draft = tmp_path / "draft.json"
    draft.write_text(json.dumps({**POLICY.model_dump(), "id": "draft", "max_parcels": 1}))
    found = arms(await run(history.mongo, asked(str(draft), against="default@1")))
    assert list(found) == ["default@1", str(draft)]
    assert found[str(draft)]["split_orders"] == 0


async def test_nothing_is_written(history: Recorded) -> None:
    before = await history.mongo.db.command("dbHash")
    await run(history.mongo, asked("default"))
    after = await history.mongo.db.command("dbHash")
    assert before["collections"] == after["collections"]


async def test_progress_is_told_for_every_order(history: Recorded) -> None:
    told: list[tuple[int, int]] = []
    await run(history.mongo, asked(), lambda done, of: told.append((done, of)))
    assert told == [(done, 5) for done in range(1, 6)]


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ('{"id": "x", "max_parcels": 9}', "max_parcels"),
        ('{"id": "x", "max_parcel": 2}', "max_parcel"),
        ("[]", "policy"),
        ("{", "policy"),
    ],
)
async def test_a_bad_file_is_refused_by_field(mongo: Mongo, tmp_path: Path, content: str, field: str) -> None:
    draft = tmp_path / "draft.json"
    draft.write_text(content)
    with pytest.raises(Refusal) as refused:
        await run(mongo, asked(str(draft)))
    assert refused.value.field == field


@pytest.mark.parametrize("named", ["nobody", "default@77", "default@x"])
async def test_a_policy_that_is_not_kept_is_refused(mongo: Mongo, named: str) -> None:
    with pytest.raises(Refusal):
        await run(mongo, asked(named))


async def test_the_command_prints_a_table_and_writes_json(
    history: Recorded, settings: Settings, tmp_path: Path
) -> None:
    environment = {
        "TONGQU_MONGO_URL": settings.require("mongo_url"),
        "TONGQU_MONGO_DATABASE": settings.mongo_database,
    }
    out = tmp_path / "whatif.json"
    window = ("--from", "2026-03-02T09:00:00Z", "--to", "2026-03-02T19:00:00Z")
    said = await run_tongqu(
        tmp_path, "what-if", "--policy", "default", *window, "--margin", 50, "--out", out, environment=environment
    )
    assert said.status == 0, said.out
    for words in ("recorded", "default", "km a parcel", "load Gini", "loses 50% of its price", "5 orders placed"):
        assert words in said.out, words
    written = json.loads(out.read_text())
    assert (written["margin_of_price"], written["arms"]["recorded"]["lost_margin"]) == (0.5, 1500)
    empty = await run_tongqu(tmp_path, "what-if", "--policy", "default", "--to", "2020-01-01", environment=environment)
    assert (empty.status, "No order of that time" in empty.out) == (1, True)
    unknown = await run_tongqu(tmp_path, "what-if", "--policy", "nobody", environment=environment)
    assert (unknown.status, "There is no policy nobody" in unknown.out) == (1, True)


def test_moments_are_utc_unless_they_say_otherwise() -> None:
    assert moment("2026-03-02T09:00:00") == moment("2026-03-02T17:00:00+08:00") == later(0)
    with pytest.raises(CommandFailed, match="no moment"):
        moment("yesterday")
    with pytest.raises(CommandFailed, match="no moment"):
        moment("9999-12-31T23:59:59-14:00")


async def test_with_carriers_the_recorded_arm_pays_what_was_planned(mongo: Mongo) -> None:
    recorded = Recorded(mongo)
    await make_indexes(mongo)
    await mongo.counters.delete_many({})
    await recorded.open(
        location("near", 10.0), location("far", 900.0, division="110101"), location("full", 1.0, capacity_per_day=1)
    )
    for carrier in carriers():
        await mongo.carriers.insert_one({"_id": carrier.id, **carrier.model_dump(mode="json", exclude={"id"})})
    for place in ("near", "far", "full"):
        await recorded.receive(place, {"tea": 3}, BEFORE)
    for number in range(6):
        at = later(60 * number)
        deadline = later(hours=12) if number == 5 else None
        await recorded.place(f"order-{number}", ("tea", 1), at=at, price=1000, deliver_by=deadline)
        await recorded.step(at)
    terms = [row["decisions"][0]["terms"] async for row in mongo.orders.find({})]
    outcome = await run(mongo, asked("default"))
    found = arms(outcome)
    assert found["default"] == found["recorded"]
    assert found["recorded"]["as_recorded_share"] == 1.0
    for term in ("freight", "handling", "lateness"):
        assert found["recorded"][term] == sum(one.get(term, 0) for one in terms)
    late = sum(one.get("lateness", 0) > 0 for one in terms)
    assert late >= 1
    assert found["recorded"]["late_share"] == pytest.approx(late / 6, abs=1e-4)
    assert outcome.arms[0][1].load["full"] == 1
