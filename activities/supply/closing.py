"""Ends a run, supersedes what earlier ones proposed, and finds decisions of which something was never ordered."""

from datetime import timedelta

from contracts.refusals import Refusal
from contracts.replenishing import (
    LEFT_AFTER_S,
    POLICY,
    Closed,
    CloseRun,
    LeftOver,
    LookForLeftOver,
)
from infra.mongo import Mongo, Session

_APPROVED = {"$in": ["approved", "changed"]}


async def supersede(mongo: Mongo, region: str, run: str) -> int:
    """What earlier runs of a region proposed and nobody decided on, before this one looks at any position: nobody can
    approve it any more, so that what this run proposes for the same series does not come on top of it."""
    earlier = {"region": region, "state": "proposed", "run": {"$ne": run}}
    return int((await mongo.proposals.update_many(earlier, {"$set": {"state": "superseded"}})).modified_count)


async def still_running(mongo: Mongo, session: Session, run: str) -> None:
    """Raises Refusal when a run was closed, also while this transaction goes on: what a step writes that comes late,
    after its run was given up, nobody would take back. Writes, because only two writers of one document get in each
    other's way."""
    looked = await mongo.supply_runs.update_one(
        {"_id": run, "state": "running"}, {"$inc": {"looked": 1}}, session=session
    )
    if looked.matched_count != 1:
        raise Refusal("run_closed", f"The run {run} was closed.", remedy="Start another one.", status=409)


async def close_run(mongo: Mongo, asked: CloseRun) -> Closed:
    """Proposals of little value are approved by their policy, as one decision. Asked again it finds that done.

    A run that did not end well is closed first: what its steps wrote before that is superseded, and afterwards they
    write nothing any more (`still_running`).
    """
    run, decision = asked.run, f"{asked.run}:{POLICY}"
    ended = {"state": asked.state, "ended_at": asked.now, "why": asked.why, "progress": asked.progress.model_dump()}
    end = {"_id": run, "state": "running"}, {"$set": ended}
    if asked.state != "done":
        await mongo.supply_runs.update_one(*end)
        await mongo.proposals.update_many({"run": run, "state": "proposed"}, {"$set": {"state": "superseded"}})
    else:
        approved = {"state": "approved", "decision": decision, "decided_by": POLICY, "decided_at": asked.now}
        await mongo.proposals.update_many({"run": run, "state": "proposed", "small": True}, {"$set": approved})
        await mongo.supply_runs.update_one(*end)
    small = await mongo.proposals.count_documents({"decision": decision})
    return Closed(decision=decision if small else None, approved=small)


async def left_over(mongo: Mongo, asked: LookForLeftOver) -> LeftOver:
    before = asked.now - timedelta(seconds=LEFT_AFTER_S)
    query = {"region": asked.region, "state": _APPROVED, "decided_at": {"$lt": before}}
    return LeftOver(decisions=sorted(await mongo.proposals.distinct("decision", query)))
