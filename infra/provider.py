"""An HTTP provider: one pool of connections, one time limit, and trouble with a name."""

from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

import aiohttp

JSON: Final = {"Content-Type": "application/json"}
ANSWER_MOST_BYTES: Final = 32 * 1024 * 1024
"""Of one answer; a signed agreement with its scans is the largest that comes."""
_CHUNK_BYTES = 64 * 1024
_EXCERPT = 200


class NotOpen(RuntimeError):
    """The provider was asked before `open` or after `close`."""


class Unanswered(Exception):
    """No usable answer came: whether the provider did the work is unknown."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class HttpProvider:
    """Base of the adapters. Connections are opened by `open`, or by entering it as an async context manager."""

    def __init__(
        self,
        base_url: str,
        *,
        timeout_s: float = 10.0,
        connections: int = 16,
        answer_most_bytes: int = ANSWER_MOST_BYTES,
    ) -> None:
        self._base_url = base_url
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._connections = connections
        self._answer_most_bytes = answer_most_bytes
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=self._connections)
            self._session = aiohttp.ClientSession(self._base_url, connector=connector, timeout=self._timeout)

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        """Status and body of the answer. Raises Unanswered."""
        return await self._send("GET", path, None, headers or {})

    async def _post(self, path: str, body: str, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        """Status and body of the answer. Raises Unanswered."""
        return await self._send("POST", path, body.encode(), {**JSON, **(headers or {})})

    async def _send(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> tuple[int, bytes]:
        if self._session is None:
            raise NotOpen("open the provider before use, as an async context manager")
        try:
            # A followed redirect could repeat a POST elsewhere, without anybody having asked for it.
            async with self._session.request(
                method, path, data=body, headers=headers, allow_redirects=False
            ) as response:
                return response.status, await self._read(response)
        except TimeoutError as error:
            raise Unanswered("timeout", f"no answer within {self._timeout.total} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Unanswered("unreachable", f"{type(error).__name__}: {error}") from error

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        """The whole body; no more is kept of one that is too long, and its connection ends. Raises Unanswered."""
        most, body = self._answer_most_bytes, bytearray()
        if (response.content_length or 0) <= most:
            async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
                body += chunk
                if len(body) > most:
                    break
            else:
                return bytes(body)
        response.close()
        raise Unanswered("answer-too-long", f"HTTP {response.status}: an answer of more than {most:,} bytes")


def excerpt(body: bytes) -> str:
    return body[:_EXCERPT].decode(errors="replace")
