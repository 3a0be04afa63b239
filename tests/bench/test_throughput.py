"""What the throughput benches decide and compute: goals, growth, slopes, the recorded program. No servers."""

import json
from typing import Any

import bson
import pytest

from bench import goals, growth
from bench.recording import TOKEN, change_of, commands
from bench.report import report
from bench.slope import slope
from bench.soak import verdicts
from bench.stores import Stores
from bench.world import Shape, draw, families
from contracts.orders import OrderPlacement


def batched(dispatched: float = 2_100.0, ceiling: float = 3_000.0, **changes: Any) -> dict[str, Any]:
    return {
        "sustained": {"dispatched_per_s": dispatched, "events_per_order": 0.3},
        "life": {"delivered_per_s": 500.0},
        "half_peak": {"p99_ms": 900.0},
        "night": {"p99_ms": 401.0},
        "floor": {"dispatched": {"per_s": ceiling}, "delivered": {"per_s": 900.0}},
        **changes,
    }


def single(per_s: float) -> dict[str, Any]:
    return {"sustained": {"dispatched_per_s": per_s}}


def met(found: list[dict[str, Any]]) -> dict[str, bool]:
    return {goal["name"].split(",")[0]: goal["met"] for goal in found}


def test_a_rate_is_met_absolutely_or_by_half_of_the_bare_minimum() -> None:
    fast, slow, unlucky = (
        goals.goals_of(batched(rate, ceiling), None)[0]
        for rate, ceiling in ((2_100, 9_000), (1_500, 3_000), (1_499, 3_000))
    )
    assert (fast["met"], fast["absolute_met"], fast["share"]) == (True, True, 0.233)
    assert (slow["met"], slow["absolute_met"], slow["share"]) == (True, False, 0.5)
    assert not unlucky["met"]


def test_each_goal_is_judged_by_its_own_value() -> None:
    found = met(goals.goals_of(batched(), single(40.0)))
    assert found == {
        "orders/s placed → dispatched": True,
        "orders/s placed → delivered": True,
        "ratio to one order a workflow": True,
        "history events per order": True,
        "placed → dispatched p99 at half of the peak": True,
        "placed → dispatched p99 at 20 orders/s": False,
    }


def test_the_ratio_counts_only_against_a_well_tuned_single_arm() -> None:
    [ratio] = [goal for goal in goals.goals_of(batched(), single(14.9)) if goal["name"].startswith("ratio")]
    assert ratio["value"] > goals.RATIO
    assert not ratio["met"]
    assert "does not count" in ratio["note"]


def test_orders_of_a_world_are_taken_and_its_families_lie_together() -> None:
    world = draw(Shape(locations=20, skus=60, lines=3))
    shelves: dict[str, set[str]] = {}
    for item in world.stock:
        shelves.setdefault(item["location"], set()).add(item["sku"])
    bodies = json.loads(world.request("a", 5, 40))["orders"]
    for body in bodies:
        order = OrderPlacement.model_validate(body)
        wanted = {line.sku for line in order.lines}
        assert len(wanted) == 3
        assert any(wanted <= shelf for shelf in shelves.values())
    assert [body["id"] for body in bodies[:2]] == ["a-0000005", "a-0000006"]


@pytest.mark.parametrize("skus", [10, 19, 300, 10_000])
def test_every_sku_is_in_one_family(skus: int) -> None:
    found = families(Shape(skus=skus))
    assert sorted(sku for family in found for sku in family) == list(range(skus))


def test_hot_skus_are_asked_for_more_often_the_higher_the_exponent() -> None:
    def share(zipf: float) -> float:
        drawn = draw(Shape(locations=5, skus=100, lines=1, zipf=zipf)).drawn
        return sum(b'"sku-00000"' in order for order in drawn) / len(drawn)

    assert share(0) < 0.02 < share(1) < share(1.5)
    assert share(1.5) > 0.3


def test_stores_send_in_lists_at_moments_of_their_own() -> None:
    stores = Stores(None, (20.0, 60.0), 5.0)  # type: ignore[arg-type]  # plans, and publishes nothing
    for number in range(300):
        stores._plan(f"store-{number % 3}", f"o{number}.p1", 0)
    moments = {
        store: {round(step[0], 3) for step in stores.agenda if step[2] == store} for store in ("store-0", "store-1")
    }
    assert all(len(found) <= 10 for found in moments.values())
    assert moments["store-0"].isdisjoint(moments["store-1"])


