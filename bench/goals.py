"""The goals of throughput, and whether what was measured meets them. Pure."""

from typing import Any

DISPATCHED_PER_S, DELIVERED_PER_S = 2_000.0, 800.0
SHARE = 0.5
"""Of the bare minimum's rate, where the machine gives less than the absolute goal."""
RATIO, SINGLE_AT_LEAST = 50.0, 15.0
EVENTS_AN_ORDER = 0.4
P99_HALF_MS, P99_NIGHT_MS = 2_000.0, 400.0

Goal = dict[str, Any]


def goals_of(batched: dict[str, Any], single: dict[str, Any] | None) -> list[Goal]:
    """Each with name, value, target and whether it is met. Without the single arm, its ratio is left out."""
    found = [
        _or_share("orders/s placed → dispatched", batched, "sustained", "dispatched", DISPATCHED_PER_S),
        _or_share("orders/s placed → delivered", batched, "life", "delivered", DELIVERED_PER_S),
    ]
    if single is not None:
        found.append(_ratio(batched["sustained"]["dispatched_per_s"], single["sustained"]["dispatched_per_s"]))
    found += [
        _at_most("history events per order, whole life", batched["sustained"]["events_per_order"], EVENTS_AN_ORDER),
        _at_most("placed → dispatched p99 at half of the peak, ms", batched["half_peak"]["p99_ms"], P99_HALF_MS),
        _at_most("placed → dispatched p99 at 20 orders/s, ms", batched["night"]["p99_ms"], P99_NIGHT_MS),
    ]
    return found


def _or_share(name: str, batched: dict[str, Any], phase: str, what: str, target: float) -> Goal:
    """Met by the absolute rate, or by half of what the bare minimum reached in the same run."""
    value, ceiling = batched[phase][f"{what}_per_s"], batched["floor"][what]["per_s"]
    share = value / ceiling if ceiling else 0.0
    return {
        "name": name,
        "value": value,
        "target": target,
        "met": value >= target or share >= SHARE,
        "absolute_met": value >= target,
        "ceiling": ceiling,
        "share": round(share, 3),
        "share_target": SHARE,
    }


def _ratio(batched: float, single: float) -> Goal:
    ratio = round(batched / single, 1) if single else 0.0
    counts = single >= SINGLE_AT_LEAST
    goal = {"name": "ratio to one order a workflow, dispatched", "value": ratio, "target": RATIO}
    goal |= {"met": counts and ratio >= RATIO}
    if not counts:
        goal["note"] = f"does not count: the single arm reached {single:g}/s, and must reach {SINGLE_AT_LEAST:g}"
    return goal


def _at_most(name: str, value: float, target: float) -> Goal:
    return {"name": name, "value": value, "target": target, "met": value <= target}
