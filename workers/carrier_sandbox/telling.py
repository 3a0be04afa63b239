"""Tells the gateway of scans, carrier by carrier, and again what was not taken."""

import asyncio
import logging
from asyncio import wrap_future
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp

from workers.carrier_sandbox.book import Book, Due

log = logging.getLogger(__name__)
_LOOK_EVERY_S = 0.05
_AT_ONCE = 500
_NOT_YET_KNOWN = "unknown_number"


class Teller:
    """One request for each carrier at a time. A scan that was told, but whose answer was lost, is told again."""

    def __init__(self, book: Book, thread: ThreadPoolExecutor, gateway: str, keys: Mapping[str, str]) -> None:
        self._book = book
        self._thread = thread
        self._gateway = gateway.rstrip("/")
        self._keys = keys

    async def run(self) -> None:
        timeout = aiohttp.ClientTimeout(total=10)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                due = await wrap_future(self._thread.submit(self._book.due, _AT_ONCE))
                by_carrier: dict[str, list[Due]] = defaultdict(list)
                for scan in due:
                    by_carrier[scan.carrier].append(scan)
                await asyncio.gather(*(self._tell(session, carrier, scans) for carrier, scans in by_carrier.items()))
                await asyncio.sleep(_LOOK_EVERY_S)

    async def _tell(self, session: aiohttp.ClientSession, carrier: str, scans: Sequence[Due]) -> None:
        url = f"{self._gateway}/v1/carriers/{carrier}/tracking"
        headers = {"Authorization": f"Bearer {self._keys.get(carrier, '')}"}
        try:
            async with session.post(url, json={"reports": [s.report() for s in scans]}, headers=headers) as answer:
                if answer.status != 200:
                    log.warning("%s answered %d: %s", url, answer.status, (await answer.text())[:200])
                    await self._note(self._book.put_off, scans)
                    return
                results: list[dict[str, Any]] = (await answer.json())["results"]
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("%s could not be told: %s: %s", url, type(error).__name__, error)
            await self._note(self._book.put_off, scans)
            return
        # A number may be told before the order that it belongs to has heard of it.
        early = {r["index"] for r in results if r.get("problem", {}).get("code") == _NOT_YET_KNOWN}
        await self._note(self._book.told, [scan for place, scan in enumerate(scans) if place not in early])
        await self._note(self._book.doubted, [scan for place, scan in enumerate(scans) if place in early])

    async def _note(self, write: Callable[[Sequence[int]], None], scans: Sequence[Due]) -> None:
        if scans:
            await wrap_future(self._thread.submit(write, [scan.row for scan in scans]))
