"""Every id format, defined once."""

import secrets
import time
from typing import Annotated

from pydantic import StringConstraints

OrderId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
LocationId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Sku = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
EventId = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,200}$")]

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def sortable() -> str:
    """Eighteen characters that sort by the time of their making: ten of milliseconds, eight of chance."""
    number = int(time.time() * 1000) << 40 | secrets.randbits(40)
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(85, -1, -5))


def new_batch_id() -> str:
    """Also the id of the workflow that carries the batch."""
    return f"batch-{sortable()}"


def parcel_id(order: str, number: int) -> str:
    return f"{order}.p{number}"


def order_of_parcel(parcel: str) -> str:
    """The order a parcel belongs to. Order ids carry no dot, so the split is unambiguous."""
    return parcel.rsplit(".p", 1)[0]


def stock_id(location: str, sku: str) -> str:
    return f"{location}/{sku}"


def outgoing_event_id(order: str, version: int, number: int) -> str:
    """Deterministic: the same step of the same order makes the same event, however often it is tried."""
    return f"{order}:{version}:{number}"


def payment_key(order: str, operation: str, number: int) -> str:
    """The idempotency key under which the payment provider is called."""
    return f"{order}:{operation}:{number}"


def label_key(parcel: str, number: int) -> str:
    """The idempotency key under which a carrier is asked for a parcel's label."""
    return f"{parcel}:label:{number}"


def scan_event_id(carrier: str, tracking: str, scan: str) -> str:
    """The same scan of the same carrier's parcel is the same event, however often it is told."""
    return f"scan:{carrier}:{tracking}:{scan}"
