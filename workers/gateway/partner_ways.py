"""What a partner hears, and with what, for operators: how far each stream was taken in, keys and credentials."""

from datetime import datetime

import nats.errors
from nats.js import JetStreamContext
from nats.js.errors import APIError
from pydantic import BaseModel

from contracts.partnership import PartnerRecord
from contracts.webhooks import Failure, PauseReason, WebhookState
from infra.hearing import acknowledged
from infra.mongo import Mongo
from infra.outbox import told_up_to


class HookStanding(BaseModel):
    """A webhook: `position` is the last number that was sent, `attempts` counts tries of the next that failed."""

    id: str
    url: str
    state: WebhookState
    paused_for: PauseReason | None
    position: int
    attempts: int
    next_at: datetime | None
    last_failure: Failure | None


class StreamStanding(BaseModel):
    """`told`: the partner's number of the last event. `taken_in`: up to which it has acknowledged, in whichever way;
    null while NATS does not answer. `active`: of a place, whether it is offered orders; null for what is no place."""

    stream: str
    told: int
    taken_in: int | None
    active: bool | None
    webhooks: list[HookStanding]


class Ways(BaseModel):
    """`keys`: of the API that work. `credentials`: for NATS that count, the last of them until `credentials_until`."""

    streams: list[StreamStanding]
    keys: int
    credentials: int
    credentials_until: datetime | None


async def ways_of(mongo: Mongo, js: JetStreamContext, record: PartnerRecord, now: datetime) -> Ways:
    names = record.streams
    told = await told_up_to(mongo, names)
    active = {row["_id"]: row["active"] async for row in mongo.locations.find({"_id": {"$in": names}}, {"active": 1})}
    hooks: dict[str, list[HookStanding]] = {}
    async for row in mongo.webhooks.find({"stream": {"$in": names}}, {"secrets": 0}).sort("_id", 1):
        hooks.setdefault(row["stream"], []).append(HookStanding.model_validate({**row, "id": row["_id"]}))
    streams = [
        StreamStanding(
            stream=name,
            told=told.get(name, 0),
            taken_in=await _taken_in(mongo, js, name),
            active=active.get(name),
            webhooks=hooks.get(name, []),
        )
        for name in names
    ]
    counting = {"partner": record.id, "revoked_at": None, "expires_at": {"$gt": now}}
    ends = [row["expires_at"] async for row in mongo.credentials.find(counting, {"expires_at": 1})]
    keys = await mongo.api_keys.count_documents({"partner": record.id})
    return Ways(streams=streams, keys=keys, credentials=len(ends), credentials_until=max(ends, default=None))


async def _taken_in(mongo: Mongo, js: JetStreamContext, stream: str) -> int | None:
    try:
        return await acknowledged(mongo, js, stream)
    except (nats.errors.Error, APIError, OSError):
        return None
