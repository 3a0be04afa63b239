"""A store in a test's hands: reads its own stream and says what the test wants it to say."""

import itertools
from typing import Any

import orjson
from nats.errors import TimeoutError as NothingThere
from nats.js import JetStreamContext

from contracts.subjects import EVENTS, partner_consumer, reply_subject
from tests.support import eventually

_numbers = itertools.count(1)


class Partner:
    """Follows one location's events from the beginning of what it has not acknowledged."""

    def __init__(self, location: str, jetstream: JetStreamContext) -> None:
        self.location = location
        self._jetstream = jetstream
        self._inbox: JetStreamContext.PullSubscription | None = None
        self.heard: list[dict[str, Any]] = []

    async def listen(self) -> None:
        """Take in what has come since the last time."""
        if self._inbox is None:
            durable = partner_consumer(self.location)
            self._inbox = await self._jetstream.pull_subscribe_bind(durable=durable, stream=EVENTS)
        try:
            messages = await self._inbox.fetch(100, timeout=0.2)
        except (NothingThere, TimeoutError):
            return
        for message in messages:
            self.heard.append(orjson.loads(message.data))
            await message.ack()

    async def hears(self, event_type: str, **data: Any) -> dict[str, Any]:
        """Wait for an event of a type with some data; the event."""

        async def found() -> dict[str, Any] | None:
            await self.listen()
            for event in self.heard:
                if event["type"] == event_type and data.items() <= event["data"].items():
                    return event
            return None

        event: dict[str, Any] | None = await eventually(
            found, timeout=20, message=f"{self.location} never heard {event_type} {data}"
        )
        assert event is not None
        return event

    async def offered(self, order: str) -> str:
        """Wait until a parcel of an order is offered to this store; its id."""
        event = await self.hears("parcel.offered.v1", order=order)
        return str(event["data"]["parcel"])

    async def says(self, parcel: str, *kinds: str, subject: str | None = None, **more: Any) -> None:
        replies = [
            {"id": f"{parcel}:{kind}:{next(_numbers)}", "parcel": parcel, "kind": kind, **more} for kind in kinds
        ]
        event = {
            "specversion": "1.0",
            "id": f"{self.location}-{next(_numbers)}",
            "source": self.location,
            "type": "parcel.replies.v1",
            "data": {"replies": replies},
        }
        await self.sends(orjson.dumps(event), subject)

    async def sends(self, body: bytes, subject: str | None = None) -> None:
        await self._jetstream.publish(subject or reply_subject(self.location), body)
