"""One request to one endpoint: signed, limited in time, to public addresses only, and not sent on from there."""

from types import TracebackType
from typing import Self

import aiohttp

from contracts.refusals import Refusal
from contracts.webhooks import Webhook
from infra.clock import Clock
from infra.hearing import Heard
from workers.webhooks.addresses import PrivateAddress, PublicOnly, refuse_address
from workers.webhooks.rules import Outcome, in_words, printable, retry_after
from workers.webhooks.signing import headers, message_id, valid_at

_HEADERS = {"Content-Type": "application/cloudevents+json", "User-Agent": "Tongqu-Webhooks/1"}
_ANSWER_BYTES = 4096
"""What is read of an answer, so that its connection can be used again; nobody looks at it."""
_IDLE_S = 30


class Sender:
    """All endpoints share it; none waits for another, as there is no limit to connections but one for each endpoint."""

    def __init__(self, clock: Clock, *, within_s: float, private: bool) -> None:
        self._clock = clock
        self._private = private
        self._timeout = aiohttp.ClientTimeout(total=within_s)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(
            limit=0,
            resolver=None if self._private else PublicOnly(),
            use_dns_cache=False,
            keepalive_timeout=_IDLE_S,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=_HEADERS,
            auto_decompress=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(self, hook: Webhook, event: Heard) -> Outcome:
        """Whatever goes wrong is an outcome."""
        assert self._session is not None
        now = self._clock.now()
        signed = headers(
            valid_at(hook.secrets, now), message_id(hook.stream, event.number), int(now.timestamp()), event.body
        )
        try:
            # The resolver is not asked about addresses that are numbers, and rules may have changed since it was made.
            refuse_address(hook.url, private=self._private)
            async with self._session.post(hook.url, data=event.body, headers=signed, allow_redirects=False) as answer:
                await answer.content.read(_ANSWER_BYTES)
                return Outcome(
                    answer.status, printable(answer.reason or ""), retry_after(answer.headers.get("Retry-After"))
                )
        except Refusal as refusal:
            return Outcome(None, refusal.detail)
        except TimeoutError:
            return Outcome(None, f"no answer within {self._timeout.total:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Outcome(None, in_words(error.__cause__ if isinstance(error.__cause__, PrivateAddress) else error))
