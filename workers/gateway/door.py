"""Who is let in: what the gateway has under way is bounded before anything of a request is read or parsed.

Sending a caller away costs an eighteenth of accepting twenty orders, and no memory. Nothing was begun: nothing is lost.
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from contracts.refusals import Refusal
from infra.grouping import overloaded
from workers.gateway.limits import Limits
from workers.gateway.metrics import App, Message, Receive, Scope, Send
from workers.gateway.problems import problem_response

_ALWAYS = frozenset({"/healthz", "/readyz", "/metrics"})
_PLACING = frozenset({"/v1/orders", "/v1/orders/batch"})
Kind = Literal["own", "outside", "file"]
"""Of a body: from the retailer's own systems, from others, and a file from whomever. Anybody may begin an application,
and then send slow and large bodies; so each kind is counted by itself, and others take nothing from orders."""
_FILE = re.compile(r"/v1/(applications/[^/]+|partners/[^/]+|partner)/documents/[^/]+")
_APPLICANTS = r"/v1/applications(/[^/]+/(fields|documents/[^/]+/facts|submit|withdraw|deposit|credentials))?"
_OUTSIDE = re.compile(rf"{_APPLICANTS}|/v1/partner/.+|/v1/signatures/callbacks|/codec/session")


def kind_of(method: str, path: str) -> Kind:
    """What has no body is as good as our own. Pure."""
    if method in ("GET", "HEAD"):
        return "own"
    if method == "PUT" and _FILE.fullmatch(path):
        return "file"
    return "outside" if _OUTSIDE.fullmatch(path) else "own"


@dataclass(slots=True)
class Traffic:
    """Requests under way, the bytes of their bodies, and how many were sent away at the door so far."""

    requests: int = 0
    turned_away: int = 0
    bytes: dict[Kind, int] = field(default_factory=lambda: dict.fromkeys(get_args(Kind), 0))


class Door:
    """ASGI middleware."""

    def __init__(self, app: App, limits: Limits, traffic: Traffic) -> None:
        self._app = app
        self._limits = limits
        self._traffic = traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _ALWAYS:
            await self._app(scope, receive, send)
            return
        gateway, kind = scope["app"].state.gateway, kind_of(scope["method"], scope["path"])
        try:
            self._refuse(scope, gateway, kind)
        except Refusal as refusal:
            self._traffic.turned_away += 1
            gateway.refusals.note([refusal.code])
            await problem_response(refusal)(scope, receive, send)
            return
        body = _Body(self._traffic, receive, self._limits, kind)
        self._traffic.requests += 1
        try:
            await self._app(scope, body.receive, send)
        finally:
            self._traffic.requests -= 1
            self._traffic.bytes[kind] -= body.bytes

    def _refuse(self, scope: Mapping[str, Any], gateway: Any, kind: Kind) -> None:
        """Raises Refusal."""
        limits, traffic, pressure = self._limits, self._traffic, gateway.pressure
        if traffic.requests >= limits.requests_at_once:
            raise _overloaded(f"{traffic.requests} requests are under way.")
        if traffic.bytes[kind] >= most_of(kind, limits):
            raise _overloaded(f"Bodies of {traffic.bytes[kind]} bytes are under way.")
        pressure.refuse_all()
        if scope["path"] in _PLACING and scope["method"] == "POST":
            waiting = gateway.acceptance.waiting
            if waiting >= limits.waiting_orders:
                raise overloaded(waiting)
            pressure.refuse_orders()


def most_of(kind: Kind, limits: Limits) -> int:
    """Bytes of all bodies of a kind together."""
    return {"own": limits.bodies_bytes, "outside": limits.outside_bytes, "file": limits.files_bytes}[kind]


class _Body:
    """What one request has sent. Reading it raises Refusal when it comes too slowly, or all such are too much."""

    def __init__(self, traffic: Traffic, receive: Receive, limits: Limits, kind: Kind) -> None:
        self._traffic = traffic
        self._receive = receive
        self._until = asyncio.get_running_loop().time() + limits.body_within_s
        self._within_s = limits.body_within_s
        self._kind: Kind = kind
        self._most = most_of(kind, limits)
        self._whole = False
        self.bytes = 0

    async def receive(self) -> Message:
        if self._whole:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            raise _too_slow(self._within_s) from None
        size = len(message.get("body", b""))
        self.bytes += size
        self._traffic.bytes[self._kind] += size
        self._whole = not message.get("more_body", False)
        together = self._traffic.bytes[self._kind]
        # One that is alone may be as large as a body may be.
        if together > max(self._most, self.bytes):
            raise _overloaded(f"Bodies of {together} bytes are under way.")
        return message


def _overloaded(detail: str) -> Refusal:
    remedy = "Send the same request again after the seconds that Retry-After names."
    return Refusal("overloaded", detail, remedy=remedy, status=503, retry_after=1)


def _too_slow(seconds: float) -> Refusal:
    return Refusal(
        "body_too_slow",
        f"The body did not arrive within {seconds:g} s.",
        remedy="Send it in one go, or share its content out over several requests.",
        status=408,
        headers={"Connection": "close"},
    )
