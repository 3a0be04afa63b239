"""The first level on a real gateway, with a key of its own: live data, and what was confirmed done once."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from activities.service.bot.answering import Answering
from activities.service.bot.level import Bot
from activities.service.bot.understanding import Mind
from activities.service.firstlevel import BotTurn
from contracts.cases import CaseMessage, CaseRecord, CustomerOf
from infra.bot_api import ApiSilent, HttpBotApi
from infra.keys import Scope, create_key
from infra.mongo import Mongo
from tests.gateway.carrying import Carrier
from tests.gateway.running import Api, fresh
from tests.gateway.running import order as order_of

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
HOURS = {"monday": [{"opens": "09:00", "closes": "21:00"}]}
SCOPES = (Scope.ORDERS_READ, Scope.ORDERS_WRITE, Scope.STOCK_READ)


class Talk:
    """A case in which a customer writes and the bot answers."""

    def __init__(self, bot: Bot, order: str | None, customer: str | None = "c-1", language: Any = "zh") -> None:
        self.bot = bot
        self.messages: list[CaseMessage] = []
        self.case = CaseRecord(
            id=fresh("case"), kind="other", region="330106", language=language, channel="app", order=order,
            customer=CustomerOf(reference=customer), opened_at=NOW, opened_by="app",
        )  # fmt: skip

    async def say(self, text: str) -> BotTurn:
        self._write("customer", text)
        turn = await self.again()
        self.case.dialogue, self.case.answered_by_bot = turn.dialogue, len(self.messages)
        self.case.order = self.case.order or turn.order
        if turn.text:
            self._write("bot", turn.text)
        return turn

    async def again(self) -> BotTurn:
        """As after a crash before its answer was written down."""
        return await self.bot.answer(self.case, self.messages, NOW)

    def _write(self, sender: Any, text: str) -> None:
        number = len(self.messages) + 1
        self.messages.append(
            CaseMessage(
                id=f"{self.case.id}:{number}", case=self.case.id, number=number, at=NOW, sender=sender, by=sender,
                text=text, language="zh",
            )
        )  # fmt: skip


@pytest.fixture(scope="module")
async def bot_api(api: Api, mongo: Mongo) -> AsyncIterator[HttpBotApi]:
    async with HttpBotApi(api.url, await create_key(mongo, "bot", SCOPES)) as client:
        yield client


@pytest.fixture(scope="module")
def bot(bot_api: HttpBotApi) -> Bot:
    return Bot(Mind(), Answering(bot_api))


@pytest.fixture
def carrier(mongo: Mongo) -> Carrier:
    return Carrier(mongo)


async def placed(api: Api, carrier: Carrier, *replies: str, **more: Any) -> tuple[str, str]:
    """An order of customer c-1 whose only parcel has come so far, and its batch."""
    sku = fresh("sku")
    await api.put("/v1/stock", {"items": [{"location": "near", "sku": sku, "quantity": 5}]}, status=200)
    made = (await api.post("/v1/orders", order_of((sku, 1), customer="c-1", **more), status=202)).body["id"]
    batch = await carrier.claim(made)
    for kind in replies:
        seen = (await api.get(f"/v1/orders/{made}", status=200)).body
        await carrier.reply(batch, seen["parcels"][0], kind)
    return made, batch


async def test_where_an_order_is(api: Api, carrier: Carrier, bot: Bot) -> None:
    order, _ = await placed(api, carrier, "accepted", "shipped")
    turn = await Talk(bot, order).say("我的快递到哪了")
    assert (turn.does, turn.kind) == ("answered", "order_status")
    assert turn.text is not None
    assert order in turn.text
    assert "已发货" in turn.text


async def test_an_order_is_asked_for_and_taken_by_its_number(api: Api, carrier: Carrier, bot: Bot) -> None:
    order, _ = await placed(api, carrier, "accepted", id=f"shop-{fresh('4')}")
    talk = Talk(bot, None)
    assert "订单号" in str((await talk.say("我的快递到哪了")).text)
    turn = await talk.say(order)
    assert turn.does == "answered"
    assert "备货" in str(turn.text)


async def test_nobody_hears_of_another_s_order(api: Api, carrier: Carrier, bot: Bot) -> None:
    order, _ = await placed(api, carrier, "accepted", id=f"shop-{fresh('4')}")
    for customer in ("c-2", None):
        talk = Talk(bot, None, customer)
        turn = await talk.say(f"订单 {order} 到哪了")
        missing = await Talk(bot, None, customer).say("订单 shop-nobody1 到哪了")
        assert str(turn.text).replace(order, "") == str(missing.text).replace("shop-nobody1", "")
        after = await talk.say(f"取消订单 {order}")
        assert after.does == "hands_over"
    assert (await api.get(f"/v1/orders/{order}", status=200)).body["cancellation"] is None


@pytest.mark.parametrize("first", ["订单 {} 那个呃", "我要投诉订单 {}"])
async def test_to_name_another_s_order_does_not_make_it_the_case_s(
    api: Api, carrier: Carrier, bot: Bot, first: str
) -> None:
    """What a case is about is taken for the customer's own, by the bot and by people."""
    order, _ = await placed(api, carrier, "accepted", "shipped", id=f"shop-{fresh('4')}")
    talk = Talk(bot, None, "c-2")
    await talk.say(first.format(order))
    assert talk.case.order is None
    turn = await talk.say("我的快递到哪了")
    assert "已发货" not in str(turn.text) and talk.case.order is None
    owner = Talk(bot, None, "c-1")
    await owner.say(first.format(order))
    assert owner.case.order == order


