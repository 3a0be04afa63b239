"""What the first level says and asks for next. Pure."""

import re
from dataclasses import replace

from activities.service.bot.understanding import wants_person
from activities.service.bot.words import INTENT_NAMES, said
from contracts.bot import Address, Ask, Deed, Dialogue, Fact, Heard, Intent, Thresholds, Turn, Understood

FAILURES_MOST = 2
"""So many messages in a row that led nowhere, and a person takes over."""
_FOR_PEOPLE: frozenset[Intent] = frozenset({"complaint", "invoice", "price_protection"})
_ABOUT_PLACE: frozenset[Intent] = frozenset({"nearest_outlet", "opening_hours"})
_DEEDS: dict[Intent, str] = {"cancel_order": "cancel", "change_address": "address", "return_request": "return"}
_THANKS = re.compile(
    r"谢|多谢|唔该|感谢|辛苦|再见|拜拜|thank|thx|bye|没事了|没有了|解决了|不用了|好的|好滴|收到|知道了|明白", re.I
)
_GREETS = re.compile(
    r"^(你好|您好|在吗|在不|在么|亲|hi|hello|hey|哈喽|嗨|早上好|晚上好|早|雷猴|喂)[呀啊么吗,，。!！~ ]*"
    r"(在吗|在么)?[?？!！~。]*$",
    re.I,
)
_NOT_GOT = re.compile(r"^.{0,4}(没收到|没有收到|未收到|not received|did ?n.t (get|receive))", re.I)
_ORDER_SHORT = 10
"""A message that is little longer than what was asked for is the answer to it, whatever its words sound like."""
_TO_PEOPLE = frozenset(
    {"eta_late", "address_too_late", "return_which", "return_not_delivered", "refund_return_refused"}
)  # fmt: skip
_QUESTIONS = {
    "cancel_confirm": "confirm", "address_confirm": "confirm", "return_confirm": "confirm", "address_which": "address",
}  # fmt: skip


def reply(
    dialogue: Dialogue,
    heard: Heard,
    understood: Understood,
    thresholds: Thresholds,
    remembered: Address | None = None,
) -> Turn:
    """One message of the customer. `remembered`: the address that was to be confirmed. A turn with `ask` says nothing
    yet; what was looked up goes to `told`."""
    if wants_person(understood, thresholds):
        why = "asked" if understood.intent == "talk_to_human" else "angry"
        return _person(dialogue, why, understood.intent)
    settled = _settled(dialogue, heard, understood, remembered)
    if settled is not None:
        return settled
    if _NOT_GOT.match(heard.text) and dialogue.intent == "order_status":
        return _person(dialogue, "not_received", "order_status", "cannot")
    intent = _meant(dialogue, heard, understood, thresholds)
    if intent is None:
        return _unclear(dialogue, understood, thresholds)
    if intent == "other":
        return _other(dialogue, heard)
    return _carried(dialogue, heard, intent, understood)


def told(dialogue: Dialogue, ask: Ask, fact: Fact) -> Turn:
    """What is said with what was looked up or done."""
    language = dialogue.language
    if fact.kind == "unknown_order":
        again = dialogue.model_copy(update={"order": None, "awaits": "order", "failures": dialogue.failures + 1})
        if again.failures >= FAILURES_MOST:
            return _person(again, "failed", ask.what)
        return Turn("asks", said(fact.kind, language, **fact.values), again, ask.what)
    if fact.kind == "cannot":
        return _person(dialogue, fact.values.get("code", "cannot"), ask.what, "cannot")
    if fact.kind == "paid":
        paid = said("paid", language, **fact.values) if fact.found else ""
        text = said("person_price_protection", language, paid=paid)
        return Turn("hands_over", text, _left(dialogue), ask.what, why=ask.what)
    text = said(fact.kind, language, **fact.values)
    if fact.kind in _TO_PEOPLE:
        return Turn("hands_over", text, _left(dialogue), ask.what, why=fact.kind)
    awaits = _QUESTIONS.get(fact.kind, "")
    now = dialogue.model_copy(update={"awaits": awaits, "intent": ask.what, "failures": 0})
    return Turn("asks" if awaits else "answered", text, now, ask.what)


def _settled(dialogue: Dialogue, heard: Heard, understood: Understood, remembered: Address | None) -> Turn | None:
    """The answer to a question of ours; None when there was none, or it was not answered."""
    slots, intent = understood.slots, dialogue.intent
    if intent is None or dialogue.awaits not in ("confirm", "intent"):
        return None
    if slots.no:
        if dialogue.awaits == "intent":
            return None if len(heard.text) > _ORDER_SHORT else _rephrase(dialogue)
        return Turn("answered", said("left", dialogue.language), _left(dialogue), intent)
    if not slots.yes:
        return None
    if dialogue.awaits == "intent":
        return _carried(dialogue, heard, intent, understood)
    deed = _deed(dialogue, heard, intent, remembered)
    if deed is None:
        return _person(dialogue, "failed", intent)
    return Turn("answered", "", _left(dialogue), intent, ask=Ask(intent, deed.order, deed=deed))


