"""A partner's stream read from one of its own numbers on, straight from JetStream: no index, no consumer per reader.

A partner's events lie in the stream in the order of their numbers, so the place of a number is found by halving the
stream's sequences, each time asking for the partner's next event from there; a page is read in one request. Reading
leaves nothing behind in the server, and nobody's reading is felt by another.

What a reader sees when the bus was set back to an earlier state: the relay publishes what was lost again under its old
numbers. Until it has, the stream ends earlier than it did, and who asks for what follows a number beyond that end gets
nothing yet; it never gets another event under a number that it had. Places in the stream may differ afterwards, which
is why a place that is remembered is looked at again before it is used.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from contracts.subjects import EVENTS, partner_consumer, partner_filter
from infra.direct import PAGE_BYTES, BusSilent, Direct, Heard, dropped
from infra.mongo import Mongo

_INFO = f"$JS.API.CONSUMER.INFO.{EVENTS}"
_RESET = f"$JS.API.CONSUMER.RESET.{EVENTS}"
_FIRST_PAUSE_S, _LOOK_S, _LAST_PAUSE_S = 0.005, 0.1, 10.0
"""A message that was heard may not be readable yet, and one may be missed; so who waits also looks, ever less often."""


__all__ = ["BusSilent", "Gone", "Heard", "Hearing", "Page", "acknowledged"]


class Gone(Exception):
    """What was asked for is older than what the stream keeps. `oldest` is the first number that is left."""

    def __init__(self, stream: str, after: int, oldest: int) -> None:
        super().__init__(f"{stream}: what follows {after} is kept no more; {oldest} is the oldest number that is")
        self.oldest = oldest


@dataclass(frozen=True, slots=True)
class Page:
    """Events whose numbers follow the one that was asked for, without a gap. `end`: the newest number there was when
    this was read; 0 when the stream holds nothing for the partner. `more`: whether a further page can be read at once.
    """

    events: list[Heard]
    end: int
    more: bool

    @property
    def last(self) -> Heard | None:
        return self.events[-1] if self.events else None


class Hearing:
    """Reads partners' streams, and tells those who wait that something has come. One for each process."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._direct = Direct(client)
        self._bells: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._announced: dict[str, int] = {}
        self._subscriptions: dict[str, Subscription] = {}
        self._changing = asyncio.Lock()

    @property
    def listened(self) -> int:
        """Streams that somebody waits for."""
        return len(self._subscriptions)

    async def read(
        self, stream: str, after: int, limit: int, near: Heard | None = None, *, most_bytes: int = PAGE_BYTES
    ) -> Page:
        """At most `limit` events that follow the number `after`, of about `most_bytes` together. `near`: the event of
        that number, where the reader has it, which saves looking for its place.

        Raises Gone when the event that follows is kept no more, and BusSilent.
        """
        if near is not None and near.number == after:
            page = await self._page_behind(stream, near, limit, most_bytes)
            if page is not None:
                return page
        newest = await self._direct.newest(stream)
        if newest is None or newest.number <= after:
            return Page([], newest.number if newest else 0, more=False)
        place = await self._place_after(stream, after, newest)
        events, left = await self._direct.batch(stream, place, limit, most_bytes)
        return _page(stream, after, events, left, newest.number)

    async def oldest(self, stream: str) -> int:
        """The first number that is kept; 0 when nothing is."""
        first = await self._direct.next(stream, 1)
        return first.number if first else 0

    async def newest(self, stream: str) -> int:
        """The last number that was told; 0 when nothing is kept."""
        last = await self._direct.newest(stream)
        return last.number if last else 0

    async def place_of(self, stream: str, number: int) -> int | None:
        """Where in the stream the event with this number lies, or the one that follows it; None: it is yet to come.

        Raises Gone and BusSilent.
        """
        newest = await self._direct.newest(stream)
        if newest is None or newest.number < number:
            return None
        return await self._place_after(stream, number - 1, newest)

    async def rewind(self, stream: str, number: int) -> bool:
        """Let the partner's consumer on NATS go on with this number, whatever it had acknowledged; False when there is
        no consumer, or the number is yet to come. Raises Gone and BusSilent."""
        place = await self.place_of(stream, number)
        if place is None or not await self._exists(partner_consumer(stream)):
            return False
        answer = await self._direct.ask(f"{_RESET}.{partner_consumer(stream)}", {"seq": place})
        if error := orjson.loads(answer.data).get("error"):
            raise BusSilent(f"{partner_consumer(stream)} could not be set back: {error}")
        return True

    async def _exists(self, consumer: str) -> bool:
        """To a consumer that is not there nobody answers when it is reset (ADR-60 of NATS)."""
        return "error" not in orjson.loads((await self._direct.ask(f"{_INFO}.{consumer}", None)).data)

    @asynccontextmanager
    async def waiting(self, stream: str) -> AsyncIterator[asyncio.Event]:
        """An event that is set whenever something was published to the stream; whoever waits clears it.

        Others may set it too. What was published may take a moment until it can be read, see `wait`.
        """
        bell = asyncio.Event()
        self._bells[stream].add(bell)
        try:
            await self._listen(stream)
            yield bell
        finally:
            self._bells[stream].discard(bell)
            if not self._bells[stream]:
                del self._bells[stream]
                self._announced.pop(stream, None)
                await self._leave(stream)

    async def wait(self, stream: str, bell: asyncio.Event, after: int, within_s: float) -> None:
        """Return when something that follows `after` can be read, when somebody else has set the bell, or when the time
        is over. Messages that only announce an event may come before the stream has it, or without it."""
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + within_s, _LOOK_S
        while (left := deadline - loop.time()) > 0:
            if await _rung(bell, min(pause, left)):
                bell.clear()
                if self._announced.get(stream, 0) <= after:
                    return
                pause = _FIRST_PAUSE_S
            if await self.newest(stream) > after:
                return
            pause = min(pause * 2, _LAST_PAUSE_S)

    async def _listen(self, stream: str) -> None:
        async with self._changing:
            if stream not in self._subscriptions:
                subscribed = await self._client.subscribe(partner_filter(stream), cb=self._on_event)
                self._subscriptions[stream] = subscribed

    async def _leave(self, stream: str) -> None:
        async with self._changing:
            if stream not in self._bells and stream in self._subscriptions:
                await dropped(self._subscriptions.pop(stream))

    async def _on_event(self, message: Msg) -> None:
        stream = message.subject.split(".")[2]
        if stream not in self._bells:
            return
        try:
            number = int(orjson.loads(message.data)["sequence"])
        except (ValueError, KeyError, TypeError):
            return
        self._announced[stream] = max(number, self._announced.get(stream, 0))
        for bell in self._bells[stream]:
            bell.set()

    async def _page_behind(self, stream: str, near: Heard, limit: int, most_bytes: int) -> Page | None:
        """The page that follows an event whose place is known; None where the stream was set back since."""
        events, left = await self._direct.batch(stream, near.place, limit + 1, most_bytes + len(near.body))
        if not events or (events[0].place, events[0].number) != (near.place, near.number):
            return None
        if len(events) == 1 and left:
            return None
        last = events[-1].number
        return _page(stream, near.number, events[1:], left, last + left)

    async def _place_after(self, stream: str, after: int, newest: Heard) -> int:
        """The place of the first event whose number is higher than `after`, one that is known to be there."""
        first = await self._direct.next(stream, 1)
        if first is None or first.number > after + 1:
            raise Gone(stream, after, first.number if first else newest.number + 1)
        if first.number == after + 1:
            return first.place
        # Asked from `low` on the next event may be one that was heard, asked from `high` on it is not.
        low, high, found = first.place + 1, newest.place, newest
        while low < high and found.number > after + 1:
            middle = (low + high) // 2
            probe = await self._direct.next(stream, middle)
            if probe is None or probe.number > after:
                high, found = middle, probe or found
            else:
                low = probe.place + 1
        return found.place


