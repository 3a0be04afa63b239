"""Files made to do harm: they are not kept, nothing unpacks them without bounds, and the gateway goes on."""

import asyncio
import io
import struct
import zipfile
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from infra.mongo import Mongo
from tests.gateway.running import Api
from tests.security.table import IDS

_PATH = f"/v1/applications/{IDS['mine']}/documents"
_PDF, _PNG, _JPEG = "application/pdf", "image/png", "image/jpeg"
_MIB = 1024 * 1024


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int) -> bytes:
    """A picture of one colour, well packed: 30,000 × 30,000 points are 110 kB, and 900 MB unpacked."""
    packer = zlib.compressobj(9)
    row = b"\0" + b"\0" * ((width + 7) // 8)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _pdf(extra: bytes = b"", stream: bytes = b"", catalog: bytes = b"") -> bytes:
    """One page; `stream` is its content, packed already."""
    objects = [
        b"<</Type/Catalog/Pages 2 0 R" + catalog + b">>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R>>",
        b"<</Length %d/Filter/FlateDecode>>stream\n" % len(stream) + stream + b"\nendstream",
    ]
    made = b"%PDF-1.4\n"
    places = []
    for number, content in enumerate([*objects, *([extra] if extra else [])], 1):
        places.append(len(made))
        made += b"%d 0 obj" % number + content + b"\nendobj\n"
    start = len(made)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(places) + 1
    made += b"xref\n0 %d\n0000000000 65535 f \n" % size + table
    return made + b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (size, start)


def _bomb(times: int) -> bytes:
    packed = b"0" * (64 * _MIB)
    for _ in range(times):
        packed = zlib.compress(packed, 9)
    return packed


def _zip(name: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, b"0" * (50 * _MIB))
    return packed.getvalue()


_HUGE = _pdf(stream=zlib.compress(b"0" * (500 * _MIB), 9))
_DOUBLE = _pdf(stream=_bomb(2)).replace(b"/Filter/FlateDecode", b"/Filter[/FlateDecode/FlateDecode]")
_SCRIPT = b"/OpenAction<</S/JavaScript/JS(app.alert\\(1\\))>>"
_FILES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", _PDF),
    "a page for browsers": (b"<html><script>alert(1)</script></html>", _PDF),
    "a drawing with a script": (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", _PNG),
    "a program": (b"\x7fELF" + b"\0" * 1000, _JPEG),
    "a zip": (_zip("licence.pdf"), _PDF),
    "a zip that climbs": (_zip("../../etc/cron.d/x"), _PDF),
    "a PDF sent as a picture": (_pdf(stream=zlib.compress(b" ")), _PNG),
    "a picture sent as a PDF": (_png(8, 8), _PDF),
    "half a PDF": (_pdf(stream=zlib.compress(b" "))[:200], _PDF),
    "a head and nothing else": (b"%PDF-1.7\n", _PDF),
    "a picture's head and a page": (b"\x89PNG\r\n\x1a\n<script>alert(1)</script>", _PNG),
    "a PDF that runs something": (_pdf(stream=zlib.compress(b" "), catalog=_SCRIPT), _PDF),
    "a PDF that opens a program": (
        _pdf(stream=zlib.compress(b" "), catalog=b"/OpenAction<</S/Launch/F(cmd.exe)>>"),
        _PDF,
    ),
    "a PDF bomb": (_HUGE, _PDF),
    "a bomb that only lenient readers find": (_HUGE.replace(b"\nendstream\nendobj", b"\nendstreamendobj  "), _PDF),
    "a PDF with a loop of pages": (_pdf(stream=zlib.compress(b" ")).replace(b"/Kids[3 0 R]", b"/Kids[2 0 R]"), _PDF),
    "a picture bomb": (_png(30_000, 30_000), _PNG),
    "a picture of impossible size": (
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 6, 0, 0, 0)),
        _PNG,
    ),
    "too many bytes": (b"%PDF-1.4\n" + b"0" * (10 * _MIB + 1), _PDF),
    "a bomb in a bomb": (_DOUBLE, _PDF),
}


def _memory() -> int:
    """Bytes that this process has in memory, which is the gateway's."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def _files(mongo: Mongo) -> int:
    return await mongo.files.count_documents({})


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", _FILES)
async def test_a_harmful_file_is_not_kept(name: str, callers: dict[str, Api], mongo: Mongo) -> None:
    content, kind = _FILES[name]
    before, memory = await _files(mongo), _memory()
    upload = asyncio.create_task(
        callers["applicant"].call("PUT", f"{_PATH}/business_licence", data=content, Content_Type=kind)
    )
    beside = await callers["admin"].get("/healthz", status=200)
    answer = await upload
    assert beside.status == 200
    assert answer.status in (413, 415, 422), answer
    assert answer.code
    for inside in ("Traceback", "pikepdf", "PIL", "qpdf", "/tmp", "site-packages"):
        assert inside not in str(answer.body)
    assert await _files(mongo) == before
    assert _memory() - memory < 200 * _MIB


async def test_an_upload_without_end_is_cut_off(callers: dict[str, Api], mongo: Mongo) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b"%PDF-1.4\n"
        while True:
            sent += 65_536
            yield b"0" * 65_536

    before = await _files(mongo)
    try:
        answer = await callers["applicant"].call("PUT", f"{_PATH}/business_licence", data=endless(), Content_Type=_PDF)
        assert answer.status == 413
    except aiohttp.ClientError:
        pass  # Cut off while still sending.
    assert sent < 100 * _MIB
    assert await _files(mongo) == before


@pytest.mark.parametrize(
    "item", ["..%2f..%2fetc%2fpasswd", "%2e%2e", "business_licence%00.pdf", "$where", "a.b", "*", "x" * 300, "no_such"]
)
async def test_an_item_is_a_name_and_no_path(item: str, callers: dict[str, Api], mongo: Mongo) -> None:
    before = await _files(mongo)
    good = _pdf(stream=zlib.compress(b" "))
    answer = await callers["applicant"].call("PUT", f"{_PATH}/{item}", data=good, Content_Type=_PDF)
    assert 400 <= answer.status < 500, answer
    assert await _files(mongo) == before


async def test_what_was_uploaded_is_given_back_to_be_saved_and_to_nobody_else(callers: dict[str, Api]) -> None:
    good = _pdf(stream=zlib.compress(b" "))
    kept = await callers["applicant"].call("PUT", f"{_PATH}/business_licence", data=good, Content_Type=_PDF)
    assert kept.status == 200, kept
    async with aiohttp.ClientSession() as session:
        for role in ("applicant", "reviewer"):
            path = _PATH if role == "applicant" else f"/v1/reviews/{IDS['mine']}/documents"
            headers = {"Authorization": f"Bearer {callers[role].key}"}
            async with session.get(f"{callers[role].url}{path}/business_licence", headers=headers) as answer:
                assert answer.status == 200
                assert await answer.read() == good
                assert answer.headers["Content-Disposition"].startswith("attachment")
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert answer.headers["Cache-Control"] == "no-store"
    theirs = _PATH.replace(IDS["mine"], IDS["theirs"])
    await callers["applicant"].get(f"{theirs}/business_licence", status=404)
