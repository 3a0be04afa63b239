"""How often one caller may call: by its key, and by its address where it has none.

Counted in this process alone: with several gateways behind one address a caller may call as often at each of them.
"""

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import Request

from contracts.refusals import Refusal

_KNOWN_MAX = 50_000
"""Callers that are remembered; of more, those that were quiet the longest are forgotten, which only lets them call."""
_IPV6_NETWORK = 64
"""Bits of an address that one customer of a provider gets to himself (RFC 6177)."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many a second in the long run, and `burst` at once after a pause."""

    per_s: float
    burst: int


def pass_or_wait(due: float, now: float, rate: Rate) -> tuple[float, float]:
    """Generic cell rate algorithm (ITU-T I.371, annex A): `due` is when the next call would be due if they came evenly.

    Returns the new `due` and the seconds to wait; above zero means refused, and changes nothing.
    """
    next_due = max(due, now) + 1 / rate.per_s
    wait = next_due - now - rate.burst / rate.per_s
    return (due, wait) if wait > 1e-9 else (next_due, 0.0)


class Rates:
    """Counts calls of one kind. `code` is what those who call too often are told."""

    def __init__(self, rate: Rate, code: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._code = code
        self._clock = clock
        self._due: OrderedDict[str, float] = OrderedDict()

    def count(self, caller: str) -> None:
        """Raises Refusal 429."""
        now = self._clock()
        due, wait = pass_or_wait(self._due.get(caller, 0.0), now, self._rate)
        if wait:
            raise _too_often(self._code, self._rate, wait)
        self._due[caller] = due
        self._due.move_to_end(caller)
        if len(self._due) > _KNOWN_MAX:
            self._due.popitem(last=False)


def address_of(request: Request) -> str:
    """What calls without a key are counted by: the address, of IPv6 the network that one customer has."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, _IPV6_NETWORK), strict=False))
    return str(address)


def seldom() -> Callable[[Request], Awaitable[None]]:
    """A dependency for routes that need no key: so many calls from one address, and no more. Raises Refusal 429."""

    async def check(request: Request) -> None:
        request.app.state.gateway.keyless.count(address_of(request))

    return check


def _too_often(code: str, rate: Rate, wait: float) -> Refusal:
    seconds = max(1, math.ceil(wait))
    return Refusal(
        code,
        f"More than {rate.per_s:g} requests a second came, with {rate.burst} at once.",
        remedy="Send the same request again after the seconds that Retry-After names, and fewer of them.",
        status=429,
        retry_after=seconds,
    )
