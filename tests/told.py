"""Events in the stream as the relay puts them there, under numbers of the test's own choice."""

import uuid
from datetime import UTC, datetime
from typing import Any

from nats.js import JetStreamContext

from infra.nats import publish
from infra.outbox import Stamped, outgoing

OFFERED = "parcel.offered.v1"
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def fresh_stream() -> str:
    return f"store-{uuid.uuid4().hex[:8]}"


def stamped(stream: str, number: int, **data: Any) -> Stamped:
    event = outgoing(stream, f"{stream}:{number}", OFFERED, "p1", NOW, {"parcel": "p1", **data})
    return Stamped(event["id"], stream, OFFERED, number, event["body"])


class Told:
    """Streams are the test's own."""

    def __init__(self, js: JetStreamContext) -> None:
        self.js = js
        self.last: dict[str, int] = {}

    async def tell(self, stream: str, number: int | None = None, **data: Any) -> None:
        number = number or self.last.get(stream, 0) + 1
        self.last[stream] = number
        event = stamped(stream, number, **data)
        await publish(self.js, event.subject, event.body(), uuid.uuid4().hex)
