"""Reads request bodies: JSON only, bounded while they stream in, and refused in words when they are neither."""

from collections.abc import Collection
from io import BytesIO
from typing import Any, TypeVar

import orjson
from fastapi import Request
from pydantic import TypeAdapter, ValidationError
from starlette.requests import ClientDisconnect

from contracts.refusals import Refusal
from workers.gateway.answers import JSON, JSON_LINES
from workers.gateway.faults import Fault, invalid, refused

Model = TypeVar("Model")

_HEARD_OUT = 4
"""Bodies up to so many times the limit are read to their end and thrown away: who is cut off while still sending
mostly sees a broken connection, and not the answer that says why."""


async def read_json(request: Request, bytes_max: int, kinds: Collection[str] = (JSON,)) -> Any:
    """The body as JSON values. `kinds`: the media types it may be sent as. Raises Refusal 415, 413 or 400."""
    sent_as = _sent_as(request)
    if sent_as not in kinds:
        raise Refusal(
            "not_json",
            f"The body was sent as {sent_as[:100] or 'nothing in particular'}.",
            remedy=f"Send JSON with the header Content-Type: {JSON}.",
            field="Content-Type",
            status=415,
            headers={"Accept": JSON},
        )
    return _loaded(await _whole(request, bytes_max))


async def read_rows(request: Request, bytes_max: int, kinds: Collection[str], *, rows_max: int) -> Any:
    """The body as JSON values; of one JSON object a line what one of {"rows": [...]} is. Raises Refusal as `read_json`,
    which names the line that is no JSON. Empty lines are passed over, as long as they are no more than `rows_max`;
    a row beyond as many is refused, and nothing behind it is read."""
    if JSON_LINES not in kinds or _sent_as(request) != JSON_LINES:
        return await read_json(request, bytes_max, kinds)
    rows: list[Any] = []
    for number, line in enumerate(BytesIO(await _whole(request, bytes_max)), 1):
        if line.strip():
            rows.append(_loaded(line, number))
        if len(rows) > rows_max or number > 2 * rows_max:
            detail = f"Line {number} is beyond the {rows_max} rows of a request, or empty like too many before it."
            raise refused([Fault("rows", "too_many", detail, f"Send at most {rows_max} rows at once.")])
    return {"rows": rows}


def _sent_as(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _whole(request: Request, bytes_max: int) -> bytes:
    try:
        return await read_bytes(request, bytes_max)
    except ClientDisconnect as error:
        # Nobody is left to read this; it ends the request without a word in the log.
        detail = "The connection ended before the body did."
        raise Refusal("cut_off", detail, remedy="Send the whole request again.", status=400) from error


def _loaded(body: bytes, line: int | None = None) -> Any:
    """`line`: of which it is all."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        what, remedy = "The body", "Send one JSON document in UTF-8."
        if line is not None:
            what, remedy = f"Line {line} of the body", "Send one JSON object in UTF-8 a line."
        detail = f"{what} is no JSON: {error.msg} (line {error.lineno}, column {error.colno})."
        raise Refusal("bad_json", detail, remedy=remedy, status=400) from error


async def read_bytes(request: Request, bytes_max: int) -> bytes:
    """The body as it was sent. Raises Refusal 413."""
    announced = request.headers.get("content-length", "")
    asks_first = request.headers.get("expect", "").lower() == "100-continue"
    if announced.isdecimal() and int(announced) > bytes_max and asks_first:
        raise _too_large(bytes_max)
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= bytes_max:
            chunks.append(chunk)
        elif size > _HEARD_OUT * bytes_max:
            break
        else:
            chunks.clear()
    if size > bytes_max:
        raise _too_large(bytes_max)
    return b"".join(chunks)


def _too_large(bytes_max: int) -> Refusal:
    return Refusal(
        "body_too_large",
        f"The body is larger than {bytes_max} bytes.",
        remedy="Share its content out over several requests.",
        status=413,
        headers={"Connection": "close"},
    )


def parse(adapter: TypeAdapter[Model], value: Any) -> Model:
    """Raises Refusal, which names every field that is wrong."""
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        raise invalid(error) from error


def listed(value: Any, name: str, most: int) -> list[Any]:
    """The list that a bulk request holds under `name`; its items are not looked at yet, so that each stands alone."""
    if not isinstance(value, dict):
        raise refused([Fault("", "wrong_type", "The body is no JSON object.", f'Send {{"{name}": [...]}}.')])
    faults = [
        Fault(key[:100], "unknown_field", "There is no such field.", f"Send only {name}.")
        for key in value
        if key != name
    ]
    items = value.get(name)
    if not isinstance(items, list):
        code, detail = ("wrong_type", "This is no list.") if name in value else ("missing", "The list is missing.")
        faults.append(Fault(name, code, detail, f"Send a list of 1 to {most}."))
    elif not items:
        faults.append(Fault(name, "too_few", "The list is empty.", f"Send 1 to {most}."))
    elif len(items) > most:
        detail = f"The list holds {len(items)}."
        faults.append(
            Fault(name, "too_many", detail, f"Send at most {most}; share the rest out over further requests.")
        )
    if faults or not isinstance(items, list):
        raise refused(faults)
    return items
