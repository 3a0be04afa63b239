"""`python -m workers.asyncapi > docs/asyncapi.json`: what partners hear and answer, as an AsyncAPI 3 document."""

import json
import sys
from typing import Any

from faststream.nats import NatsBroker
from faststream.specification import AsyncAPI

from contracts.events import REPLY_TYPE, ReplyEvent
from contracts.subjects import EVENTS, RETAILER, event_subject, partner_consumer, reply_subject
from workers.agreement_catalogue import OF_AGREEMENTS
from workers.catalogue import ANSWERED, LOCATION, TOLD
from workers.partner_catalogue import OF_PARTNERS

VERSION = "1.0.0"
"""Of the events, not of the software: a new optional field raises the second number, anything else makes a v2."""

_CLOUD_EVENTS = "application/cloudevents+json"
_HEADERS = {
    "type": "object",
    "properties": {"Nats-Msg-Id": {"type": "string", "description": "The event's id. The stream keeps each id once."}},
}
_INTRODUCTION = f"""\
Events that Tongqu tells its partners over NATS JetStream, and the answers that partners give.

**Hearing.** Every location has a durable pull consumer `{partner_consumer(LOCATION)}` on the stream `{EVENTS}`,
made when the location is registered; the retailer's systems have `{partner_consumer(RETAILER)}`. Bind to it, never
make one of your own. Acknowledge an event when you have written it down; it comes again until you do.

**Order and gaps.** `sequence` counts your own events, from 1, without a gap. A number you had before, or an `id` you
know, is the same event again: acknowledge it and do nothing. A number that is left out means that something is
missing: read your stream again from there.

**Answering.** Publish up to 500 answers in one `{REPLY_TYPE}` to `{reply_subject(LOCATION)}`, with the event's `id`
as header `Nats-Msg-Id`, and wait for the acknowledgement; without one, send the same again. An answer that cannot be
taken comes back to you as `reply.refused.v1`, with the field that was wrong and what to do. Keep what you have answered
for a day: should the bus lose some of it, `replies.again.v1` asks you to send it again under its old ids.

New optional fields may come at any time: ignore what you do not know.
"""


_ANSWERING = "A location's answers about its parcels. Each has an id of its own; the same id again changes nothing."


def document() -> dict[str, Any]:
    """The document, as FastStream describes this bus, with what a partner needs besides."""
    broker = NatsBroker("nats://localhost:4222", description="The event bus; you are told its address.")
    for told in (*TOLD, *OF_PARTNERS, *OF_AGREEMENTS):
        address = event_subject(told.partner, told.kind)
        broker.publisher(address, title=told.kind, description=told.meaning, schema=told.model)

    @broker.subscriber(reply_subject(LOCATION), title=REPLY_TYPE, description=_ANSWERING)
    async def replies(event: ReplyEvent) -> None:
        """Declared here only; the event worker takes them."""

    made = AsyncAPI(
        broker,
        title="Tongqu events",
        version=VERSION,
        description=_INTRODUCTION,
        license={"name": "Apache-2.0"},
        schema_version="3.0.0",
    )
    found: dict[str, Any] = json.loads(made.to_specification().to_json())
    examples = {told.kind: told.example() for told in (*TOLD, *OF_PARTNERS, *OF_AGREEMENTS)}
    examples[REPLY_TYPE] = ANSWERED.model_dump(mode="json", exclude_none=True)
    return _completed(found, examples)


def _completed(found: dict[str, Any], examples: dict[str, Any]) -> dict[str, Any]:
    """In an order of its own; names are the events' types; without what is true of FastStream's own messages only."""
    (server,) = found["servers"].values()
    channels = {kind: found["channels"][kind] for kind in examples}
    messages = found["components"]["messages"]
    return {
        "asyncapi": found["asyncapi"],
        "info": found["info"],
        "defaultContentType": _CLOUD_EVENTS,
        "servers": {"bus": {key: server[key] for key in ("host", "protocol", "description")}},
        "channels": {kind: _channel(kind, channel) for kind, channel in channels.items()},
        "operations": {kind: _operation(kind, found["operations"][kind]["action"]) for kind in examples},
        "components": {
            "messages": {
                kind: _message(kind, channel["description"], _payload(channel, messages), examples[kind])
                for kind, channel in channels.items()
            },
            "schemas": dict(sorted(found["components"]["schemas"].items())),
        },
    }


def _channel(kind: str, channel: dict[str, Any]) -> dict[str, Any]:
    made = {
        "address": channel["address"],
        "description": channel["description"],
        "servers": [{"$ref": "#/servers/bus"}],
        "messages": {"event": {"$ref": f"#/components/messages/{kind}"}},
    }
    if LOCATION in channel["address"]:
        made["parameters"] = {"location": {"description": "Id of the location, such as store-hangzhou-1."}}
    return made


def _operation(kind: str, action: str) -> dict[str, Any]:
    channel = f"#/channels/{kind}"
    return {"action": action, "channel": {"$ref": channel}, "messages": [{"$ref": f"{channel}/messages/event"}]}


def _message(kind: str, summary: str, payload: dict[str, Any], example: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": kind,
        "title": kind,
        "summary": summary,
        "contentType": _CLOUD_EVENTS,
        "headers": _HEADERS,
        "payload": payload,
        "examples": [{"name": "example", "payload": example}],
    }


def _payload(channel: dict[str, Any], messages: dict[str, Any]) -> dict[str, Any]:
    (message,) = channel["messages"].values()
    payload: dict[str, Any] = messages[message["$ref"].rpartition("/")[2]]["payload"]
    return payload


def text(found: dict[str, Any]) -> str:
    """As it is committed."""
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    sys.stdout.write(text(document()))


if __name__ == "__main__":
    main()
