"""Looks into one uploaded file after the other, in a process of its own that holds no secrets and little memory.

A file is a PDF, PNG or JPEG by its content, whole, bounded when it is unpacked, and does nothing by itself. Requests
come on standard input, answers go to standard output: four bytes of length (big endian), then the file, or JSON. A
length of zero is said first, when all is ready.
"""

import io
import resource
import struct
import sys
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import orjson
import pikepdf
from pikepdf import settings as qpdf
from PIL import Image, UnidentifiedImageError

from infra.filetypes import LENGTH, media_type_of

MEMORY_BYTES = 1 << 30
PIXELS_MAX = 64_000_000
PAGES_MAX = 200
OBJECTS_MAX = 200_000
STREAM_BYTES_MAX = 200 << 20
UNPACKED_BYTES_MAX = 400 << 20
NESTING_MAX = 100

_UNREAD = ("expected end", "recover", "parse error")
"""In the library's warnings: it read nothing where a less strict reader may find an object and unpack it."""
_PACKING = frozenset({"/FlateDecode", "/Fl", "/LZWDecode", "/LZW", "/RunLengthDecode", "/RL"})
_TEXT = frozenset({"/ASCII85Decode", "/A85", "/ASCIIHexDecode", "/AHx"})
_PICTURE = frozenset({"/DCTDecode", "/DCT", "/JPXDecode", "/CCITTFaxDecode", "/CCF", "/JBIG2Decode"})
_ACTIVE_KEYS = frozenset({"/JavaScript", "/JS", "/EmbeddedFiles", "/EF", "/XFA", "/RichMediaContent"})
_ACTIVE_VALUES = {
    "/S": frozenset(
        {
            "/JavaScript",
            "/Launch",
            "/ImportData",
            "/SubmitForm",
            "/GoToE",
            "/Rendition",
            "/Movie",
            "/Sound",
            "/RichMediaExecute",
        }
    ),
    "/Type": frozenset({"/EmbeddedFile"}),
    "/Subtype": frozenset({"/FileAttachment", "/RichMedia", "/Movie", "/Screen", "/3D", "/Sound"}),
}


