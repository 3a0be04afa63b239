"""Routes by which a partner hears its events: pulled in pages, or as an endless answer; and what it has taken in."""

from contextlib import ExitStack
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, Field, TypeAdapter

from contracts.events import CloudEvent
from contracts.refusals import Refusal
from contracts.webhooks import ReplayAsked
from infra.hearing import Gone, Page
from infra.keys import Scope
from workers.gateway.answers import JSON, Answer, answer, to_json
from workers.gateway.bodies import NUMBER_MAX, Acknowledgement
from workers.gateway.body import parse
from workers.gateway.carried import carried_out
from workers.gateway.openapi import answers_with, operation
from workers.gateway.partner.access import Partners, Stream
from workers.gateway.partner.listening import next_page
from workers.gateway.partner.reading import acknowledge, gone, note_over_nats, position_of
from workers.gateway.partner.stream import EventStream
from workers.gateway.services import Gateway, gateway_of

router = APIRouter(tags=["partner"])
After = Annotated[
    int | None,
    Query(
        ge=0,
        le=NUMBER_MAX,
        description="The last number you have; what follows it comes. Without it: the number that you acknowledged.",
    ),
]


class EventPage(BaseModel):
    """`next`: send it as `after` for the following page; `end`: the newest number that there is. Events are CloudEvents
    as they go over NATS; each follows the one before it by `sequence`."""

    stream: str
    events: list[CloudEvent]
    next: int
    end: int


class Acknowledged(BaseModel):
    """`acknowledged`: everything up to this number; it never falls."""

    stream: str
    acknowledged: int


class Replaying(BaseModel):
    """`from`: the number with which the consumer on NATS goes on."""

    stream: str
    begin: int = Field(alias="from")


_REPLAY: TypeAdapter[ReplayAsked] = TypeAdapter(ReplayAsked)
_ACK: TypeAdapter[Acknowledgement] = TypeAdapter(Acknowledgement)
_STREAMED = {
    "description": "Server-sent events: `id` is the event's number, `event` its type, `data` the CloudEvent. No end.",
    "content": {EventStream.media_type: {"schema": {"type": "string"}}},
}


@router.get(
    "/v1/partner/events",
    **operation(
        "Pull your events",
        {200: answers_with(EventPage, "Events by their numbers, perhaps none.")},
        scope=Scope.PARTNER,
        problems=[410, 429],
    ),
)
async def pull_events(
    request: Request,
    caller: Partners,
    stream: Stream,
    after: After = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    wait_s: Annotated[int, Query(ge=0, le=30, description="Wait so long for events when there are none.")] = 0,
) -> Response:
    """The same events, in the same order and under the same numbers, as over NATS. Any number within the retention can
    be asked for again. 410 says from which number on events are kept."""
    gateway = gateway_of(request)
    begin = await position_of(gateway.mongo, stream) if after is None else after
    try:
        page = await gateway.hearing.read(stream, begin, limit)
        if not page.events and wait_s:
            with gateway.listeners.admitted(caller) as listener:
                page = await next_page(request, gateway.hearing, listener, stream, begin, limit, wait_s)
    except Gone as error:
        raise gone(error) from error
    return Response(_as_json(stream, begin, page), media_type=JSON)


def _as_json(stream: str, after: int, page: Page) -> bytes:
    """As EventPage. Events are already in their final words."""
    rest = to_json({"stream": stream, "next": page.last.number if page.last else after, "end": max(page.end, 0)})
    return b'{"events":[' + b",".join(event.body for event in page.events) + b"]," + rest[1:]


@router.get(
    "/v1/partner/events/stream",
    response_class=EventStream,
    **operation("Hear your events as they happen", {200: _STREAMED}, scope=Scope.PARTNER, problems=[410, 429]),
)
async def stream_events(
    request: Request,
    caller: Partners,
    stream: Stream,
    after: After = None,
    last_event_id: Annotated[
        str | None, Header(description="As `after`, and before it: browsers send it when they connect again.")
    ] = None,
) -> Response:
    """Server-sent events. It begins behind the number that is named, with all that was told since. A comment comes when
    nothing else does; who does not read what lies ready is cut off, and goes on where it was when it comes again."""
    gateway = gateway_of(request)
    begin = await position_of(gateway.mongo, stream) if after is None else after
    if last_event_id:
        begin = _number(last_event_id)
    try:
        await gateway.hearing.read(stream, begin, 1)
    except Gone as error:
        raise gone(error, "Last-Event-ID" if last_event_id else "after") from error
    with ExitStack() as stack:
        listener = stack.enter_context(gateway.listeners.admitted(caller))
        return EventStream(request, gateway, listener, stream, begin, stack.pop_all())
    raise AssertionError("unreachable")


def _number(text: str) -> int:
    if text.isascii() and text.isdecimal() and int(text) <= NUMBER_MAX:
        return int(text)
    detail = f"{text[:40]!r} is no number of an event."
    raise Refusal("wrong_type", detail, remedy="Send the id of the last event you have.", field="Last-Event-ID")


@router.post(
    "/v1/partner/events/ack",
    **operation(
        "Acknowledge events",
        {200: answers_with(Acknowledged, "What is acknowledged now.", {"stream": "store-1", "acknowledged": 17})},
        scope=Scope.PARTNER,
        body=Acknowledgement,
        examples={"up to 17": {"sequence": 17}},
    ),
)
async def acknowledge_events(request: Request, caller: Partners, stream: Stream) -> Response:
    """Everything up to a number, when you have written it down. Pulling and the event stream begin behind it when they
    are told no other number."""

    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        said = parse(_ACK, body)
        newest = await gateway.hearing.newest(stream)
        if said.sequence > max(newest, await position_of(gateway.mongo, stream)):
            raise Refusal(
                "not_told_yet",
                f"{newest} is the newest number of {stream}.",
                remedy="Acknowledge what you have; if you do have this number, send it again in a minute.",
                field="sequence",
            )
        reached = await acknowledge(gateway.mongo, stream, said.sequence)
        return answer({"stream": stream, "acknowledged": reached})

    return await carried_out(request, caller, work)


@router.post(
    "/v1/partner/events/replay",
    **operation(
        "Hear events again over NATS",
        {200: answers_with(Replaying, "The consumer goes on there.", {"stream": "store-1", "from": 17})},
        scope=Scope.PARTNER,
        body=ReplayAsked,
        examples={"from 17 on": {"from": 17}},
        problems=[404, 410],
    ),
)
async def replay_events(request: Request, caller: Partners, stream: Stream) -> Response:
    """The stream's consumer on NATS gives everything from that number on again, also what was acknowledged. (Over HTTP
    send `after`; a webhook has its own replay.)"""

    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        begin = parse(_REPLAY, body).begin
        await note_over_nats(gateway.mongo, gateway.js, stream)
        try:
            if not await gateway.hearing.rewind(stream, begin):
                raise Refusal(
                    "nothing_to_replay",
                    f"{stream} has no consumer on NATS, or no event {begin} yet.",
                    remedy="Send a number that you have; over HTTP send after.",
                    field="from",
                    status=404,
                )
        except Gone as error:
            raise gone(error, "from") from error
        return answer({"stream": stream, "from": begin})

    return await carried_out(request, caller, work)
