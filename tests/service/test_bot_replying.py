"""The conversation: what is said, asked for and done next, and when a person takes over."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.service.bot.replying import FAILURES_MOST, reply, told
from activities.service.bot.slots import slots_of
from activities.service.bot.words import INTENT_NAMES, said, sentences
from contracts.bot import INTENTS, Address, Ask, Dialogue, Fact, Heard, Intent, Slots, Thresholds, Turn, Understood

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
THRESHOLDS = Thresholds(answer=0.8, ask=0.4, person=0.5)
HOME = Address("330106", "杭州市西湖区文三路90号")


def heard(text: str, number: int = 1) -> Heard:
    return Heard("case-1", number, AT, text)


def meant(intent: Intent, sure: float = 0.95, person: float = 0.0, text: str = "") -> Understood:
    return Understood(intent, sure, "other", person, slots_of(text))


def say(dialogue: Dialogue, text: str, intent: Intent, sure: float = 0.95, **more: Any) -> Turn:
    return reply(dialogue, heard(text, more.pop("number", 1)), meant(intent, sure, text=text), THRESHOLDS, **more)


def test_who_asks_for_a_person_gets_one_at_once() -> None:
    turn = say(Dialogue(awaits="confirm", intent="cancel_order", order="o-1"), "转人工", "talk_to_human")
    assert (turn.does, turn.why, turn.ask) == ("hands_over", "asked", None)


def test_who_is_angry_gets_one_whatever_is_wanted() -> None:
    turn = reply(Dialogue(), heard("垃圾 退货"), meant("return_request", person=0.9), THRESHOLDS)
    assert (turn.does, turn.why) == ("hands_over", "angry")


def test_what_is_not_clear_is_asked_for_and_a_second_time_is_a_person_s() -> None:
    first = say(Dialogue(), "东西的事", "order_status", 0.5)
    assert first.does == "asks"
    assert INTENT_NAMES["zh"]["order_status"] in first.text
    second = say(first.dialogue, "就那个嘛", "return_request", 0.45)
    assert (second.does, second.why) == ("hands_over", "failed")


def test_yes_to_what_was_asked_goes_on_with_it() -> None:
    first = say(Dialogue(order="o-1"), "东西的事", "order_status", 0.5)
    second = say(first.dialogue, "是的", "other", 0.9)
    assert second.ask == Ask("order_status", "o-1")
    fact = Fact("status_looking", values={"order": "o-1"})
    assert told(second.dialogue, second.ask, fact).dialogue.failures == 0


def test_what_is_not_understood_at_all_is_to_be_said_otherwise() -> None:
    turn = say(Dialogue(), "嗯这个那个", "invoice", 0.2)
    assert (turn.does, turn.text) == ("asks", said("rephrase", "zh"))


def test_without_an_order_it_is_asked_for_and_a_bare_number_is_the_answer() -> None:
    first = say(Dialogue(), "我的快递到哪了", "order_status")
    assert (first.does, first.dialogue.awaits) == ("asks", "order")
    second = say(first.dialogue, "TQ20261101", "invoice", 0.9)
    assert second.ask == Ask("order_status", "TQ20261101")


def test_a_new_wish_is_heard_while_an_order_is_asked_for() -> None:
    first = say(Dialogue(), "我的快递到哪了", "order_status")
    second = say(first.dialogue, "算了 附近有没有门店可以去看看", "nearest_outlet")
    assert second.ask is not None
    assert second.ask.what == "nearest_outlet"


def test_nothing_is_done_before_it_is_confirmed() -> None:
    first = say(Dialogue(order="o-1"), "取消订单", "cancel_order")
    assert first.ask == Ask("cancel_order", "o-1")
    asked = told(
        first.dialogue, first.ask, Fact("cancel_confirm", values={"order": "o-1", "placed": "", "total": "¥1"})
    )
    assert (asked.does, asked.dialogue.awaits) == ("asks", "confirm")
    done = say(asked.dialogue, "确认", "other", number=3)
    assert done.ask is not None
    assert done.ask.deed is not None
    assert (done.ask.deed.what, done.ask.deed.order, done.ask.deed.key) == ("cancel", "o-1", "case-1:3")


def test_no_leaves_everything_as_it_is() -> None:
    waiting = Dialogue(intent="cancel_order", order="o-1", awaits="confirm")
    turn = say(waiting, "不用了", "other")
    assert (turn.does, turn.ask, turn.dialogue.awaits) == ("answered", None, "")
    assert say(turn.dialogue, "是的", "other").ask is None


def test_anything_else_is_no_confirmation() -> None:
    waiting = Dialogue(intent="cancel_order", order="o-1", awaits="confirm")
    turn = say(waiting, "先告诉我到哪了", "order_status")
    assert turn.ask == Ask("order_status", "o-1")


def test_an_address_is_confirmed_and_then_taken_from_its_message() -> None:
    first = say(Dialogue(order="o-1"), f"地址改成{HOME.line}", "change_address", number=2)
    assert first.dialogue.address_in == 2
    assert HOME.line not in first.dialogue.model_dump_json()
    asked = told(
        first.dialogue,
        Ask("change_address", "o-1"),
        Fact("address_confirm", values={"order": "o-1", "address": HOME.line}),
    )
    assert HOME.line in asked.text
    done = say(asked.dialogue, "对的", "other", number=4, remembered=HOME)
    assert done.ask is not None
    assert done.ask.deed is not None
    assert done.ask.deed.address == HOME


@pytest.mark.parametrize("intent", ["complaint", "invoice", "price_protection"])
def test_what_only_people_can_do_is_passed_on_with_what_was_understood(intent: Intent) -> None:
    turn = say(Dialogue(), "这个事情", intent)
    assert (turn.does, turn.intent, turn.why) == ("hands_over", intent, intent)
    assert turn.text


def test_a_price_is_compared_by_people_who_are_told_what_was_paid() -> None:
    first = say(Dialogue(order="o-1"), "降价了", "price_protection")
    assert first.ask == Ask("price_protection", "o-1")
    turn = told(
        first.dialogue, first.ask, Fact("paid", values={"order": "o-1", "placed": "11月1日", "total": "¥12.00"})
    )
    assert turn.does == "hands_over"
    assert "¥12.00" in turn.text


def test_an_order_that_is_not_found_is_asked_for_once_more() -> None:
    fact = Fact("unknown_order", found=False, values={"order": "o-9"})
    first = told(Dialogue(order="o-9"), Ask("order_status", "o-9"), fact)
    assert (first.does, first.dialogue.awaits, first.dialogue.order) == ("asks", "order", None)
    assert told(first.dialogue, Ask("order_status", "o-9"), fact).does == "hands_over"


def test_greetings_and_thanks_trouble_nobody() -> None:
    assert say(Dialogue(), "你好", "other").does == "asks"
    assert say(Dialogue(), "好的谢谢", "other").does == "answered"
    assert say(Dialogue(), "这款防水吗", "other").does == "hands_over"


def test_each_sentence_is_in_both_languages_with_the_same_gaps() -> None:
    gaps = {kind: {language: _gaps(text) for language, text in both.items()} for kind, both in sentences().items()}
    for kind, both in gaps.items():
        assert set(both) == {"zh", "en"}, kind
        assert both["zh"] == both["en"] or kind in _SHORTER_IN_ONE, kind


_SHORTER_IN_ONE: set[str] = set()


def _gaps(text: str) -> set[str]:
    return {part.split("}")[0] for part in text.split("{")[1:]}


@given(
    st.lists(st.tuples(st.sampled_from(INTENTS), st.floats(0, 1), st.floats(0, 0.49), st.text(max_size=20)), max_size=8)
)
def test_a_conversation_that_leads_nowhere_ends_with_a_person(
    messages: list[tuple[Intent, float, float, str]],
) -> None:
    """However it goes, so many unclear messages in a row are never answered by a further question."""
    dialogue, unclear = Dialogue(), 0
    for number, (intent, sure, person, text) in enumerate(messages, 1):
        understood = Understood(intent, sure, "other", person, Slots())
        turn = reply(dialogue, heard(text or "嗯", number), understood, THRESHOLDS)
        assert turn.text or turn.ask
        if turn.does == "hands_over":
            return
        unclear = unclear + 1 if turn.intent is None and turn.does == "asks" else 0
        assert unclear < FAILURES_MOST
        dialogue = turn.dialogue
