"""Waiting for what a test expects to come true."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

Value = TypeVar("Value")
_POLL_S = 0.02
_BUSY = 4  # Limits are told for a free machine; one that is shared is this much slower.


@overload
async def eventually(condition: Callable[[], Awaitable[Value]], timeout: float = 10.0, message: str = "") -> Value: ...


@overload
async def eventually(condition: Callable[[], Value], timeout: float = 10.0, message: str = "") -> Value: ...


async def eventually(condition: Callable[[], Any], timeout: float = 10.0, message: str = "") -> Any:
    """Ask until the answer is true, and return it. An AssertionError in the condition means: not yet.

    `timeout`: seconds within which it comes on a free machine. Raises AssertionError, with `message` and the last
    answer, after several times as long.
    """
    loop = asyncio.get_running_loop()
    timeout *= _BUSY
    deadline = loop.time() + timeout
    while True:
        last: object
        try:
            asked = condition()
            value = await asked if inspect.isawaitable(asked) else asked
            if value:
                return value
            last = value
        except AssertionError as error:
            last = error
        if loop.time() > deadline:
            raise AssertionError(f"{message or 'never came true'} within {timeout:g} s; last: {last!r}")
        await asyncio.sleep(_POLL_S)
