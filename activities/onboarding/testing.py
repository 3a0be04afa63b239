"""The test event: told once on the partner's own stream; whether the partner has acknowledged it."""

import asyncio

from nats.js import JetStreamContext

from contracts.onboarding import Look, Step, partner_of, test_event_id
from contracts.partner_events import Bilingual, PartnerTest
from infra.hearing import acknowledged
from infra.mongo import Mongo, insert_new
from infra.outbox import outgoing, rows_of

_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.2, 15.0


async def send_test(mongo: Mongo, step: Step) -> None:
    """A row that is there already is left as it is, so that it is told once for a step."""
    partner = partner_of(step.application)
    data = PartnerTest(
        partner=partner,
        words=Bilingual(
            zh="这是一条测试事件。确认收到后，您的账号将被激活。",
            en="This is a test event. Acknowledge it, and you are activated.",
        ),
    )
    name = test_event_id(step.application, step.number)
    event = outgoing(partner, name, "partner.test.v1", partner, step.now, data.model_dump(mode="json"))
    await insert_new(mongo.outbox, rows_of([event], step.now))


async def look_for_test(mongo: Mongo, js: JetStreamContext, asked: Look) -> bool:
    """Look for so many seconds, ever less often."""
    loop = asyncio.get_running_loop()
    deadline, pause = loop.time() + asked.for_s, _FIRST_PAUSE_S
    while True:
        if await _is_acknowledged(mongo, js, asked):
            return True
        left = deadline - loop.time()
        if left <= 0:
            return False
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 1.5, _LAST_PAUSE_S)


async def _is_acknowledged(mongo: Mongo, js: JetStreamContext, asked: Look) -> bool:
    number = await _number(mongo, asked)
    return number is not None and await acknowledged(mongo, js, asked.partner) >= number


async def _number(mongo: Mongo, asked: Look) -> int | None:
    """Of the first test event. Kept with the partner, because the outbox forgets what was sent long ago."""
    partner = await mongo.partners.find_one({"_id": asked.partner}, {"test_number": 1})
    if partner is None or partner.get("test_number") is not None:
        return int(partner["test_number"]) if partner else None
    first = test_event_id(asked.application, 0)[:-1]
    told = mongo.outbox.find({"_id": {"$gte": first, "$lt": f"{first}:"}, "numbers": {"$exists": True}}, {"numbers": 1})
    numbers = [int(row["numbers"][0]) async for row in told]
    if not numbers:
        return None
    await mongo.partners.update_one({"_id": asked.partner}, {"$set": {"test_number": min(numbers)}})
    return min(numbers)
