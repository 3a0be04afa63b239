"""Reads one uploaded file: bounded, of a kind that is taken in, and looked into before it is kept."""

from fastapi import Request
from starlette.requests import ClientDisconnect

from contracts.applications import SuppliedFile
from contracts.refusals import Refusal
from infra.files import keep
from infra.uploads import BadFile, Why
from workers.gateway.body import read_bytes
from workers.gateway.services import Gateway

FILE_BYTES_MAX = 10 * 1024 * 1024
KINDS = ("application/pdf", "image/png", "image/jpeg")
FILE_CONTENT = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in KINDS}
"""What such a file is in the API's description."""
_WHY: dict[Why, tuple[int, str, str]] = {
    "wrong_type": (415, "The file is neither PDF nor PNG nor JPEG.", "Convert it to one of these, then send it."),
    "damaged": (422, "The file is damaged or not whole.", "Export or scan it anew, then send it."),
    "encrypted": (422, "The PDF is encrypted.", "Save it without a password, then send it."),
    "active": (
        422,
        "The PDF holds scripts, actions, a form's program or other files.",
        "Print it to a plain PDF, then send that.",
    ),
    "moves": (422, "The picture moves.", "Send one still picture."),
    "unpacks_too_large": (422, "Unpacked, the file is too large.", "Scan it with fewer dots to the inch."),
    "too_many_pages": (422, "The PDF has more than 200 pages, or none.", "Send only the pages that are asked for."),
    "takes_too_long": (422, "To look into the file takes too long.", "Export or scan it anew, then send it."),
}


async def read_file(request: Request, gateway: Gateway) -> SuppliedFile:
    """Take the body in, look into it, and keep it under its digest. Raises Refusal 413, 415 or 422; then nothing was
    kept."""
    sent_as = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent_as not in KINDS or request.headers.get("content-encoding", "identity").lower() != "identity":
        raise _wrong_type(f"The body was sent as {sent_as[:100] or 'nothing in particular'}.")
    content = await _content(request)
    try:
        seen = await gateway.inspector.inspect(content)
    except BadFile as bad:
        status, detail, remedy = _WHY[bad.why]
        if bad.why == "wrong_type":
            raise _wrong_type(detail) from None
        raise Refusal(f"file_{bad.why}", detail, remedy=remedy, field="body", status=status) from None
    if seen.media_type != sent_as:
        raise Refusal(
            "file_type_differs",
            f"The file was sent as {sent_as}, but it is {seen.media_type}.",
            remedy=f"Send it with the header Content-Type: {seen.media_type}.",
            field="Content-Type",
            status=415,
        )
    return SuppliedFile(
        digest=await keep(gateway.mongo, content),
        media_type=seen.media_type,
        size=len(content),
        pages=seen.pages,
        supplied_at=gateway.mongo.clock.now(),
    )


async def _content(request: Request) -> bytes:
    try:
        content = await read_bytes(request, FILE_BYTES_MAX)
    except ClientDisconnect as error:
        detail = "The connection ended before the file did."
        raise Refusal("cut_off", detail, remedy="Send the whole file again.", status=400) from error
    except Refusal as refusal:
        if refusal.status != 413:
            raise
        raise Refusal(
            "file_too_large",
            f"The file is larger than {FILE_BYTES_MAX} bytes.",
            remedy="Scan it with fewer dots to the inch, or in grey.",
            field="body",
            status=413,
            headers={"Connection": "close"},
        ) from refusal
    if not content:
        raise Refusal("file_empty", "The body is empty.", remedy="Send the file as the body.", field="body")
    return content


def _wrong_type(detail: str) -> Refusal:
    return Refusal(
        "file_type",
        detail,
        remedy=f"Send the file itself, as one of {', '.join(KINDS)}.",
        field="Content-Type",
        status=415,
        headers={"Accept": ", ".join(KINDS)},
    )
