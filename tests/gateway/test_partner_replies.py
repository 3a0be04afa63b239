"""Answers over HTTP are looked at at once and go the same way as those over NATS; reports set the shelves."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from nats.js.errors import NotFoundError

from contracts.buying_replies import PURCHASE_REPLY_TYPE, SUPPLY_TYPE
from contracts.events import REPLY_TYPE, STOCK_TYPE
from contracts.subjects import REPLIES, reply_subject
from infra.cases import Cases
from infra.keyring import keyring
from infra.keys import Scope, create_key
from infra.mongo import Mongo
from infra.sealing import Sealing
from infra.settings import Settings
from infra.streams import REPLIES_WAITING_MAX
from infra.temporal import connect
from tests.gateway.running import Api, fresh
from tests.told import fresh_stream
from workers.events.bell import Bell
from workers.events.replies import ReplyDesk
from workers.gateway.partner.replies import CLOUD_EVENT
from workers.reply_forms import Received, Unreadable, read


def answers(*replies: dict[str, Any], **changes: Any) -> dict[str, Any]:
    event = {"specversion": "1.0", "id": uuid.uuid4().hex, "source": "store", "type": REPLY_TYPE}
    return {**event, "data": {"replies": list(replies)}, **changes}


def purchases(*replies: dict[str, Any]) -> dict[str, Any]:
    return answers(*replies, type=PURCHASE_REPLY_TYPE)


def reported(*items: dict[str, Any]) -> dict[str, Any]:
    event = {"specversion": "1.0", "id": uuid.uuid4().hex, "source": "supplier", "type": SUPPLY_TYPE}
    return {**event, "data": {"items": list(items)}}


CONFIRMED = {"id": "r1", "order": "po-1", "kind": "confirmed"}


def counts(*on_hand: tuple[str, int], **changes: Any) -> dict[str, Any]:
    event = {"specversion": "1.0", "id": uuid.uuid4().hex, "source": "store", "type": STOCK_TYPE}
    return {**event, "data": {"counts": [{"sku": sku, "on_hand": units} for sku, units in on_hand]}, **changes}


ACCEPTED = {"id": "r1", "parcel": "order-1.p1", "kind": "accepted"}


async def partner(api: Api, mongo: Mongo) -> tuple[str, Api]:
    stream = fresh_stream()
    return stream, api.with_key(await create_key(mongo, stream, [Scope.PARTNER], partner=stream))


async def on_the_bus(api: Api, stream: str) -> tuple[dict[str, Any], dict[str, str]] | None:
    try:
        message = await api.gateway.js.get_last_msg(REPLIES, reply_subject(stream))
    except NotFoundError:
        return None
    return orjson.loads(message.data or b""), message.headers or {}


@pytest.mark.parametrize("kind", ["application/json", CLOUD_EVENT])
async def test_what_is_well_formed_goes_to_the_partners_own_subject(api: Api, mongo: Mongo, kind: str) -> None:
    mine, me = await partner(api, mongo)
    for event in (answers(ACCEPTED), counts(("tea", 3))):
        done = await me.call("POST", "/v1/partner/replies", event, status=202, Content_Type=kind)
        assert done.body == {"stream": mine, "id": event["id"]}
        found = await on_the_bus(api, mine)
        assert found is not None
        assert (found[0], found[1]["Nats-Msg-Id"]) == (event, event["id"])


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (answers({**ACCEPTED, "kind": "eaten"}), "data.replies.0.kind"),
        (answers(ACCEPTED, {**ACCEPTED, "color": "red"}), "data.replies.1.color"),
        (answers(), "data.replies"),
        (answers(ACCEPTED, id="two words"), "id"),
        (answers(ACCEPTED, id="line\r\nNats-Rollup: all"), "id"),
        (answers(ACCEPTED, id=""), "id"),
        (answers(ACCEPTED, type="parcel.offered.v1"), "type"),
        (answers(ACCEPTED, specversion="2"), "specversion"),
        (counts(("tea", -1)), "data.counts.0.on_hand"),
        (counts(("tea", 1), ("tea", 2)), "data.counts.1.sku"),
        (counts(("t ea", 1)), "data.counts.0.sku"),
        (counts(), "data.counts"),
        # Of a supplier: the item is named, and the good ones beside it are not taken either.
        (reported({"sku": "tea", "on_hand": 3}, {"sku": "cup", "on_hand": -1}), "data.items.1.on_hand"),
        (reported({"sku": "tea", "on_hand": 3}, {"sku": "cup", "stock": 1}), "data.items.1.stock"),
        (purchases(CONFIRMED, {"id": "r2", "order": "po-1", "kind": "declined"}), "data.replies.1.reason"),
        (purchases(CONFIRMED, {**CONFIRMED, "id": "r2", "lines": [{"line": 0}]}), "data.replies.1.lines.0.line"),
        ([], "type"),
        ({}, "type"),
    ],
)
async def test_of_what_is_not_well_formed_nothing_is_taken(api: Api, mongo: Mongo, event: Any, field: str) -> None:
    mine, me = await partner(api, mongo)
    refused = await me.post("/v1/partner/replies", event, status=422)
    assert field in refused.faults
    assert await on_the_bus(api, mine) is None


async def test_nobody_answers_on_anothers_stream(api: Api, mongo: Mongo) -> None:
    mine, me = await partner(api, mongo)
    other, _ = await partner(api, mongo)
    event = answers(ACCEPTED, source=other)
    assert (await me.post(f"/v1/partner/replies?stream={other}", event, status=403)).code == "not_your_stream"
    assert await on_the_bus(api, other) is None
    await api.post(f"/v1/partner/replies?stream={other}", event, status=202)
    assert await on_the_bus(api, other) is not None
    assert await on_the_bus(api, mine) is None


async def test_an_id_that_another_partner_has_used_is_still_free(api: Api, mongo: Mongo) -> None:
    """Ids are the senders' own: one that is used up by somebody else would silence a partner."""
    (mine, me), (other, they) = await partner(api, mongo), await partner(api, mongo)
    event = answers(ACCEPTED, id=fresh("event"))
    await they.post("/v1/partner/replies", event, status=202)

    async def taken() -> bool:
        await me.post("/v1/partner/replies", event, status=202)
        return await on_the_bus(api, mine) is not None

    async with asyncio.timeout(30):
        while not await taken():
            pass
    assert await on_the_bus(api, other) is not None


