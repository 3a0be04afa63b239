"""Events reach every endpoint in order and signed, whatever endpoints, processes and operators do meanwhile."""

import asyncio
import os
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web
from nats.js import JetStreamContext

from contracts.subjects import EVENTS, RETAILER
from contracts.webhooks import Secret, Webhook
from infra.embedded import Addresses
from infra.hearing import Hearing, acknowledged
from infra.keyring import Keyring, new_key
from infra.mongo import Mongo
from infra.nats import Connection
from infra.processes import Process
from infra.sealing import Sealing
from tests.support import eventually
from tests.told import NOW, Told, fresh_stream
from tests.webhooks.endpoints import Endpoint, Received, endpoint
from workers.gateway.partner.webhooks import rotated
from workers.webhooks.app import WebhookWorker
from workers.webhooks.keeping import COLLECTION, FREE, KIND
from workers.webhooks.rules import Rules
from workers.webhooks.signing import new_secret

QUICK = Rules(within_s=5, retry_s=0.05, retry_max_s=0.2, gives_up_s=3600)
PATIENT_S = 60
KEYS = new_key("tests")
SEALING = Sealing(Keyring.parse(KEYS))


async def make(mongo: Mongo, stream: str, to: Endpoint | str, after: int = 0) -> str:
    """A webhook as the gateway makes it."""
    secret = new_secret()
    url = to
    if isinstance(to, Endpoint):
        to.secrets, url = [secret], to.url
    hook = Webhook.model_validate(
        {
            "id": f"wh-{uuid.uuid4().hex[:16]}",
            "stream": stream,
            "url": url,
            "secrets": [{"secret": secret}],
            "position": after,
            "lease": FREE,
            "by": "tests",
            "created_at": mongo.clock.now(),
        }
    )
    await mongo.webhooks.insert_one(SEALING.row(hook, COLLECTION))
    return hook.id


async def change(mongo: Mongo, hook: str, **changes: object) -> None:
    """As the gateway changes one."""
    await mongo.webhooks.update_one({"_id": hook}, {"$set": changes, "$inc": {"generation": 1}})


async def read(mongo: Mongo, hook: str) -> Webhook:
    row = await mongo.webhooks.find_one({"_id": hook})
    assert row is not None
    return Webhook.from_row(SEALING.opened(row, COLLECTION))


@asynccontextmanager
async def working(mongo: Mongo, hearing: Hearing, rules: Rules = QUICK, lease_s: float = 2.0) -> AsyncIterator[None]:
    worker = WebhookWorker(mongo, hearing, SEALING, owner=uuid.uuid4().hex, rules=rules, private=True, lease_s=lease_s)
    task = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        worker.stop()
        await task


async def reached(mongo: Mongo, hook: str, number: int) -> None:
    async def there() -> bool:
        return (await read(mongo, hook)).position == number

    await eventually(there, PATIENT_S, f"it never came to {number}")


async def test_every_event_comes_once_in_order_and_signed(
    mongo: Mongo, hearing: Hearing, told: Told, nats: Connection
) -> None:
    mine = fresh_stream()
    for _ in range(120):
        await told.tell(mine)
    async with endpoint() as shop, working(mongo, hearing):
        hook = await make(mongo, mine, shop)
        await reached(mongo, hook, 120)
        for _ in range(5):
            await told.tell(mine)
        await reached(mongo, hook, 125)
    assert shop.numbers == list(range(1, 126))
    assert (shop.forged, shop.at_once_most) == (0, 1)
    assert [one.event["id"] for one in shop.received] == [f"{mine}:{number}" for number in range(1, 126)]
    assert [one.message for one in shop.received][:2] == [f"{mine}_1", f"{mine}_2"]
    assert shop.received[0].headers["content-type"] == "application/cloudevents+json"
    assert await acknowledged(mongo, nats.jetstream(), mine) == 125


