"""Ends a run, supersedes what earlier ones proposed, and finds decisions of which something was never ordered."""

from datetime import timedelta

from contracts.replenishing import (
    LEFT_AFTER_S,
    POLICY,
    Closed,
    CloseRun,
    LeftOver,
    LookForLeftOver,
)
from infra.mongo import Mongo

_APPROVED = {"$in": ["approved", "changed"]}


async def supersede(mongo: Mongo, region: str, run: str) -> int:
    """What earlier runs of a region proposed and nobody decided on, before this one looks at any position: nobody can
    approve it any more, so that what this run proposes for the same series does not come on top of it."""
    earlier = {"region": region, "state": "proposed", "run": {"$ne": run}}
    return int((await mongo.proposals.update_many(earlier, {"$set": {"state": "superseded"}})).modified_count)


async def close_run(mongo: Mongo, asked: CloseRun) -> Closed:
    """Proposals of little value are approved by their policy, as one decision. Asked again it finds that done."""
    run, decision = asked.run, f"{asked.run}:{POLICY}"
    if asked.state != "done":
        await mongo.proposals.update_many({"run": run, "state": "proposed"}, {"$set": {"state": "superseded"}})
    else:
        approved = {"state": "approved", "decision": decision, "decided_by": POLICY, "decided_at": asked.now}
        await mongo.proposals.update_many({"run": run, "state": "proposed", "small": True}, {"$set": approved})
    ended = {"state": asked.state, "ended_at": asked.now, "why": asked.why, "progress": asked.progress.model_dump()}
    await mongo.supply_runs.update_one({"_id": run, "state": "running"}, {"$set": ended})
    small = await mongo.proposals.count_documents({"decision": decision})
    return Closed(decision=decision if small else None, approved=small)


async def left_over(mongo: Mongo, asked: LookForLeftOver) -> LeftOver:
    before = asked.now - timedelta(seconds=LEFT_AFTER_S)
    query = {"region": asked.region, "state": _APPROVED, "decided_at": {"$lt": before}}
    return LeftOver(decisions=sorted(await mongo.proposals.distinct("decision", query)))