async def acknowledged(mongo: Mongo, js: JetStreamContext, stream: str) -> int:
    """The highest of a stream's numbers that its partner has acknowledged, in whichever way; 0: none.

    Over NATS that is everything up to the floor of its consumer, over HTTP what it said, by webhook what its endpoint
    answered 2xx to.
    """
    position = await mongo.positions.find_one({"_id": stream}) or {}
    # Over NATS as it was before a replay: the consumer forgets it.
    found = [position.get("acknowledged", 0), position.get("over_nats", 0)]
    async for row in mongo.webhooks.find({"stream": stream}, {"acknowledged": 1}):
        found.append(row["acknowledged"])
    over_nats = await _acknowledged_over_nats(js, stream)
    highest: int = max(over_nats, *found)
    return highest


async def _acknowledged_over_nats(js: JetStreamContext, stream: str) -> int:
    """The partner's number of the last event at or before the consumer's floor: one less than the one that follows it.
    (Where the floor lies there may be nothing any more: it expired, or the stream was set back.)"""
    try:
        floor = (await js.consumer_info(EVENTS, partner_consumer(stream))).ack_floor
    except NotFoundError:
        return 0
    if floor is None or not floor.stream_seq:
        return 0
    try:
        following = await js.get_msg(EVENTS, floor.stream_seq + 1, partner_filter(stream), next=True)
        return _number(following.data) - 1
    except NotFoundError:
        pass
    try:
        return _number((await js.get_last_msg(EVENTS, partner_filter(stream))).data)
    except NotFoundError:
        return 0


def _number(body: bytes | None) -> int:
    number: str = orjson.loads(body or b"")["sequence"]
    return int(number)


def _page(stream: str, after: int, events: list[Heard], left: int, end: int) -> Page:
    """Only what follows gaplessly: an event that came twice is left out, and a gap is not passed over in silence."""
    page: list[Heard] = []
    number = after
    for event in events:
        if event.number <= number:
            continue
        if event.number > number + 1:
            if not page:
                raise Gone(stream, after, event.number)
            break
        page.append(event)
        number = event.number
    return Page(page, max(end, number), more=left > 0 and bool(page))


async def _rung(bell: asyncio.Event, within_s: float) -> bool:
    try:
        async with asyncio.timeout(within_s):
            await bell.wait()
    except TimeoutError:
        return False
    return True
