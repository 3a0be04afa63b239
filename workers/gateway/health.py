"""Whether the process lives, whether it can do its work, and its figures."""

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from contracts.refusals import Refusal
from infra.counting import refusals
from infra.streams import CONSUMERS
from workers.gateway.answers import answer
from workers.gateway.openapi import answers_with, operation
from workers.gateway.services import Gateway, gateway_of

router = APIRouter(tags=["health"])
log = logging.getLogger(__name__)
_WITHIN_S = 3.0
_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


class Health(BaseModel):
    status: Literal["ok"]


class Readiness(BaseModel):
    """`ok`, or what is wrong."""

    status: Literal["ok"]
    mongodb: str
    nats: str
    consumers: str


@router.get("/healthz", **operation("Does the process live?", {200: answers_with(Health, "It does.")}, scope=None))
async def healthz() -> Response:
    """For whoever restarts processes. Looks at nothing outside."""
    return answer({"status": "ok"}).response()


@router.get(
    "/readyz",
    **operation(
        "Can it do its work?",
        {200: answers_with(Readiness, "It can: MongoDB, NATS and the event worker's consumers are there.")},
        scope=None,
        problems=[503],
    ),
)
async def readyz(request: Request) -> Response:
    """For load balancers. 503 names what is missing."""
    gateway = gateway_of(request)
    checks = {
        "mongodb": _within(gateway.mongo.ping()),
        "nats": _within(_nats(gateway)),
        "consumers": _within(_consumers(gateway)),
    }
    found = dict(zip(checks, await asyncio.gather(*checks.values()), strict=True))
    wrong = {name: state for name, state in found.items() if state != "ok"}
    if wrong:
        raise Refusal(
            "not_ready",
            "; ".join(f"{name}: {state}" for name, state in wrong.items()),
            remedy="Start what is missing; `tongqu up` starts and provisions everything.",
            status=503,
            retry_after=2,
        )
    return answer({"status": "ok", **found}).response()


async def _within(check: Awaitable[Any]) -> str:
    """`ok`, or what is wrong in words for anybody: errors name hosts and ports of the inside, which the log has."""
    try:
        async with asyncio.timeout(_WITHIN_S):
            await check
    except TimeoutError:
        return f"no answer within {_WITHIN_S:g} s"
    except Exception as error:
        log.warning("not ready: %s: %s", type(error).__name__, error)
        return f"it failed ({type(error).__name__}); the log says more"
    return "ok"


async def _nats(gateway: Gateway) -> None:
    if not gateway.nats.is_connected:
        raise ConnectionError("not connected")
    await gateway.nats.flush()


async def _consumers(gateway: Gateway) -> None:
    """Those of the event worker. One that was deleted gives no error anywhere: its messages just stay."""
    for stream, consumer in CONSUMERS:
        await gateway.js.consumer_info(stream, str(consumer.durable_name))


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    responses={200: {"description": "Figures.", "content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(request: Request) -> Response:
    """Requests, accepted and waiting orders of this process; refusals of all processes by place and code."""
    gateway = gateway_of(request)
    return Response(gateway.metrics.text(await refusals(gateway.mongo)), media_type=_PROMETHEUS)
