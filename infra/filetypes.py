"""What both sides of an inspection know of a file, without the libraries that read it."""

import struct

LENGTH = struct.Struct(">I")
"""In front of each message between them."""


def media_type_of(content: bytes) -> str | None:
    """By its first bytes; None for what is not taken in at all."""
    if content.startswith(b"%PDF-"):
        return "application/pdf"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    return "image/jpeg" if content.startswith(b"\xff\xd8\xff") else None
