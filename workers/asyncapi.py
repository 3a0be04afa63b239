"""`python -m workers.asyncapi > docs/asyncapi.json`: what partners hear and answer, as an AsyncAPI 3 document."""

import json
import sys
from typing import Any

from faststream.nats import NatsBroker
from faststream.specification import AsyncAPI

from contracts.case_events import CASE_REPLY_TYPE, CaseReplyEvent
from contracts.events import REPLY_TYPE, STOCK_TYPE, ReplyEvent, StockEvent
from contracts.subjects import EVENTS, RETAILER, event_subject, partner_consumer, reply_subject
from infra.indexes import OUTBOX_KEPT_S
from workers.agreement_catalogue import OF_AGREEMENTS
from workers.case_catalogue import CASE_ANSWERED, OF_CASES
from workers.catalogue import ANSWERED, COUNTED, LOCATION, TOLD
from workers.partner_catalogue import OF_PARTNERS

VERSION = "1.2.0"
"""Of the events, not of the software: a new optional field raises the second number, anything else makes a v2."""

_CLOUD_EVENTS = "application/cloudevents+json"
_HEADERS = {
    "type": "object",
    "properties": {"Nats-Msg-Id": {"type": "string", "description": "The event's id."}},
}
_INTRODUCTION = f"""\
Events that Tongqu tells its partners, and the answers that partners give.

**Three ways to hear.** The same CloudEvents, in the same order, under the same numbers; use one, or several.
*NATS JetStream*: every stream has a durable pull consumer `{partner_consumer(LOCATION)}` on `{EVENTS}`, made when the
location is registered; the retailer's systems have `{partner_consumer(RETAILER)}`. Bind to it, never make one of your
own. Acknowledge an event when you have written it down; it comes again until you do. *HTTP*: pull pages with
`GET /v1/partner/events?after=`, or keep `GET /v1/partner/events/stream` open (server-sent events; `id` is the event's
number, so `Last-Event-ID` goes on where you were), and say with `POST /v1/partner/events/ack` what you have written
down. *Webhooks*: each event is one POST to your address, signed by Standard Webhooks; `webhook-id` is the same for the
same event; answer 2xx when you have written it down; it comes again until you do, and the next one after that.

**Order and gaps.** `sequence` counts your own events, from 1, without a gap. A number you had before, or an `id` you
know, is the same event again: acknowledge it and do nothing. A number that is left out means that something is
missing: read your stream again from there. Any number can be asked for again for {OUTBOX_KEPT_S // 86_400} days,
whichever way you hear; what is older is answered 410, with the oldest number that is kept.

**Answering.** Publish up to 500 answers in one `{REPLY_TYPE}` to `{reply_subject(LOCATION)}`, with the event's `id`
as header `Nats-Msg-Id`, and wait for the acknowledgement; or send the same event to `POST /v1/partner/replies`.
Without an answer, send the same again. What you have counted on your shelves goes the same ways as `{STOCK_TYPE}`,
what you say about service cases as `{CASE_REPLY_TYPE}`.
An answer that cannot be taken comes back to you as `reply.refused.v1`, with the field that was wrong and what to do.
Keep what you have answered for a day: should the bus lose some of it, `replies.again.v1` asks you to send it again
under its old ids.

New optional fields and new types of events may come at any time: ignore what you do not know.
"""

