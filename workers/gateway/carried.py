"""How every request with a body is carried out: read it, run it once under its idempotency key, answer."""

from collections.abc import Awaitable, Callable, Collection
from typing import Any

from fastapi import Request, Response

from workers.gateway.answers import JSON, Answer
from workers.gateway.body import read_json
from workers.gateway.security import Caller
from workers.gateway.services import Gateway, gateway_of

Work = Callable[[Gateway, Any, str], Awaitable[Answer]]
"""Takes the JSON body, and the request id from which all ids that it makes are made."""


Reader = Callable[[Request, int, Collection[str]], Awaitable[Any]]
"""Takes the request, the most bytes and the media types of its body. Raises Refusal."""


async def carried_out(
    request: Request,
    caller: Caller,
    work: Work,
    *,
    bytes_max: int | None = None,
    kinds: Collection[str] = (JSON,),
    reader: Reader = read_json,
) -> Response:
    gateway = gateway_of(request)
    body = await reader(request, bytes_max or gateway.limits.body_bytes, kinds)

    async def with_id(request_id: str) -> Answer:
        return await work(gateway, body, request_id)

    return (await gateway.idempotency.once(request, caller, body, with_id)).response()
