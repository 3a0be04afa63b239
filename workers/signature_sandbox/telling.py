"""Calls the gateway back when an envelope has changed, and again what was not taken, for a while."""

import asyncio
import logging
from asyncio import wrap_future
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import aiohttp

from contracts.signatures import Callback
from infra.signatures import sign_callback
from workers.signature_sandbox.desk import Desk

log = logging.getLogger(__name__)
_LOOK_EVERY_S = 0.05
_AT_ONCE = 50
_PATH = "/v1/signatures/callbacks"


class Teller:
    def __init__(self, desk: Desk, thread: ThreadPoolExecutor, gateway: str, secret: str) -> None:
        self._desk = desk
        self._thread = thread
        self._url = gateway.rstrip("/") + _PATH
        self._secret = secret

    async def run(self) -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
            while True:
                due = await wrap_future(self._thread.submit(self._desk.due, _AT_ONCE))
                await asyncio.gather(*(self._tell(session, number, envelope) for number, envelope in due))
                await asyncio.sleep(_LOOK_EVERY_S)

    async def _tell(self, session: aiohttp.ClientSession, number: int, envelope: str) -> None:
        body = Callback(envelope=envelope).model_dump_json()
        headers = sign_callback(self._secret, f"callback-{number}", datetime.now(UTC), body)
        taken = False
        try:
            async with session.post(self._url, data=body, headers=headers) as answer:
                taken = answer.status < 300
                if not taken:
                    log.warning("%s answered %d: %s", self._url, answer.status, (await answer.text())[:200])
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("%s could not be told: %s: %s", self._url, type(error).__name__, error)
        await wrap_future(self._thread.submit(self._desk.told if taken else self._desk.put_off, number))