async def test_a_body_that_no_message_can_hold_is_refused(api: Api, mongo: Mongo) -> None:
    _, me = await partner(api, mongo)
    large = await me.post("/v1/partner/replies", answers(ACCEPTED, words="x" * 1_000_000), status=413)
    assert large.code == "body_too_large"


class TestStockReports:
    @asynccontextmanager
    async def _desk(self, settings: Settings, mongo: Mongo) -> AsyncIterator[ReplyDesk]:
        temporal = await connect(settings)
        yield ReplyDesk(
            mongo,
            Bell(temporal, urgent_s=0.01, progress_s=0.01, rings_per_s=10),
            Cases(mongo, Sealing(keyring(settings))),
        )

    @pytest.fixture
    async def desk(self, gateway_settings: Settings, mongo: Mongo, api: Api) -> AsyncIterator[ReplyDesk]:
        async with self._desk(gateway_settings, mongo) as desk:
            yield desk

    @pytest.fixture
    async def shop(self, api: Api) -> str:
        shop = fresh_stream()
        point = {"lat": 30.0, "lon": 120.0, "datum": "WGS84"}
        made = {"id": shop, "name": "Shop", "division": "330106", "point": point}
        await api.put("/v1/locations", {"locations": [made]}, status=200)
        return shop

    async def _level(self, mongo: Mongo, shop: str, sku: str = "tea") -> int:
        row = await mongo.stock.find_one({"_id": f"{shop}/{sku}"})
        return row["on_hand"] if row else 0

    async def _refused(self, mongo: Mongo, shop: str) -> list[dict[str, Any]]:
        found = mongo.outbox.find({"events.partner": shop, "events.type": "reply.refused.v1"})
        return [orjson.loads(event["body"])["data"] async for row in found for event in row["events"]]

    def _message(self, shop: str, event: dict[str, Any], seconds: float = 0, sequence: int = 1) -> Received:
        at = datetime(2026, 3, 2, 9, 0, tzinfo=UTC) + timedelta(seconds=seconds)
        return Received(shop, sequence, at, orjson.dumps(event))

    async def test_a_report_sets_the_shelf_and_the_ledger_says_why(
        self, desk: ReplyDesk, mongo: Mongo, shop: str
    ) -> None:
        report = counts(("tea", 7), ("cup", 0))
        assert await desk.take([self._message(shop, report)]) == [None]
        assert (await self._level(mongo, shop), await self._level(mongo, shop, "cup")) == (7, 0)
        rows = [row async for row in mongo.ledger.find({"location": shop})]
        assert [(row["kind"], row["_id"]) for row in rows] == [
            ("counted", f"counted:{shop}:{report['id']}:{shop}:tea"),
        ]

    async def test_the_same_report_again_changes_nothing_even_if_the_shelf_has_changed(
        self, desk: ReplyDesk, mongo: Mongo, shop: str, api: Api
    ) -> None:
        same = counts(("tea", 0))
        await desk.take([self._message(shop, same)])
        receipt = {"location": shop, "sku": "tea", "kind": "receipt", "quantity": 4, "reference": "n1"}
        await api.put("/v1/stock", {"items": [receipt]}, status=200)
        await desk.take(
            [self._message(shop, same), self._message(shop, {**same, "data": counts(("tea", 9))["data"]}, 60)]
        )
        assert await self._level(mongo, shop) == 4

    async def test_a_report_that_was_overtaken_changes_nothing_of_what_the_later_one_counted(
        self, desk: ReplyDesk, mongo: Mongo, shop: str
    ) -> None:
        await desk.take([self._message(shop, counts(("tea", 5)), seconds=10)])
        await desk.take([self._message(shop, counts(("tea", 9), ("cup", 2)), seconds=5)])
        assert (await self._level(mongo, shop), await self._level(mongo, shop, "cup")) == (5, 2)

    async def test_what_cannot_be_counted_is_refused_and_the_rest_is_booked(
        self, desk: ReplyDesk, mongo: Mongo, shop: str
    ) -> None:
        report = counts(("tea", 3), ("nothing-known", 5))
        report["data"]["counts"].append({"sku": "pot", "on_hand": -1})
        await desk.take([self._message(shop, report)])
        assert await self._level(mongo, shop) == 3
        refused = await self._refused(mongo, shop)
        assert {(one["reply"], one["code"], one["field"]) for one in refused} == {
            (f"{report['id']}/1", "unknown_sku", "data.counts.1.sku"),
            (f"{report['id']}/2", "invalid_count", "data.counts.2"),
        }
        assert await mongo.skus.find_one({"_id": "nothing-known"}) is None

    async def test_who_is_no_location_has_no_shelves(self, desk: ReplyDesk, mongo: Mongo) -> None:
        nowhere = fresh_stream()
        await desk.take([self._message(nowhere, counts(("tea", 3)))])
        assert [one["code"] for one in await self._refused(mongo, nowhere)] == ["unknown_location"]
        assert await self._level(mongo, nowhere) == 0

    async def test_reports_of_many_at_once_are_exact(self, desk: ReplyDesk, mongo: Mongo, shop: str) -> None:
        reports = [self._message(shop, counts(("tea", number)), seconds=number) for number in range(1, 9)]
        await asyncio.gather(*(desk.take([report]) for report in reports))
        assert await self._level(mongo, shop) == 8

    @pytest.mark.parametrize(
        "event",
        [
            {"specversion": "1.0", "id": "", "source": "s", "type": STOCK_TYPE, "data": {"counts": [1]}},
            {"specversion": "1.0", "id": "x" * 201, "source": "s", "type": STOCK_TYPE, "data": {"counts": [1]}},
            {"specversion": "1.0", "id": "x", "source": "s", "type": STOCK_TYPE, "data": {"replies": [1]}},
            {"specversion": "1.0", "id": "x", "source": "s", "type": STOCK_TYPE, "data": {"counts": [1] * 501}},
        ],
    )
    def test_what_is_no_report_is_no_event(self, event: dict[str, Any]) -> None:
        with pytest.raises(Unreadable):
            read(self._message("near", event))


async def test_who_says_more_than_is_taken_is_told_to_wait(api: Api, mongo: Mongo) -> None:
    (mine, me), (_, they) = await partner(api, mongo), await partner(api, mongo)
    for begin in range(0, REPLIES_WAITING_MAX, 250):
        said = [api.gateway.js.publish(reply_subject(mine), b"%d" % number) for number in range(begin, begin + 250)]
        await asyncio.gather(*said)
    refused = await me.post("/v1/partner/replies", answers(ACCEPTED), status=429)
    assert (refused.code, refused.headers["Retry-After"]) == ("replies_waiting", "5")
    await they.post("/v1/partner/replies", answers(ACCEPTED), status=202)