class Bad(Exception):
    """The file is not taken in; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def inspected(content: bytes) -> dict[str, Any]:
    """`media_type` and `pages`. Raises Bad."""
    media_type = media_type_of(content)
    if media_type is None:
        raise Bad("wrong_type")
    try:
        pages = _pages_of_pdf(content) if media_type == "application/pdf" else _one_picture(content, media_type)
    except MemoryError:
        raise Bad("unpacks_too_large") from None
    return {"media_type": media_type, "pages": pages}


def _one_picture(content: bytes, media_type: str) -> int:
    """Unpacks it, so that what is kept is known to be whole. Pictures that move are refused."""
    # Ours is the limit; Pillow's own would only warn up to twice its size.
    Image.MAX_IMAGE_PIXELS = None
    try:
        with Image.open(io.BytesIO(content), formats=[media_type.removeprefix("image/").upper()]) as picture:
            if picture.width * picture.height > PIXELS_MAX:
                raise Bad("unpacks_too_large")
            if media_type == "image/png" and getattr(picture, "n_frames", 1) > 1:
                raise Bad("moves")
            picture.load()
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, UnidentifiedImageError):
        raise Bad("damaged") from None
    return 1


def _pages_of_pdf(content: bytes) -> int:
    try:
        with pikepdf.open(io.BytesIO(content), attempt_recovery=False, suppress_warnings=True) as pdf:
            if pdf.is_encrypted:
                raise Bad("encrypted")
            if len(pdf.objects) > OBJECTS_MAX:
                raise Bad("unpacks_too_large")
            _walk(pdf)
            pages = len(pdf.pages)
            if any(sign in warning for warning in pdf.get_warnings() for sign in _UNREAD):
                raise Bad("damaged")
    except pikepdf.PasswordError:
        raise Bad("encrypted") from None
    except (pikepdf.PikepdfError, RuntimeError, ValueError, TypeError, OverflowError) as error:
        # The library's words may quote the file, so that they go nowhere.
        raise Bad("unpacks_too_large" if "limit" in str(error) else "damaged") from None
    if not 1 <= pages <= PAGES_MAX:
        raise Bad("too_many_pages" if pages else "damaged")
    return pages


def _walk(pdf: pikepdf.Pdf) -> None:
    unpacked = 0
    for one in (pdf.trailer, *pdf.objects):
        for part in _parts(one, 0):
            _refuse_active(part)
        if isinstance(one, pikepdf.Stream):
            unpacked += _unpacked_size(one)
            if unpacked > UNPACKED_BYTES_MAX:
                raise Bad("unpacks_too_large")


def _parts(one: Any, depth: int) -> Iterator[Any]:
    """An object and the objects in it; those that stand for themselves in the file have their own turn."""
    if depth > NESTING_MAX:
        raise Bad("damaged")
    if isinstance(one, (pikepdf.Dictionary, pikepdf.Stream)):
        yield one
        inner: Iterable[Any] = (one[key] for key in one.keys())  # noqa: SIM118  # no Mapping: iterating it does else
    elif isinstance(one, pikepdf.Array):
        inner = one
    else:
        return
    for part in inner:
        if isinstance(part, pikepdf.Object) and not part.is_indirect:
            yield from _parts(part, depth + 1)


def _refuse_active(part: Any) -> None:
    """What does something, or carries another file. Links to pages of the web are let pass."""
    for key in part.keys():  # noqa: SIM118
        if key in _ACTIVE_KEYS:
            raise Bad("active")
        if key in _ACTIVE_VALUES and str(part[key]) in _ACTIVE_VALUES[key]:
            raise Bad("active")


def _unpacked_size(stream: pikepdf.Stream) -> int:
    """Bytes of a stream when it is unpacked, as far as that is done by anybody but a picture's decoder."""
    named = stream.get("/Filter")
    filters = [str(name) for name in named] if isinstance(named, pikepdf.Array) else [str(named)] if named else []
    if stream.get("/Subtype") == "/Image" and _area(stream) > PIXELS_MAX:
        raise Bad("unpacks_too_large")
    if set(filters) - _PACKING - _TEXT - _PICTURE:
        raise Bad("encrypted" if "/Crypt" in filters else "damaged")
    if sum(name in _PACKING for name in filters) > 1:
        raise Bad("unpacks_too_large")
    if not set(filters) & (_PACKING | _TEXT) or set(filters) & _PICTURE:
        return 0
    if filters in (["/FlateDecode"], ["/Fl"]):
        return _inflated_size(stream.read_raw_bytes())
    return len(stream.read_bytes())


def _area(stream: pikepdf.Stream) -> int:
    return int(stream.get("/Width", 0)) * int(stream.get("/Height", 0))


def _inflated_size(packed: bytes) -> int:
    """Counted a piece at a time and thrown away. Broken data ends it, as it does for those who show the file."""
    inflating, size = zlib.decompressobj(), 0
    try:
        while packed and not inflating.eof:
            size += len(inflating.decompress(packed, 1 << 20))
            packed = inflating.unconsumed_tail
            if size > STREAM_BYTES_MAX:
                raise Bad("unpacks_too_large")
    except zlib.error:
        pass
    return size


def bounded() -> None:
    """Little memory, no files, no dumps; and limits for the library that reads PDF."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    qpdf.set_qpdf_limits(
        flate_max_memory=STREAM_BYTES_MAX,
        png_max_memory=STREAM_BYTES_MAX,
        tiff_max_memory=STREAM_BYTES_MAX,
        run_length_max_memory=STREAM_BYTES_MAX,
        parser_max_nesting=NESTING_MAX,
        doc_max_warnings=100,
        max_stream_filters=4,
    )


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Until standard input ends."""
    answers.write(LENGTH.pack(0))
    answers.flush()
    while head := requests.read(LENGTH.size):
        (size,) = LENGTH.unpack(head)
        try:
            answer: dict[str, Any] = inspected(requests.read(size))
        except Bad as bad:
            answer = {"code": bad.code}
        written = orjson.dumps(answer)
        answers.write(LENGTH.pack(len(written)) + written)
        answers.flush()


if __name__ == "__main__":
    bounded()
    serve(sys.stdin.buffer, sys.stdout.buffer)
