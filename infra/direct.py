"""Messages of the events' stream asked for directly: the next or the last of a partner's, or many in one request.

Whichever server has a copy of the stream answers (ADR-31 of NATS). No consumer is made, and nothing is left behind.
"""

from dataclasses import dataclass
from typing import Any

import nats.errors
import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from contracts.subjects import EVENTS, partner_filter

ANSWER_S = 5.0
"""Longest wait for the next message of an answer."""
PAGE_BYTES = 4 * 1024 * 1024
"""About the most that one page holds."""

_DIRECT = f"$JS.API.DIRECT.GET.{EVENTS}"
_SEQUENCE, _STATUS = "Nats-Sequence", "Status"
_NONE, _END = "404", "204"


class BusSilent(ConnectionError):
    """The bus does not answer, or answers what was not asked."""


@dataclass(frozen=True, slots=True)
class Heard:
    """An event as it was published: `body` is the CloudEvent, `place` its sequence in the stream."""

    number: int
    id: str
    type: str
    body: bytes
    place: int


class Direct:
    """Everything raises BusSilent."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def next(self, stream: str, place: int) -> Heard | None:
        return await self._one({"seq": place, "next_by_subj": partner_filter(stream)})

    async def newest(self, stream: str) -> Heard | None:
        return await self._one({"last_by_subj": partner_filter(stream)})

    async def _one(self, asked: dict[str, Any]) -> Heard | None:
        message = await self.ask(_DIRECT, asked)
        return None if _status(message) == _NONE else _heard(message)

    async def ask(self, subject: str, asked: dict[str, Any] | None) -> Msg:
        content = orjson.dumps(asked) if asked is not None else b""
        try:
            return await self._client.request(subject, content, timeout=ANSWER_S)
        except (nats.errors.Error, TimeoutError) as error:
            raise BusSilent(f"{subject} was not answered: {type(error).__name__}") from error

    async def batch(self, stream: str, place: int, limit: int, most_bytes: int) -> tuple[list[Heard], int]:
        """The partner's events from a place on, and how many follow them."""
        asked = {"seq": place, "next_by_subj": partner_filter(stream), "batch": limit, "max_bytes": most_bytes}
        inbox = self._client.new_inbox()
        answers = await self._client.subscribe(inbox)
        events: list[Heard] = []
        try:
            await self._client.publish(_DIRECT, orjson.dumps(asked), reply=inbox)
            while True:
                message = await answers.next_msg(timeout=ANSWER_S)
                status = _status(message)
                if status == _NONE:
                    return [], 0
                if status == _END:
                    return events, int((message.headers or {}).get("Nats-Num-Pending", "0"))
                events.append(_heard(message))
        except (nats.errors.Error, TimeoutError) as error:
            raise BusSilent(f"{EVENTS} could not be read: {type(error).__name__}") from error
        finally:
            await dropped(answers)


def _heard(message: Msg) -> Heard:
    headers = message.headers or {}
    try:
        event = orjson.loads(message.data)
        return Heard(int(event["sequence"]), event["id"], event["type"], message.data, int(headers[_SEQUENCE]))
    except (ValueError, KeyError, TypeError) as error:
        raise BusSilent(f"{EVENTS} holds a message that is not from here: {headers.get(_SEQUENCE)}") from error


def _status(message: Msg) -> str | None:
    status = (message.headers or {}).get(_STATUS)
    if status in (None, _NONE, _END):
        return status
    description = (message.headers or {}).get("Description", "")
    raise BusSilent(f"{EVENTS} could not be read: {status} {description}")


async def dropped(subscription: Subscription) -> None:
    try:
        await subscription.unsubscribe()
    except (nats.errors.Error, ValueError):
        pass  # it has ended already
