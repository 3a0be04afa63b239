"""Runs the arms over a window of history, and says what came of each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from activities.orders.looking_back import network_now, policy_then
from activities.orders.whatif import Arm, Chooser, Measure, Placed, Start, Tally, as_recorded, gini, under
from activities.stock.expecting import cover_days
from contracts.refusals import Refusal
from contracts.routing import Policy
from contracts.versions import newest
from infra.mongo import Mongo
from workers.whatif.history import History, window_of

RECORDED = "recorded"


@dataclass(frozen=True, slots=True)
class Asked:
    """`policies` and `against`: an id, id@version, or a file; None: as it was recorded. `margin`: share of a price."""

    policies: Sequence[str]
    start: datetime | None
    end: datetime
    against: str | None
    margin: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """`arms`: name and sums, the one that the others are compared with first."""

    asked: Asked
    start: datetime
    routed: int
    never_routed: int
    active: int
    arms: Sequence[tuple[str, Tally]]
    locations: Sequence[str]


async def run(mongo: Mongo, asked: Asked, progress: Callable[[int, int], None] = lambda done, of: None) -> Outcome:
    """Reads only. Raises Refusal for a policy that cannot be had."""
    named = [asked.against or RECORDED, *asked.policies]
    rules = [await _rules(mongo, name) for name in named]
    window = await window_of(mongo, asked.start, asked.end)
    history = History(mongo, window)
    await history.count()
    start = Start(await network_now(mongo), await history.stock(), await history.parcels())
    measure = Measure(rules[0].choose, asked.margin)
    arms = [Arm(name, start, rule.choose, measure) for name, rule in zip(named, rules, strict=True)]
    done, day = 0, None
    async for event in history.events():
        if event.at.date() != day:
            day = event.at.date()
            for arm, rule in zip(arms, rules, strict=True):
                arm.expect(await history.expected(start.network, rule.in_force, event.at), cover_days(rule.in_force))
        for arm in arms:
            arm.take(event)
        if isinstance(event, Placed):
            done += 1
            progress(done, history.routed)
    tallies = [(arm.name, arm.end(asked.end)) for arm in arms]
    active = [location.id for location in start.network.locations if location.active]
    return Outcome(asked, window.start, history.routed, history.never_routed, len(active), tallies, active)


@dataclass(frozen=True, slots=True)
class _Rules:
    """How an arm chooses an order's policy, and all policies that hold in it."""

    choose: Chooser
    in_force: Sequence[Policy]


async def _rules(mongo: Mongo, named: str) -> _Rules:
    kept = newest([Policy.model_validate(row) async for row in mongo.policies.find({})])
    if named == RECORDED:
        return _Rules(as_recorded, kept)
    policy = await read_policy(mongo, named)
    return _Rules(under(policy), [policy, *(one for one in kept if one.id != policy.id)])


async def read_policy(mongo: Mongo, named: str) -> Policy:
    """A policy by id, by id@version, or out of a file of JSON. Raises Refusal."""
    if Path(named).is_file():
        return _from_file(Path(named))
    name, _, version = named.partition("@")
    if version:
        if not version.isdecimal():
            raise Refusal("bad_version", f"{version} is no version.", remedy="Write ID@2, for example.", field="policy")
        return await policy_then(mongo, named)
    rows = [row async for row in mongo.policies.find({"id": name})]
    built_in = [Policy()] if name == Policy().id else []
    found = newest([*built_in, *(Policy.model_validate(row) for row in rows)])
    if found:
        return found[0]
    remedy = "Name one of `tongqu policy list`, or a file that exists."
    raise Refusal("unknown_policy", f"There is no policy {named}.", remedy=remedy, field="policy", status=404)


def _from_file(file: Path) -> Policy:
    try:
        found = orjson.loads(file.read_bytes())
        if not isinstance(found, dict):
            raise Refusal("wrong_type", f"{file} holds no object.", remedy="Write one policy as JSON.", field="policy")
        unknown = sorted(set(found) - set(Policy.model_fields) - {"at"})
        if unknown:
            detail = f"{file} names {unknown[0]}, which no policy has."
            raise Refusal("unknown_field", detail, remedy="Correct or remove it.", field=unknown[0])
        return Policy.model_validate(found)
    except orjson.JSONDecodeError as error:
        detail = f"{file} is no JSON: {error}."
        raise Refusal("bad_json", detail, remedy="Write one policy as JSON.", field="policy") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        detail = f"{file}: {where}: {first['msg']}."
        raise Refusal("invalid", detail, remedy="Correct this field.", field=where) from error


def figures(tally: Tally, locations: Sequence[str]) -> dict[str, Any]:
    """Sums and ratios of an arm, as they are printed and written. A ratio without anything to divide by is null."""
    loads = [tally.load.get(location, 0) for location in locations]
    shipped = tally.orders - tally.lost_orders - tally.waiting_orders - tally.called_off
    busiest = max(tally.load.items(), key=lambda one: (one[1], one[0]), default=None)
    spread = gini(loads)
    return {
        "orders": tally.orders,
        "units": tally.units,
        "cost": tally.cost,
        "freight": tally.freight,
        "handling": tally.handling,
        "lateness": tally.lateness,
        "lost_margin": round(tally.lost_margin),
        "cost_per_order": _ratio(tally.cost, tally.orders),
        "parcels": tally.parcels,
        "parcels_per_order": _ratio(tally.parcels, shipped),
        "split_orders": tally.split_orders,
        "km_per_parcel": _ratio(tally.km, tally.km_parcels),
        "waited_orders": tally.waited,
        "lost_orders": tally.lost_orders,
        "lost_units": tally.lost_units,
        "waiting_orders": tally.waiting_orders,
        "waiting_units": tally.waiting_units,
        "called_off": tally.called_off,
        "late_share": _ratio(tally.late_parcels, tally.promised_parcels, 4),
        "busiest": {"location": busiest[0], "parcels": busiest[1]} if busiest and busiest[1] else None,
        "load_gini": None if spread is None else round(spread, 4),
        "as_recorded_share": _ratio(tally.as_recorded, tally.orders, 4),
    }


def _ratio(part: float, whole: float, digits: int = 2) -> float | None:
    return round(part / whole, digits) if whole else None


def as_json(outcome: Outcome) -> dict[str, Any]:
    asked = outcome.asked
    return {
        "from": outcome.start.isoformat(),
        "to": asked.end.isoformat(),
        "compared_with": outcome.arms[0][0],
        "margin_of_price": asked.margin,
        "orders": outcome.routed,
        "never_routed": outcome.never_routed,
        "active_locations": outcome.active,
        "assumptions": list(ASSUMPTIONS),
        "arms": {name: figures(tally, outcome.locations) for name, tally in outcome.arms},
    }


ASSUMPTIONS = (
    "Stores accept what they are offered, and orders are routed one by one.",
    "Locations, carriers and articles are as they are now; scarcity prices are brought up to date every hour.",
    "All arms are measured by the prices of the arm they are compared with.",
    "An order that finds nothing waits for goods; what is lost or still waits at the end costs its margin.",
)
