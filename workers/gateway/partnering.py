"""How operators see partners: as rows of a list, and one with what it has open and what was done."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from nats.js import JetStreamContext
from pydantic import BaseModel

from activities.partners.open import what_is_open
from contracts.lifecycle import Open, Pace, lifecycle_id
from contracts.living import next_due, standing_of, waits_for
from contracts.partnership import PartnerRecord
from infra.audit import read_audit
from infra.mongo import Mongo
from workers.gateway.partner_ways import Ways, ways_of
from workers.gateway.reviewing import AuditLine, line
from workers.gateway.views import Workflows


class PartnerLinks(BaseModel):
    """`workflow`: in the Temporal UI."""

    self: str
    application: str
    workflow: str | None


class PartnerRow(PartnerRecord):
    """`event_streams`: what it reads and answers on. `waits_for`: what comes next, in words."""

    event_streams: list[str]
    waits_for: str
    links: PartnerLinks


class PartnerPage(BaseModel):
    """`next` is the cursor of the following page; null on the last one."""

    partners: list[PartnerRow]
    next: str | None


class PartnerView(PartnerRow):
    """`ways`: how far it has heard, and with what."""

    open: Open
    ways: Ways
    audit: list[AuditLine]


def partner_row(record: PartnerRecord, workflows: Workflows, now: datetime) -> dict[str, Any]:
    standing = standing_of(record)
    waits = {
        "provisioning": "being made",
        "testing": f"the partner to acknowledge the test event; until when stands with {record.application}",
        "terminated": "nothing any more",
    }.get(record.state) or waits_for(standing, next_due(standing, Pace(), now))
    links: Mapping[str, str | None] = {
        "self": f"/v1/partners/{record.id}",
        "application": f"/v1/reviews/{record.application}",
        "workflow": workflows.link(lifecycle_id(record.id)),
    }
    return {**record.model_dump(mode="json"), "event_streams": record.streams, "waits_for": waits, "links": links}


async def partner_view(
    mongo: Mongo, js: JetStreamContext, record: PartnerRecord, workflows: Workflows
) -> dict[str, Any]:
    audit = [line(row) for row in await read_audit(mongo, [record.id, record.application])]
    still = await what_is_open(mongo, record)
    now = mongo.clock.now()
    ways = await ways_of(mongo, js, record, now)
    seen = {"open": still.model_dump(mode="json"), "ways": ways.model_dump(mode="json"), "audit": audit}
    return {**partner_row(record, workflows, now), **seen}
