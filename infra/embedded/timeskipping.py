"""A Temporal server that skips the time in which nothing happens, so that tests and benches wait for no timers."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

from infra.embedded.programs import TEMPORAL_TEST_SERVER, path_of
from infra.temporal import DATA_CONVERTER

_START = timedelta(seconds=60)
"""A free machine needs less than one. The five that it is given unasked are short on a busy one."""

_DAY, _PAST_TIMERS = timedelta(days=1), timedelta(seconds=30)
"""Whole days end where timers of whole days fire, and the server never again looks at a process that gives up a timer
in that moment (temporalio/sdk-java#3088)."""

_PATIENCE_S, _POLL_S = 600.0, 0.1


async def time_skipping() -> WorkflowEnvironment:
    """Raises RuntimeError when it does not start."""
    env = await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(path_of(TEMPORAL_TEST_SERVER)),
        test_server_startup_timeout=_START,
        data_converter=DATA_CONVERTER,
    )
    env.sleep = partial(_sleep, env, env.sleep)  # type: ignore[method-assign]
    return env


async def _sleep(
    env: WorkflowEnvironment, sleep: Callable[[timedelta | float], Awaitable[None]], span: timedelta | float
) -> None:
    """A sleep is answered when all timers in it have fired. On a busy machine the call ends before that; the sleep goes
    on in the server."""
    span = span if isinstance(span, timedelta) else timedelta(seconds=span)
    if span >= _DAY:
        span += _PAST_TIMERS
    end = await env.get_current_time() + span

    try:
        await sleep(span)
    except RPCError as error:
        if error.status not in (RPCStatusCode.CANCELLED, RPCStatusCode.DEADLINE_EXCEEDED):
            raise
        async with asyncio.timeout(_PATIENCE_S):
            while await env.get_current_time() < end:
                await asyncio.sleep(_POLL_S)
