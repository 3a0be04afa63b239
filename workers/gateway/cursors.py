"""Opaque cursors: where a page ended, so that the next one goes on there whatever was inserted meanwhile."""

import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from contracts.refusals import Refusal

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def cursor_of(*position: str | int) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(position)).decode().rstrip("=")


def position_of(cursor: str, shape: Sequence[type]) -> list[Any]:
    """What a cursor was made of. Raises Refusal for one that was not made by `cursor_of` with this shape."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        position = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error) as error:
        raise _bad() from error
    if not isinstance(position, list) or [type(part) for part in position] != list(shape):
        raise _bad()
    return position


def to_milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def from_milliseconds(number: int) -> datetime:
    """Raises Refusal for a number that is no moment."""
    try:
        return _EPOCH + timedelta(milliseconds=number)
    except OverflowError as error:
        raise _bad() from error


def _bad() -> Refusal:
    remedy = "Send the value of next from the page before, unchanged, or leave it out to begin anew."
    return Refusal("bad_cursor", "This cursor was not given out here.", remedy=remedy, field="cursor")
