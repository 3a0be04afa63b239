"""Files as applicants upload them, good and bad."""

import io
import zlib
from collections.abc import Callable
from typing import Any

import pikepdf
from PIL import Image

Made = bytes | Callable[[], bytes]
"""A file, or how it is made: what is dear to make is left to the test that wants it, as all processes collect tests."""


def content_of(made: Made) -> bytes:
    return made if isinstance(made, bytes) else made()


def pdf(*, pages: int = 1, mark: str = "", **open_action: Any) -> bytes:
    """A PDF with empty pages. `mark` makes it a file of its own; `open_action` is done when it is opened."""
    made = pikepdf.new()
    for _ in range(pages):
        made.add_blank_page(page_size=(595, 842))
    made.docinfo["/Title"] = mark or "paper"
    if open_action:
        made.Root.OpenAction = pikepdf.Dictionary(**open_action)
    return saved(made)


def saved(made: pikepdf.Pdf, **how: Any) -> bytes:
    kept = io.BytesIO()
    made.save(kept, **how)
    return kept.getvalue()


def with_stream(content: bytes, *filters: str) -> bytes:
    """A PDF with one stream that is packed already."""
    made = pikepdf.new()
    made.add_blank_page()
    named = pikepdf.Array([pikepdf.Name(name) for name in filters])
    stream = pikepdf.Stream(made, b"")
    stream.write(content, filter=named)
    made.Root.Extra = made.make_indirect(stream)
    return saved(made, compress_streams=False, stream_decode_level=pikepdf.StreamDecodeLevel.none)


def deflated_zeros(size: int) -> bytes:
    packing, piece = zlib.compressobj(9), bytes(1 << 20)
    return b"".join([packing.compress(piece) for _ in range(size >> 20)]) + packing.flush()


def picture(kind: str = "PNG", size: tuple[int, int] = (40, 30), colour: int = 128) -> bytes:
    kept = io.BytesIO()
    Image.new("L", size, colour).save(kept, kind)
    return kept.getvalue()


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return (
        len(content).to_bytes(4, "big") + kind + content + (zlib.crc32(kind + content) & 0xFFFFFFFF).to_bytes(4, "big")
    )


def png_bomb(width: int, height: int) -> bytes:
    """A grey picture of one colour, in a thousandth of its size."""
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 0, 0, 0, 0])
    packing, line = zlib.compressobj(9), bytes(width + 1)
    pixels = b"".join([packing.compress(line) for _ in range(height)]) + packing.flush()
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", head) + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")