def test_a_logged_difference_becomes_the_update_it_came_from() -> None:
    diff = {
        "u": {"stage": "dispatched"},
        "i": {"batch": "b"},
        "d": {"due": False},
        "sparcels": {"a": True, "u1": {"id": "p2"}, "s0": {"u": {"state": "shipped"}}},
        "spayment": {"i": {"receipt": "r"}},
    }
    assert change_of({"$v": 2, "diff": diff}) == {
        "$set": {
            "stage": "dispatched",
            "batch": "b",
            "parcels.1": {"id": "p2"},
            "parcels.0.state": "shipped",
            "payment.receipt": "r",
        },
        "$unset": {"due": ""},
    }
    assert change_of({"_id": 1, "whole": True}) == {"_id": 1, "whole": True}


def test_writes_become_few_commands_and_the_same_change_one_update() -> None:
    def update(id_: str, status: str) -> dict[str, Any]:
        return {"op": "u", "ns": "t.outbox", "o": {"$v": 2, "diff": {"u": {"status": status}}}, "o2": {"_id": id_}}

    inserts = [{"op": "i", "ns": "t.orders", "o": {"_id": f"{TOKEN}-{n}"}} for n in range(3)]
    found = list(commands([*inserts, update("a", "sent"), update("b", "sent"), update("c", "stamped")]))
    assert [next(iter(command)) for command in found] == ["insert", "update"]
    assert len(found[0]["documents"]) == 3
    assert found[1]["updates"] == [
        {"q": {"_id": {"$in": ["a", "b"]}}, "u": {"$set": {"status": "sent"}}, "multi": True},
        {"q": {"_id": "c"}, "u": {"$set": {"status": "stamped"}}},
    ]
    assert all(bson.encode(command) for command in found)


def samples(per_hour: float, minutes: int = 60, noise: float = 1.0) -> list[tuple[float, dict[str, float]]]:
    """A process of 200 MiB that grows so fast, and breathes."""
    rows = []
    for number in range(minutes * 12):
        at = number * 5.0
        wave = noise * ((number * 7919) % 13 - 6) / 6
        rows.append((at, {"worker": 200 + per_hour * at / 3600 + wave, "mongo": min(300 + at, 1_500.0)}))
    return rows


def test_a_slope_is_found_with_its_interval() -> None:
    found = slope([(at, mib["worker"]) for at, mib in samples(30.0)])
    assert found.low <= 30.0 <= found.high
    assert found.high - found.low < 3


@pytest.mark.parametrize(("per_hour", "flat"), [(0.0, True), (5.0, True), (40.0, False)])
def test_flat_is_what_does_not_provably_grow_beyond_what_is_allowed(per_hour: float, flat: bool) -> None:
    found = verdicts(samples(per_hour), mongo_cache_mib=1_024)
    assert found["worker"]["flat"] is flat


def test_mongodb_is_judged_by_its_cache_and_not_by_its_slope() -> None:
    assert verdicts(samples(0.0), mongo_cache_mib=1_024)["mongo"]["flat"]
    assert not verdicts(samples(0.0), mongo_cache_mib=512)["mongo"]["flat"]


def row(axis: str, value: float, per_s: float, cpu: float) -> dict[str, Any]:
    return {
        **{"axis": axis, "value": value, "dispatched_per_s": per_s, "whole_life_per_s": per_s / 2},
        **{"cpu_ms": cpu, "cpu_ms_dispatch": cpu / 2, "mongo_operations": 3.0},
    }


def test_growth_is_judged_where_its_points_are_there() -> None:
    rows = [row("workers", 1, 900, 5.0), row("workers", 4, 1_000, 5.6), row("open", 10_000, 900, 5.0)]
    assert [goal["met"] for goal in growth.goals_of(rows, cores=2)] == [False, True]
    assert [goal["met"] for goal in growth.goals_of(rows, cores=16)] == [False, False]
    rows.append(row("open", 1_000_000, 719, 5.0))
    assert growth.goals_of(rows, cores=2)[-1] == {
        "name": "slower with 1 M open orders than with 10 k",
        "value": 0.201,
        "target": 0.2,
        "met": False,
    }


def test_points_are_those_that_the_settings_allow() -> None:
    assert growth.values_of("batch")[0] == 1
    assert growth.values_of("open")[-1] == 1_000_000


def test_the_report_has_a_table_for_each_axis() -> None:
    settings = {"cores": 2, "processor": "p", "where": "w", "durability": {"mongodb": "j=true"}}
    rows = [row("lines", 1, 900, 5.0), row("lines", 8, 500, 9.0), row("zipf", 1.5, 800, 5.5)]
    text = report({"rows": rows, "goals": growth.goals_of(rows, 2), "settings": settings})
    assert "| lines an order | dispatched/s |" in text
    assert "| 8 | 500 | 250.0 | 4.5 | 9.0 | 3.0 |" in text
    assert "hot SKUs" in text
    assert "mongodb: j=true" in text