async def test_what_is_not_taken_comes_again_before_anything_else(mongo: Mongo, hearing: Hearing, told: Told) -> None:
    mine = fresh_stream()
    refusals = {2: [500, 302, 404], 4: [429]}

    async def sometimes(one: Received) -> int | web.Response:
        left = refusals.get(one.number)
        status = left.pop(0) if left else 200
        return web.Response(status=status, headers={"Location": "http://127.0.0.1:1/", "Retry-After": "0"})

    for _ in range(5):
        await told.tell(mine)
    async with endpoint(sometimes) as shop, working(mongo, hearing):
        hook = await make(mongo, mine, shop)
        await reached(mongo, hook, 5)
    assert shop.numbers == [1, 2, 2, 2, 2, 3, 4, 4, 5]
    assert len({one.message for one in shop.received}) == 5, "the same event has the same id each time"
    kept = await read(mongo, hook)
    assert (kept.attempts, kept.failing_since, kept.next_at) == (0, None, None)
    assert kept.last_failure is not None and kept.last_failure.status == 429


async def test_dead_and_slow_endpoints_cost_the_others_nothing(mongo: Mongo, hearing: Hearing, told: Told) -> None:
    never = asyncio.Event()

    async def hangs(_: Received) -> int:
        await never.wait()
        return 200

    streams = [fresh_stream() for _ in range(12)]
    patient = Rules(within_s=300, retry_s=0.05, retry_max_s=0.2, gives_up_s=3600)
    async with endpoint(hangs) as slow, endpoint() as shop, working(mongo, hearing, patient):
        for stream in streams[:10]:
            await make(mongo, stream, slow.url)
        await make(mongo, streams[10], "http://127.0.0.1:1/nobody")
        for stream in streams:
            await told.tell(stream)
        await eventually(lambda: slow.at_once == 10, PATIENT_S)
        hook = await make(mongo, streams[11], shop)
        await reached(mongo, hook, 1)
        assert slow.at_once == 10, "they have answered meanwhile"
        never.set()


async def test_410_pauses_at_once_and_partner_and_retailer_are_told(mongo: Mongo, hearing: Hearing, told: Told) -> None:
    mine = fresh_stream()
    gone = True

    async def moved(one: Received) -> int:
        return 410 if gone and one.number == 3 else 204

    for _ in range(4):
        await told.tell(mine)
    async with endpoint(moved) as shop, working(mongo, hearing):
        hook = await make(mongo, mine, shop)

        async def paused() -> bool:
            return (await read(mongo, hook)).state == "paused"

        await eventually(paused, PATIENT_S)
        kept = await read(mongo, hook)
        assert (kept.position, kept.paused_for, kept.lease.owner) == (2, "endpoint_gone", None)
        rows = [row async for row in mongo.outbox.find({"events.type": KIND, "events.partner": mine})]
        told_to = sorted(event["partner"] for row in rows for event in row["events"])
        assert told_to == sorted([mine, RETAILER])
        gone = False
        await change(mongo, hook, state="active", paused_for=None)
        await reached(mongo, hook, 4)
    assert shop.numbers == [1, 2, 3, 3, 4]


async def test_failing_for_too_long_pauses(mongo: Mongo, hearing: Hearing, told: Told) -> None:
    mine = fresh_stream()
    await told.tell(mine)
    rules = Rules(within_s=5, retry_s=0.02, retry_max_s=0.05, gives_up_s=0.3)
    async with working(mongo, hearing, rules):
        hook = await make(mongo, mine, "http://127.0.0.1:1/nobody")

        async def paused() -> bool:
            return (await read(mongo, hook)).state == "paused"

        await eventually(paused, PATIENT_S)
    kept = await read(mongo, hook)
    assert kept.paused_for == "failing"
    assert kept.attempts >= 2
    assert kept.last_failure is not None and kept.last_failure.status is None
    assert kept.failing_since is not None
    assert kept.last_failure.at - kept.failing_since >= timedelta(seconds=0.3)