def _deed(dialogue: Dialogue, heard: Heard, intent: Intent, remembered: Address | None) -> Deed | None:
    what = _DEEDS.get(intent)
    if what is None or dialogue.order is None or (what == "address" and remembered is None):
        return None
    deed = Deed(what="cancel", order=dialogue.order, key=f"{heard.case}:{heard.number}")
    if what == "address":
        return replace(deed, what="address", address=remembered)
    return replace(deed, what="return") if what == "return" else deed


def _meant(dialogue: Dialogue, heard: Heard, understood: Understood, thresholds: Thresholds) -> Intent | None:
    """The intent to go by; None where it is not clear."""
    slots = understood.slots
    given = {"order": slots.order, "place": slots.division, "address": slots.address and slots.address.line}
    answer = given.get(dialogue.awaits)
    if dialogue.intent is not None and answer:
        sure = understood.confidence >= thresholds.answer and understood.intent not in ("other", dialogue.intent)
        if not sure or len(heard.text) - len(answer) < _ORDER_SHORT:
            return dialogue.intent
    if _GREETS.match(heard.text.strip()):
        return "other"
    return understood.intent if understood.confidence >= thresholds.answer else None


def _unclear(dialogue: Dialogue, understood: Understood, thresholds: Thresholds) -> Turn:
    """Asks whether the likeliest is meant, or for other words; the second time in a row a person takes over."""
    if dialogue.failures + 1 >= FAILURES_MOST:
        return _person(dialogue, "failed", None)
    likely = understood.intent
    if understood.confidence < thresholds.ask or likely == "other":
        return _rephrase(dialogue)
    slots = understood.slots
    changed = {
        "awaits": "intent",
        "intent": likely,
        "failures": dialogue.failures + 1,
        "order": slots.order or dialogue.order,
        "division": slots.division or dialogue.division,
    }
    name = INTENT_NAMES[dialogue.language][likely]
    return Turn("asks", said("meant", dialogue.language, intent=name), dialogue.model_copy(update=changed), None)


def _rephrase(dialogue: Dialogue) -> Turn:
    if dialogue.failures + 1 >= FAILURES_MOST and dialogue.awaits != "intent":
        return _person(dialogue, "failed", None)
    now = dialogue.model_copy(update={"awaits": "", "failures": max(1, dialogue.failures)})
    return Turn("asks", said("rephrase", dialogue.language), now, None)


def _other(dialogue: Dialogue, heard: Heard) -> Turn:
    """Greetings and thanks are answered; about goods and accounts only people know."""
    if _GREETS.match(heard.text.strip()):
        return Turn("asks", said("greeting", dialogue.language), dialogue, "other")
    if _THANKS.search(heard.text) and len(heard.text) <= 2 * _ORDER_SHORT:
        return Turn("answered", said("thanks", dialogue.language), _left(dialogue), None)
    return _person(dialogue, "other", "other", "cannot")


def _carried(dialogue: Dialogue, heard: Heard, intent: Intent, understood: Understood) -> Turn:
    """The intent is clear: look up, ask for what is missing, or pass on."""
    slots, language = understood.slots, dialogue.language
    now = dialogue.model_copy(
        update={
            "intent": intent,
            "awaits": "",
            "order": slots.order or dialogue.order,
            "division": slots.division or dialogue.division,
        }
    )
    if intent == "talk_to_human":
        return _person(now, "asked", intent)
    if intent == "price_protection" and now.order:
        return Turn("hands_over", "", now, intent, why=intent, ask=Ask(intent, now.order))
    if intent in _FOR_PEOPLE:
        return _person(now, intent, intent, intent)
    if intent in _ABOUT_PLACE:
        return Turn("answered", "", now, intent, ask=Ask(intent, now.order, now.division))
    if now.order is None:
        waits = now.model_copy(update={"awaits": "order"})
        return Turn("asks", said("which_order", language, intent=INTENT_NAMES[language][intent]), waits, intent)
    if intent == "change_address" and slots.address is not None:
        now = now.model_copy(update={"address_in": heard.number})
    return Turn("answered", "", now, intent, ask=Ask(intent, now.order, now.division))


def _person(dialogue: Dialogue, why: str, intent: Intent | None, words: str | None = None) -> Turn:
    kind = f"person_{words or why}"
    paid = {"paid": ""} if words == "price_protection" else {}
    return Turn("hands_over", said(kind, dialogue.language, **paid), _left(dialogue), intent, why=why)


def _left(dialogue: Dialogue) -> Dialogue:
    return dialogue.model_copy(update={"awaits": "", "failures": 0, "address_in": None})