_ANSWERING = "A location's answers about its parcels. Each has an id of its own; the same id again changes nothing."
_COUNTING = (
    "What a location has counted on its own shelves; the goods become, or cease to be, available at once. The same id "
    "again changes nothing, and a report that was overtaken by a later one changes nothing of what that one counted."
)
_CASES = "What a partner says about service cases that it was told of. The same id again changes nothing."
_WAYS: tuple[dict[str, Any], ...] = (
    {
        "name": "http.pull",
        "address": "/v1/partner/events",
        "method": "GET",
        "description": "Pages of a stream's events behind a number; with `wait_s` it waits for the next.",
    },
    {
        "name": "http.stream",
        "address": "/v1/partner/events/stream",
        "method": "GET",
        "description": "Server-sent events: `id` is the event's number, `event` its type, `data` the event.",
    },
    {
        "name": "webhook",
        "address": None,
        "method": "POST",
        "description": "To the address that you have named with POST /v1/partner/webhooks.",
    },
    {
        "name": "http.replies",
        "address": "/v1/partner/replies",
        "method": "POST",
        "description": "The events that partners send, as over NATS.",
    },
)
"""Over HTTP; an event is the same whichever way it goes."""


def document() -> dict[str, Any]:
    """The document, as FastStream describes this bus, with what a partner needs besides."""
    broker = NatsBroker("nats://localhost:4222", description="The event bus; you are told its address.")
    for told in (*TOLD, *OF_PARTNERS, *OF_AGREEMENTS, *OF_CASES):
        address = event_subject(told.partner, told.kind)
        broker.publisher(address, title=told.kind, description=told.meaning, schema=told.model)

    @broker.subscriber(reply_subject(LOCATION), title=REPLY_TYPE, description=_ANSWERING)
    async def replies(event: ReplyEvent) -> None:
        """Declared here only; the event worker takes them."""

    @broker.subscriber(reply_subject(LOCATION), title=STOCK_TYPE, description=_COUNTING)
    async def counts(event: StockEvent) -> None:
        """As above."""

    @broker.subscriber(reply_subject(LOCATION), title=CASE_REPLY_TYPE, description=_CASES)
    async def of_cases(event: CaseReplyEvent) -> None:
        """As above."""

    made = AsyncAPI(
        broker,
        title="Tongqu events",
        version=VERSION,
        description=_INTRODUCTION,
        license={"name": "Apache-2.0"},
        schema_version="3.0.0",
    )
    found: dict[str, Any] = json.loads(made.to_specification().to_json())
    examples = {told.kind: told.example() for told in (*TOLD, *OF_PARTNERS, *OF_AGREEMENTS, *OF_CASES)}
    examples |= {one.type: one.model_dump(mode="json", exclude_none=True) for one in (ANSWERED, COUNTED, CASE_ANSWERED)}
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
        "servers": {
            "bus": {key: server[key] for key in ("host", "protocol", "description")},
            "http": {"host": "localhost", "protocol": "https", "description": "The gateway; you are told its address."},
        },
        "channels": {
            **{kind: _channel(kind, channel) for kind, channel in channels.items()},
            **{way["name"]: _way(way) for way in _WAYS},
        },
        "operations": {
            **{kind: _operation(kind, found["operations"][kind]["action"]) for kind in examples},
            **{way["name"]: _carrying(way) for way in _WAYS},
        },
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


def _kinds(way: dict[str, Any]) -> list[str]:
    return [REPLY_TYPE, STOCK_TYPE] if way["name"] == "http.replies" else [told.kind for told in TOLD]


def _way(way: dict[str, Any]) -> dict[str, Any]:
    """A channel over HTTP, by which all kinds of events go."""
    made: dict[str, Any] = {
        "address": way["address"],
        "description": way["description"],
        "messages": {kind: {"$ref": f"#/components/messages/{kind}"} for kind in _kinds(way)},
    }
    return made if way["address"] is None else {**made, "servers": [{"$ref": "#/servers/http"}]}


def _carrying(way: dict[str, Any]) -> dict[str, Any]:
    channel = f"#/channels/{way['name']}"
    return {
        "action": "receive" if way["name"] == "http.replies" else "send",
        "channel": {"$ref": channel},
        "bindings": {"http": {"method": way["method"], "bindingVersion": "0.3.0"}},
        "messages": [{"$ref": f"{channel}/messages/{kind}"} for kind in _kinds(way)],
    }


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