async def test_what_is_kept_no_more_is_not_passed_over(
    mongo: Mongo, hearing: Hearing, told: Told, nats: Connection
) -> None:
    mine = fresh_stream()
    for _ in range(4):
        await told.tell(mine)
    js: JetStreamContext = nats.jetstream()
    await js.purge_stream(EVENTS, subject=f"evt.v1.{mine}.>", keep=1)
    async with endpoint() as shop, working(mongo, hearing):
        hook = await make(mongo, mine, shop, after=1)

        async def paused() -> bool:
            return (await read(mongo, hook)).paused_for == "events_gone"

        await eventually(paused, PATIENT_S)
        assert shop.received == []
        await change(mongo, hook, state="active", paused_for=None, position=3)
        await reached(mongo, hook, 4)
    assert shop.numbers == [4]


async def test_it_is_sent_again_from_any_number_also_while_it_is_sending(
    mongo: Mongo, hearing: Hearing, told: Told
) -> None:
    mine = fresh_stream()
    at_nine, go_on = asyncio.Event(), asyncio.Event()

    async def stops_at_nine(one: Received) -> int:
        if one.number == 9 and not go_on.is_set():
            at_nine.set()
            await go_on.wait()
        return 200

    for _ in range(12):
        await told.tell(mine)
    async with endpoint(stops_at_nine) as shop, working(mongo, hearing):
        hook = await make(mongo, mine, shop)
        await at_nine.wait()
        await change(mongo, hook, position=2)
        go_on.set()
        await eventually(lambda: shop.numbers.count(3) == 2, PATIENT_S, "it was not sent again")
        await reached(mongo, hook, 12)
    again = shop.numbers[shop.numbers.index(3, 3) :]
    assert again == list(range(3, 13))
    assert (await read(mongo, hook)).acknowledged == 12


async def test_with_a_new_secret_both_signatures_are_good_for_a_while(
    mongo: Mongo, hearing: Hearing, told: Told
) -> None:
    mine = fresh_stream()
    async with endpoint() as shop, working(mongo, hearing):
        hook = await make(mongo, mine, shop)
        await told.tell(mine)
        await reached(mongo, hook, 1)
        now = mongo.clock.now()
        secrets = rotated((await read(mongo, hook)).secrets, new_secret(), now, overlap_s=3600)
        await change(mongo, hook, secrets=[one.model_dump() for one in secrets])
        shop.secrets = [one.secret for one in secrets]

        async def with_both() -> bool:
            await told.tell(mine)
            await eventually(lambda: shop.received[-1].number == told.last[mine] or shop.forged, PATIENT_S)
            return len(shop.received[-1].headers["webhook-signature"].split()) == 2

        shop.secrets = shop.secrets[:1]
        await eventually(with_both, PATIENT_S)
        assert shop.forged == 0
        shop.secrets = [one.secret for one in secrets]
        await told.tell(mine)
        await reached(mongo, hook, told.last[mine])
        assert shop.forged == 0


def test_rotation_keeps_one_old_secret_for_the_overlap() -> None:
    now = NOW
    first = [Secret(secret="whsec_a")]
    both = rotated(first, "whsec_b", now, 60)
    assert [(one.secret, one.until) for one in both] == [("whsec_a", now + timedelta(seconds=60)), ("whsec_b", None)]
    assert [one.secret for one in rotated(both, "whsec_c", now, 60)] == ["whsec_b", "whsec_c"]
    assert [one.secret for one in rotated(both, "whsec_c", now, 0)] == ["whsec_c"]