async def test_a_customer_who_was_inferred_from_an_order_is_shown_no_other(
    api: Api, carrier: Carrier, bot: Bot
) -> None:
    known, _ = await placed(api, carrier, "accepted", id=f"shop-{fresh('4')}")
    other, _ = await placed(api, carrier, "accepted", "shipped", id=f"shop-{fresh('5')}")
    talk = Talk(bot, known)
    talk.case.customer.inferred = True
    assert "备货" in str((await talk.say("我的快递到哪了")).text)
    assert "已发货" not in str((await talk.say(f"订单 {other} 到哪了")).text)


async def test_a_cancellation_is_confirmed_and_done_once(api: Api, mongo: Mongo, carrier: Carrier, bot: Bot) -> None:
    order, batch = await placed(api, carrier)
    talk = Talk(bot, order)
    asked = await talk.say("不想要了 帮我取消订单")
    assert asked.does == "asks"
    assert (await api.get(f"/v1/orders/{order}", status=200)).body["cancellation"] is None
    talk.messages.append(talk.messages[0].model_copy(update={"number": 3, "text": "确认"}))
    first, second = await talk.again(), await talk.again()
    assert first == second
    assert "取消" in str(first.text)
    assert await mongo.inbox.count_documents({"order": order, "kind": "command.cancel"}) == 1
    await carrier.step(batch)
    row = await mongo.orders.find_one({"_id": order})
    assert row is not None
    assert row["cancellation"]["by"] == "bot"
    told = await Talk(bot, order).say("我的订单现在到哪了")
    assert "正在取消" in str(told.text)


async def test_what_is_not_confirmed_is_not_done(api: Api, mongo: Mongo, carrier: Carrier, bot: Bot) -> None:
    order, _ = await placed(api, carrier)
    talk = Talk(bot, order)
    await talk.say("帮我取消订单")
    assert "没有做任何改动" in str((await talk.say("不用了")).text)
    await talk.say("是的")
    assert await mongo.inbox.count_documents({"order": order, "kind": "command.cancel"}) == 0


async def test_an_address_goes_to_the_order_and_not_into_the_dialogue(
    api: Api, mongo: Mongo, carrier: Carrier, bot: Bot
) -> None:
    order, batch = await placed(api, carrier)
    talk = Talk(bot, order)
    await talk.say("收货地址填错了 帮我改一下")
    line = "浙江省杭州市西湖区文三路90号3幢502室"
    asked = await talk.say(line)
    assert line in str(asked.text)
    assert line not in str(asked.dialogue)
    await talk.say("对的")
    await carrier.step(batch)
    seen = (await api.get(f"/v1/orders/{order}", status=200)).body
    assert seen["ship_to"]["address"] == line
    assert seen["ship_to"]["point"] == {"lat": 30.0, "lon": 120.0, "datum": "WGS84"}


async def test_a_return_is_opened_once(api: Api, mongo: Mongo, carrier: Carrier, bot: Bot) -> None:
    order, _ = await placed(api, carrier, "shipped", "delivered")
    talk = Talk(bot, order)
    asked = await talk.say("不合适 我要退货")
    assert asked.does == "asks"
    done = await talk.say("确认")
    assert done.does == "answered"
    assert await mongo.returns.count_documents({"order": order}) == 1
    assert "退货" in str((await talk.say("退款到哪了")).text)


async def test_what_has_left_is_not_promised(api: Api, carrier: Carrier, bot: Bot) -> None:
    order, _ = await placed(api, carrier, "accepted", "shipped")
    turn = await Talk(bot, order).say("取消订单")
    assert "取消不了" in str(turn.text)
    moved = await Talk(bot, order).say("帮我改收货地址")
    assert moved.does == "hands_over"


async def test_the_nearest_outlet_and_its_hours(api: Api, carrier: Carrier, bot: Bot) -> None:
    point = {"lat": 29.88, "lon": 121.55, "datum": "WGS84"}
    shop = {"id": fresh("shop"), "name": "宁波天一店", "division": "330203", "point": point, "hours": HOURS}
    await api.put("/v1/locations", {"locations": [shop]}, status=200)
    talk = Talk(bot, None)
    near = await talk.say("宁波海曙区附近有门店吗")
    assert near.does == "answered"
    assert "宁波天一店" in str(near.text)
    hours = await talk.say("天一店几点关门")
    assert "营业中，21:00 关门" in str(hours.text)
    english = await Talk(bot, None, language="en").say("what time does your store in Ningbo close")
    assert "closes at 21:00" in str(english.text)


async def test_a_person_takes_over_when_asked_when_angry_and_when_it_fails_twice(bot: Bot) -> None:
    assert (await Talk(bot, None).say("转人工")).why == "asked"
    assert (await Talk(bot, None).say("什么垃圾平台 骗子 气死我了！！")).why == "angry"
    talk = Talk(bot, None)
    turns = [await talk.say("那个啥 就内个嘛")]
    while turns[-1].does != "hands_over":
        turns.append(await talk.say("就是那个那个 东西的"))
        assert len(turns) <= 2


async def test_a_gateway_that_is_silent_is_asked_again_later() -> None:
    async with HttpBotApi("http://127.0.0.1:9", "tq_none") as client:
        with pytest.raises(ApiSilent):
            await Talk(Bot(Mind(), Answering(client)), "o-1").say("我的快递到哪了")


async def test_a_key_without_the_scope_is_trouble_and_no_answer(api: Api, mongo: Mongo, carrier: Carrier) -> None:
    order, _ = await placed(api, carrier)
    async with HttpBotApi(api.url, await create_key(mongo, "bot", [Scope.STOCK_READ])) as client:
        with pytest.raises(ApiSilent):
            await Talk(Bot(Mind(), Answering(client)), order).say("我的快递到哪了")
