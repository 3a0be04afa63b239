"""The load: open-loop requests at a given rate through the HTTP API, each sent when it is due, come what may."""

import asyncio
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import aiohttp
import orjson

from bench.world import World

PER_REQUEST = 200
"""Orders in a bulk request; fewer where that would make less than _REQUESTS_PER_S."""
_REQUESTS_PER_S = 2
_BUSY = (429, 503)


@dataclass(slots=True)
class Sent:
    """What the sender did. Times are seconds since the epoch.

    `placed`: by order, when the request that was accepted went out; earlier tries that were sent away do not count
    as received. `late_s`: the most that a request left after it was due.
    """

    placed: dict[str, float] = field(default_factory=dict)
    answer_ms: list[float] = field(default_factory=list)
    requests: int = 0
    sent_away: int = 0
    late_s: float = 0.0
    began: float = 0.0
    ended: float = 0.0


class Sender:
    """Sends orders of a world in requests of `size`; 1 means the address for single orders."""

    def __init__(self, url: str, key: str, world: World) -> None:
        self._world = world
        self._session = aiohttp.ClientSession(
            url,
            headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
            timeout=aiohttp.ClientTimeout(total=120),
            connector=aiohttp.TCPConnector(limit=0),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def steadily(self, prefix: str, rate: float, seconds: float, at_most: int = PER_REQUEST) -> Sent:
        """`rate` orders a second for so long, whatever the answers, in requests of `at_most` orders. A request that is
        sent away with Retry-After is sent again after that time."""
        sent = Sent(began=time.time())
        size = max(1, min(at_most, round(rate / _REQUESTS_PER_S)))
        number = max(round(rate * seconds / size), 1)
        requests = []
        for request in range(number):
            due = sent.began + request * size / rate
            pause = due - time.time()
            await asyncio.sleep(max(pause, 0))
            sent.late_s = max(sent.late_s, time.time() - due)
            requests.append(asyncio.create_task(self._send(prefix, request * size, size, sent)))
        await asyncio.gather(*requests)
        sent.ended = max(time.time(), sent.began + seconds)
        return sent

    async def at_once(self, prefix: str, number: int, clients: int = 4, size: int = PER_REQUEST) -> Sent:
        """`number` orders as fast as they are taken, by some clients that each wait for their answer."""
        sent = Sent(began=time.time())
        firsts = list(range(0, number, size))[::-1]

        async def client() -> None:
            while firsts:
                first = firsts.pop()
                await self._send(prefix, first, min(size, number - first), sent)

        await asyncio.gather(*(client() for _ in range(clients)))
        sent.ended = time.time()
        return sent

    async def _send(self, prefix: str, first: int, count: int, sent: Sent) -> None:
        """Raises RuntimeError when an order is refused."""
        world = self._world
        single = count == 1
        body = world.order(prefix, first) if single else world.request(prefix, first, count)
        path = "/v1/orders" if single else "/v1/orders/batch"
        while True:
            began = time.time()
            async with self._session.post(path, data=body) as answer:
                raw = await answer.read()
            if answer.status not in _BUSY:
                break
            sent.sent_away += 1
            await asyncio.sleep(float(answer.headers.get("Retry-After", "1")))
        if answer.status >= 400 or b'"problem"' in raw:
            results = orjson.loads(raw)
            refused = [one for one in results.get("results", ()) if "problem" in one]
            raise RuntimeError(f"an order was refused: {(refused or [results])[0]}")
        sent.requests += 1
        sent.answer_ms.append((time.time() - began) * 1000)
        for number in range(first, first + count):
            sent.placed[f"{prefix}-{number:07d}"] = began
