"""`make bench-applications`: a thousand applications at once through all checks by machine, against stated goals.

Two arms: the checks alone, which are pure; and the whole system, over HTTP, with a workflow for each application, until
people are to look at it. A fifth of the applicants have one fault each, which must be found, and nothing else.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from rich.console import Console
from rich.table import Table

from activities.onboarding.case import Other, Others
from activities.onboarding.checks import machine_checks
from activities.onboarding.risk import risk_of
from bench.applicants import complete
from bench.applicants_http import CATEGORIES, KIND, REGION, Applicant, Applicants, at_once
from bench.machine import settings_of
from bench.measuring import all_cpu
from contracts.applications import Application, Check
from contracts.partnership import PartnerRecord
from contracts.requirements import RequirementSet, builtin_sets, choose
from infra.applications import Applications
from infra.keyring import keyring
from infra.mongo import Mongo
from infra.processes import Process
from infra.sealing import Sealing
from infra.settings import EnvironmentSettings
from workers.system import System

ARMS = ("pure", "system")
FAULTS = {
    "credit_code": ("credit_code", "company"),
    "name": ("names", "business_licence"),
    "scope": ("scope", "business_licence"),
    "validity": ("validity", "business_licence"),
}
"""What is wrong, and which check of which item must say so."""
SPOILT_EVERY = 5
PURE_P99_MS, PURE_ALL_S = 5.0, 2.0
CHECKED_ALL_S, REVIEW_ALL_S = 120.0, 180.0
_LOOK_S = 0.1
_GIVE_UP_S = 1_800.0
_CONNECTIONS = 200
_PARTNERS_NEAR = 20

Goal = dict[str, Any]


def fault_of(number: int) -> str | None:
    """Every fifth applicant has one, in turn."""
    place, rest = divmod(number, SPOILT_EVERY)
    return list(FAULTS)[place % len(FAULTS)] if rest == 0 else None


def wrongly_judged(checks: list[Check], spoilt: str | None) -> list[str]:
    """Results that are not as they should be: a fault that was not found, or something found where nothing is wrong."""
    bad = {(check.name, check.item) for check in checks if check.verdict in ("failed", "doubtful")}
    wrong = bad ^ ({FAULTS[spoilt]} if spoilt else set())
    if spoilt == "credit_code":
        # It then differs from that of the documents, too.
        wrong = {(name, item) for name, item in wrong if name != "names"}
    return [f"{name}:{item}" for name, item in sorted(wrong)]


def pure(count: int, seed: int) -> dict[str, Any]:
    """One core, no server: each application against what a busy database would give."""
    chance, now = random.Random(seed), datetime.now(UTC)
    requirements = _requirements()
    made = [_spoilt(complete(n, requirements, now, kind=KIND, asked_for=CATEGORIES), fault_of(n)) for n in range(count)]
    others = _others(chance, now)
    took: list[float] = []
    wrong: list[str] = []
    began = time.perf_counter()
    for number, application in enumerate(made):
        start = time.perf_counter()
        checks = machine_checks(application, requirements, others, now)
        risk_of(checks, application, now)
        took.append((time.perf_counter() - start) * 1000)
        wrong += [f"{number}: {one}" for one in wrongly_judged(checks, fault_of(number))]
    all_s = time.perf_counter() - began
    return {
        "applications": count,
        "checks_each": len(checks),
        "all_s": round(all_s, 3),
        "per_s": round(count / all_s),
        **percentiles(took, "ms"),
        "wrongly_judged": wrong[:20],
    }


def _requirements() -> RequirementSet:
    chosen = choose(builtin_sets().values(), KIND, REGION, CATEGORIES).chosen
    assert chosen is not None
    return chosen


def _spoilt(application: Application, fault: str | None) -> Application:
    """As bench.applicants_http spoils it over HTTP."""
    company, licence = application.fields.company, application.documents["business_licence"]
    assert company is not None and licence.facts is not None
    if fault == "credit_code":
        code = company.credit_code[:-1] + ("0" if company.credit_code[-1] != "0" else "1")
        changed = company.model_copy(update={"credit_code": code})
        fields = application.fields.model_copy(update={"company": changed})
        return application.model_copy(update={"fields": fields})
    said: dict[str | None, dict[str, str]] = {
        "name": {"name": "别家有限公司"},
        "scope": {"scope": "餐饮服务"},
        "validity": {"valid_until": datetime.now(UTC).date().isoformat()},
    }
    facts = licence.facts.model_copy(update=said.get(fault, {}))
    documents = {**application.documents, "business_licence": licence.model_copy(update={"facts": facts})}
    return application.model_copy(update={"documents": documents})


def _others(chance: random.Random, now: datetime) -> Others:
    """Neighbours that are not in the way, which must be compared to know it."""
    near = tuple(
        PartnerRecord(
            id=f"P{number}",
            kind=KIND,
            state="active",
            name="x",
            credit_code="91330100799655058B",
            territory=[f"{chance.randrange(35, 66)}" for _ in range(10)],
            exclusive=True,
            categories=list(CATEGORIES),
            application="a",
            agreement="b",
            agreement_until=now + timedelta(days=1),
        )
        for number in range(_PARTNERS_NEAR)
    )
    return Others(applications=(Other("app-x", KIND, "review", frozenset()),), near=near)


async def system(count: int, console: Console, data_dir: Path) -> dict[str, Any]:
    # All come from one address here.
    os.environ["TONGQU_KEYLESS_CALLS_PER_S"] = os.environ["TONGQU_KEYLESS_CALLS_BURST"] = "100000"
    settings = EnvironmentSettings(data_dir=data_dir)
    connector = aiohttp.TCPConnector(limit=_CONNECTIONS)
    async with System(settings, data_dir) as running, aiohttp.ClientSession(connector=connector) as session:
        known = running.settings
        applicants = Applicants(session, known.require("gateway_url"), known.require("bank_url"))
        mongo = Mongo(known.require("mongo_url"), known.mongo_database)
        try:
            processes = {**running.servers.processes, **running.processes}
            result = await _measured(applicants, mongo, processes, count, console)
            result |= await _verified(mongo, Applications(mongo, Sealing(keyring(known))), result.pop("applicants"))
            async with session.get(f"{known.require('bank_url')}/v1/totals") as answer:
                result["deposits"] = orjson.loads(await answer.read())["deposits"]
            return result
        finally:
            mongo.close()


async def _measured(
    applicants: Applicants, mongo: Mongo, processes: dict[str, Process], count: int, console: Console
) -> dict[str, Any]:
    today = datetime.now(UTC).date()
    console.print(f"{count} applicants begin")
    begun, took, begin_s = await at_once(
        [partial(applicants.begin, number, fault_of(number)) for number in range(count)], _CONNECTIONS
    )
    result: dict[str, Any] = {"applications": count, "begin": {"all_s": round(begin_s, 2), **percentiles(took, "s")}}
    console.print(f"begun in {begin_s:.1f} s; they supply everything")
    _, _, supply_s = await at_once([partial(applicants.supply, one, today) for one in begun], 32)
    files = sum(item["kind"] == "document" for one in begun for item in one.items)
    result["supply"] = {"all_s": round(supply_s, 2), "files": files, "files_per_s": round(files / supply_s, 1)}
    console.print(f"supplied in {supply_s:.1f} s; all submit at once")
    before, began = all_cpu(processes), time.perf_counter()
    seen = asyncio.create_task(_until(mongo, {"standing.stage": "bank", "deposits.state": "sent"}, count, began))
    _, took, _ = await at_once([partial(applicants.submit, one) for one in begun], _CONNECTIONS)
    result["submit"] = percentiles(took, "s")
    checked = await seen
    result["checked"] = {"all_s": round(max(checked), 2), **percentiles(checked, "s")}
    after = all_cpu(processes)
    result["cpu_ms_each"] = {name: round((after[name] - before[name]) * 1000 / count, 1) for name in sorted(after)}
    console.print(f"checked in {max(checked):.1f} s; all prove their accounts")
    began_proof = time.perf_counter()
    seen = asyncio.create_task(_until(mongo, {"standing.stage": "review"}, count, began_proof))
    await at_once([partial(applicants.prove_account, one) for one in begun], _CONNECTIONS)
    proved = await seen
    result["proved"] = {"all_s": round(max(proved), 2), **percentiles(proved, "s")}
    result["until_review_s"] = round(max(checked) + max(proved), 2)
    return {**result, "sent_again": dict(applicants.sent_again), "applicants": begun}


async def _until(mongo: Mongo, condition: dict[str, Any], count: int, began: float) -> list[float]:
    """When each came to be so, in seconds from the beginning, to a tenth. Raises TimeoutError."""
    found: dict[str, float] = {}
    while len(found) < count:
        now = time.perf_counter() - began
        if now > _GIVE_UP_S:
            raise TimeoutError(f"{len(found)} of {count} came to {condition}")
        rows = mongo.applications.find({**condition, "_id": {"$nin": list(found)}}, {"_id": 1})
        async for row in rows:
            found[row["_id"]] = now
        await asyncio.sleep(_LOOK_S)
    return list(found.values())


async def _verified(mongo: Mongo, applications: Applications, begun: list[Applicant]) -> dict[str, Any]:
    """Each against what is wrong with it: over HTTP, through workflow and database, nothing was lost or made up."""
    wrong: list[str] = []
    for one in begun:
        known = await applications.find(one.id)
        assert known is not None
        wrong += [f"{one.id}: {found}" for found in wrongly_judged(known.checks, one.spoilt)]
    audit = Counter([row["did"] async for row in mongo.audit.find({}, {"did": 1})])
    return {"wrongly_judged": wrong[:20], "checked_times": audit["checked"]}


def percentiles(values: list[float], unit: str) -> dict[str, float]:
    ordered = sorted(values)
    at = {50: ordered[len(ordered) // 2], 99: ordered[min(len(ordered) * 99 // 100, len(ordered) - 1)]}
    return {f"p{share}_{unit}": round(value, 3) for share, value in at.items()}


def goals_of(arms: dict[str, Any]) -> list[Goal]:
    found: list[Goal] = []
    if "pure" in arms:
        one = arms["pure"]
        found += [
            _at_most("checks alone, p99 of one application, ms", one["p99_ms"], PURE_P99_MS),
            _at_most("checks alone, all, s", one["all_s"], PURE_ALL_S),
            _at_most("checks alone, wrongly judged", len(one["wrongly_judged"]), 0),
        ]
    if "system" in arms:
        one = arms["system"]
        found += [
            _at_most(
                "whole system, all submitted → all checked, deposits sent, s", one["checked"]["all_s"], CHECKED_ALL_S
            ),
            _at_most("whole system, all submitted → all before reviewers, s", one["until_review_s"], REVIEW_ALL_S),
            _at_most("whole system, wrongly judged", len(one["wrongly_judged"]), 0),
            _at_most("whole system, deposits beyond one each", one["deposits"] - one["applications"], 0),
            _at_most("whole system, checks beyond one each", one["checked_times"] - one["applications"], 0),
        ]
    return found


def _at_most(name: str, value: float, target: float) -> Goal:
    return {"name": name, "value": value, "target": target, "met": value <= target}


def show(result: dict[str, Any], console: Console) -> None:
    for name, arm in result["arms"].items():
        console.print(name, arm)
    table = Table(title="goals")
    for column in ("goal", "value", "target", ""):
        table.add_column(column)
    for goal in result["goals"]:
        met = "[green]met[/green]" if goal["met"] else "[red]missed[/red]"
        table.add_row(goal["name"], f"{goal['value']:,}", f"{goal['target']:,}", met)
    console.print(table)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=None, help="write the result as JSON")
    parser.add_argument("--count", type=int, default=1000, help="applications at once; goals are for 1,000")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    console, began = Console(stderr=True), time.monotonic()
    arms: dict[str, Any] = {}
    if "pure" in options.arms:
        arms["pure"] = pure(options.count, options.seed)
    if "system" in options.arms:
        with tempfile.TemporaryDirectory(prefix="tongqu-applications-") as folder:
            arms["system"] = asyncio.run(system(options.count, console, Path(folder)))
    goals = goals_of(arms)
    settings = {**settings_of(), "seed": options.seed}
    result = {"arms": arms, "goals": goals, "settings": settings, "took_s": round(time.monotonic() - began)}
    if options.out:
        options.out.write_text(json.dumps(result, indent=1))
    show(result, Console())
    return 0 if all(goal["met"] for goal in goals) else 1


if __name__ == "__main__":
    sys.exit(main())
