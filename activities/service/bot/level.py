"""The bot as the first level of a case: reads what the customer has written, looks up, acts and says."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from activities.service.bot.answering import Answering
from activities.service.bot.replying import reply, told
from activities.service.bot.slots import slots_of
from activities.service.bot.understanding import Mind
from activities.service.firstlevel import BotTurn
from contracts.bot import Address, Dialogue, Heard, Turn
from contracts.cases import CaseMessage, CaseRecord
from contracts.hours import TIME_ZONE


class Bot:
    """A FirstLevel. What it does to an order it does under the message's number, so once."""

    def __init__(self, mind: Mind, answering: Answering) -> None:
        self._mind = mind
        self._answering = answering

    async def answer(self, case: CaseRecord, messages: Sequence[CaseMessage], now: datetime) -> BotTurn:
        """Everything that was written since its last answer is one message. Raises ApiSilent: to be asked again."""
        dialogue = Dialogue.model_validate(case.dialogue or {"language": case.language, "order": case.order})
        said = [one for one in messages if one.sender == "customer" and not one.internal]
        new = [one for one in said if one.number > case.answered_by_bot] or said[-1:]
        text = "\n".join(one.text for one in new)
        number = new[-1].number if new else 0
        heard = Heard(case=case.id, number=number, at=now, text=text)
        today = now.astimezone(ZoneInfo(TIME_ZONE)).date()
        understood = self._mind.understood(text, today, case.region)
        remembered = _remembered(dialogue, said, case.region)
        turn = reply(dialogue, heard, understood, self._mind.thresholds, remembered)
        if turn.ask is not None:
            turn = told(
                turn.dialogue,
                turn.ask,
                await self._answering.fact(case, turn.ask, text, understood.slots, dialogue.language, now),
            )
        order = turn.dialogue.order
        theirs = order is not None and await self._answering.is_theirs(case, order)
        return _as_case(turn, order if theirs else None)


def _remembered(dialogue: Dialogue, said: Sequence[CaseMessage], near: str) -> Address | None:
    """The address that was to be confirmed, out of the messages again: it is nobody's to keep beside them."""
    text = next((one.text for one in said if one.number == dialogue.address_in), None)
    return slots_of(text, near=near).address if text is not None else None


def _as_case(turn: Turn, order: str | None) -> BotTurn:
    """`order`: what the customer has named, once it is known to be theirs; from the case on it is taken for that."""
    return BotTurn(
        does=turn.does,
        text=turn.text or None,
        kind=turn.intent,
        why=turn.why,
        dialogue=turn.dialogue.model_dump(mode="json"),
        order=order,
    )
