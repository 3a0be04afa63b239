"""Queues of service: what is open, by team, how old it is, what is broken, and who has how much in hand."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from contracts.base import Moment
from contracts.cases import LIVE
from infra.mongo import Mongo

_AGENTS_SHOWN = 500


class Queue(BaseModel):
    """Cases of one team on one level; without a team: of nobody yet. `waiting` for somebody who takes them."""

    team: str | None
    level: int
    open: int
    waiting: int
    breached: int
    urgent: int
    states: dict[str, int]
    oldest: Moment
    oldest_case: str
    next_due: Moment | None = Field(description="When the next of them moves by itself.")


class AgentLoad(BaseModel):
    """`open`: the weight of the cases in hand; urgent ones count double."""

    agent: str
    open: int
    last_given: Moment | None


class CaseQueues(BaseModel):
    """As of `at`."""

    at: Moment
    open: int
    breached: int
    queues: list[Queue]
    load: list[AgentLoad]


async def queues(mongo: Mongo, now: datetime) -> dict[str, Any]:
    rows = [row async for row in mongo.cases.aggregate(_PIPELINE, allowDiskUse=True)]
    found = [
        {
            "team": row["_id"]["team"],
            "level": row["_id"]["level"],
            "open": row["open"],
            "waiting": row["waiting"],
            "breached": row["breached"],
            "urgent": row["urgent"],
            "states": {state: row["states"].count(state) for state in sorted(set(row["states"]))},
            "oldest": row["oldest"]["at"],
            "oldest_case": row["oldest"]["case"],
            "next_due": row["next_due"],
        }
        for row in rows
    ]
    found.sort(key=lambda one: (one["team"] is not None, one["team"] or "", one["level"]))
    loads = mongo.service_loads.find({"open": {"$gt": 0}}).sort([("open", -1), ("_id", 1)]).limit(_AGENTS_SHOWN)
    return {
        "at": now,
        "open": sum(one["open"] for one in found),
        "breached": sum(one["breached"] for one in found),
        "queues": found,
        "load": [{"agent": row["_id"], "open": row["open"], "last_given": row.get("turned_at")} async for row in loads],
    }


_ONE_IF: dict[str, Any] = {"then": 1, "else": 0}
_PIPELINE: list[dict[str, Any]] = [
    {"$match": {"state": {"$in": sorted(LIVE)}}},
    {
        "$group": {
            "_id": {"team": "$team", "level": {"$ifNull": ["$ladder.level", 0]}},
            "open": {"$sum": 1},
            "waiting": {"$sum": {"$cond": {"if": "$wants", **_ONE_IF}}},
            "breached": {"$sum": {"$cond": {"if": "$breached", **_ONE_IF}}},
            "urgent": {"$sum": {"$cond": {"if": {"$eq": ["$priority", "urgent"]}, **_ONE_IF}}},
            "states": {"$push": "$state"},
            "oldest": {"$min": {"at": "$opened_at", "case": "$_id"}},
            "next_due": {"$min": "$due"},
        }
    },
]