async def test_a_deleted_webhook_is_sent_nothing(mongo: Mongo, hearing: Hearing, told: Told) -> None:
    mine, other = fresh_stream(), fresh_stream()
    async with endpoint() as shop, endpoint() as control, working(mongo, hearing):
        hook = await make(mongo, mine, shop)
        await told.tell(mine)
        await reached(mongo, hook, 1)
        await mongo.webhooks.delete_one({"_id": hook})
        await eventually(lambda: hearing.listened == 0, PATIENT_S, "it is still followed")
        second = await make(mongo, other, control)
        await told.tell(mine)
        await told.tell(other)
        await reached(mongo, second, 1)
        assert shop.numbers == [1]


async def test_two_processes_share_and_never_send_the_same_endpoints_events_at_once(
    mongo: Mongo, hearing: Hearing, told: Told
) -> None:
    streams = [fresh_stream() for _ in range(6)]

    async def slowly(_: Received) -> int:
        await asyncio.sleep(0.01)
        return 200

    shops: list[Endpoint] = []
    async with AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(working(mongo, hearing))
        shops += [await stack.enter_async_context(endpoint(slowly)) for _ in streams]
        hooks = [await make(mongo, stream, shop) for stream, shop in zip(streams, shops, strict=True)]
        for _ in range(40):
            for stream in streams:
                await told.tell(stream)
        for hook in hooks:
            await reached(mongo, hook, 40)
    for shop in shops:
        assert (shop.numbers, shop.at_once_most) == (list(range(1, 41)), 1)


async def test_a_killed_process_is_followed_by_another_and_no_event_is_left_out(
    mongo: Mongo, hearing: Hearing, told: Told, servers: Addresses, tmp_path: Path
) -> None:
    """What was sent and not written down comes again; the receiver knows it by its id."""
    mine = fresh_stream()
    for _ in range(60):
        await told.tell(mine)
    at_25, go_on = asyncio.Event(), asyncio.Event()

    async def stops(one: Received) -> int:
        if one.number == 25 and not go_on.is_set():
            at_25.set()
            await go_on.wait()
        return 200

    env = {
        "TONGQU_MONGO_URL": servers.mongo_url,
        "TONGQU_MONGO_DATABASE": mongo.db.name,
        "TONGQU_NATS_URL": servers.nats_url,
        "TONGQU_WEBHOOK_PRIVATE": "true",
        "TONGQU_DATA_DIR": str(tmp_path),
        "TONGQU_CODEC_KEYS": KEYS,
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
    }
    process = Process("webhooks", [sys.executable, "-m", "workers.webhooks"], log=tmp_path / "log", env=env)
    async with endpoint(stops) as shop:
        hook = await make(mongo, mine, shop)
        process.start()
        try:
            async with asyncio.timeout(PATIENT_S):
                await at_25.wait()
        finally:
            process.kill()
        go_on.set()
        assert (await read(mongo, hook)).position == 20
        async with working(mongo, hearing):
            await reached(mongo, hook, 60)
    assert shop.numbers == [*range(1, 26), *range(21, 61)]


async def test_a_process_whose_webhook_was_taken_over_sends_to_it_no_more(
    mongo: Mongo, hearing: Hearing, told: Told
) -> None:
    mine = fresh_stream()
    await told.tell(mine)
    async with endpoint() as shop:
        async with working(mongo, hearing):
            hook = await make(mongo, mine, shop)
            await reached(mongo, hook, 1)
            # As if another process had taken over while this one slept.
            taken = {"lease.owner": "another", "lease.until": mongo.clock.now() + timedelta(seconds=3600)}
            await mongo.webhooks.update_one({"_id": hook}, {"$set": taken, "$inc": {"lease.token": 1}})
            await eventually(lambda: hearing.listened == 0, PATIENT_S, "it did not notice")
            await told.tell(mine)
        assert shop.numbers == [1]
        assert (await read(mongo, hook)).lease.owner == "another"


@pytest.fixture(autouse=True)
async def alone(mongo: Mongo) -> AsyncIterator[None]:
    """Webhooks of other tests would be sent too."""
    await mongo.webhooks.delete_many({})
    yield
    await mongo.webhooks.delete_many({})
