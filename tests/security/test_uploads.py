"""Files made to do harm: they are not kept, nothing unpacks them without bounds, and the gateway goes on."""

import asyncio
import io
import re
import struct
import zipfile
import zlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import aiohttp
import pytest

from contracts.partnership import HeldDocument, PartnerRecord
from infra.keys import Scope, create_key
from infra.mongo import Mongo
from infra.settings import Settings
from tests.gateway.applying import begun
from tests.gateway.running import Api, fresh, order, running
from tests.papers import Made, content_of
from tests.security.table import IDS
from tests.support import eventually
from workers.gateway.applicants import new_application_id, new_token
from workers.gateway.limits import Limits
from workers.gateway.rates import Rate

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


@cache
def _huge() -> bytes:
    return _pdf(stream=zlib.compress(b"0" * (500 * _MIB), 9))


def _double() -> bytes:
    return _pdf(stream=_bomb(2)).replace(b"/Filter/FlateDecode", b"/Filter[/FlateDecode/FlateDecode]")


_SCRIPT = b"/OpenAction<</S/JavaScript/JS(app.alert\\(1\\))>>"
_FILES: dict[str, tuple[Made, str]] = {
    "nothing": (b"", _PDF),
    "a page for browsers": (b"<html><script>alert(1)</script></html>", _PDF),
    "a drawing with a script": (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", _PNG),
    "a program": (b"\x7fELF" + b"\0" * 1000, _JPEG),
    "a zip": (lambda: _zip("licence.pdf"), _PDF),
    "a zip that climbs": (lambda: _zip("../../etc/cron.d/x"), _PDF),
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
    "a PDF bomb": (_huge, _PDF),
    "a bomb that only lenient readers find": (
        lambda: _huge().replace(b"\nendstream\nendobj", b"\nendstreamendobj  "),
        _PDF,
    ),
    "a PDF with a loop of pages": (_pdf(stream=zlib.compress(b" ")).replace(b"/Kids[3 0 R]", b"/Kids[2 0 R]"), _PDF),
    "a picture bomb": (lambda: _png(30_000, 30_000), _PNG),
    "a picture of impossible size": (
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 6, 0, 0, 0)),
        _PNG,
    ),
    "too many bytes": (b"%PDF-1.4\n" + b"0" * (10 * _MIB + 1), _PDF),
    "a bomb in a bomb": (_double, _PDF),
}


def _memory() -> int:
    """Bytes that this process has in memory, which is the gateway's."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def _files(mongo: Mongo) -> int:
    return await mongo.files.count_documents({})


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", _FILES)
async def test_a_harmful_file_is_not_kept(name: str, callers: dict[str, Api], mongo: Mongo) -> None:
    made, kind = _FILES[name]
    content = content_of(made)
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


async def _partner(mongo: Mongo) -> str:
    """One with a document that ends; returns a key of it."""
    now = datetime.now(UTC)
    name = fresh("part-d")
    record = PartnerRecord(
        id=name,
        kind="supplier",
        state="active",
        name=name,
        credit_code="91330100799655058B",
        application=f"app-of-{name}",
        agreement=f"agr-of-{name}",
        agreement_until=now.replace(year=now.year + 2),
        documents=[
            HeldDocument(requirement="food_licence", digest="0" * 64, valid_until=now.replace(year=now.year + 1))
        ],
    )
    await mongo.partners.insert_one(record.as_row())
    return await create_key(mongo, name, [Scope.PARTNER], partner=name)


_OWN = "/v1/partner/documents/food_licence?valid_until=2031-12-31"


@pytest.mark.parametrize(
    "name", ["a zip", "a PDF bomb", "a picture bomb", "a PDF sent as a picture", "a PDF that runs something", "nothing"]
)
async def test_what_partners_send_is_looked_into_as_well(name: str, api: Api, mongo: Mongo) -> None:
    made, kind = _FILES[name]
    content = content_of(made)
    before = await _files(mongo)
    me = api.with_key(await _partner(mongo))
    answer = await me.call("PUT", _OWN, data=content, Content_Type=kind)
    assert answer.status in (413, 415, 422) and answer.code != "unknown_document", answer
    assert await _files(mongo) == before


class _Slow:
    """A body that begins and then waits."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.end = asyncio.Event()

    async def sent(self) -> AsyncIterator[bytes]:
        yield b"%PDF-1.4\n".ljust(self._size, b"0")
        await self.end.wait()


async def _under_way(api: Api, kind: str) -> float:
    found = re.search(rf"(?m)^tongqu_http_{kind}_bytes (\S+)", (await api.get("/metrics", status=200)).body)
    assert found is not None
    return float(found[1])


async def _files_under_way(api: Api) -> float:
    return await _under_way(api, "files")


async def test_nor_do_other_slow_bodies_of_others(
    api: Api, callers: dict[str, Api], security_settings: Settings
) -> None:
    """Of applicants, and of partners, whose keys are others' too."""
    limits = Limits(bodies_bytes=64 * 1024, outside_bytes=64 * 1024)
    async with running(security_settings, api.key, limits) as small:
        name, token = new_application_id(), new_token()
        await begun(small.gateway, name, token)
        for key, method, path in (
            (token, "PUT", f"/v1/applications/{name}/fields"),
            (callers["partner_a"].key, "POST", "/v1/partner/replies"),
        ):
            slow = _Slow(80 * 1024)
            sending = asyncio.create_task(small.with_key(key).call(method, path, data=slow.sent()))

            async def arrived() -> bool:
                return await _under_way(small, "outside") >= 80 * 1024

            await eventually(arrived)
            await small.post("/v1/orders", order(id=fresh("sec")), status=202)
            full = await small.with_key(callers["partner_b"].key).post("/v1/partner/replies", {})
            assert (full.status, full.code) == (503, "overloaded")
            await small.with_key(callers["partner_b"].key).get("/v1/partner/events", status=200)
            slow.end.set()
            assert (await sending).status == 400


async def test_slow_uploads_take_nothing_from_orders(api: Api, security_settings: Settings) -> None:
    """Anybody may begin an application and upload to it: that must not turn away who has a key."""
    limits = Limits(bodies_bytes=64 * 1024, files_bytes=300 * 1024)
    async with running(security_settings, api.key, limits) as small:
        paths, slow = [], _Slow(200 * 1024)
        for _ in range(2):
            name, token = new_application_id(), new_token()
            await begun(small.gateway, name, token)
            paths.append((small.with_key(token), f"/v1/applications/{name}/documents/business_licence"))
        (one, path), (other, further) = paths
        upload = asyncio.create_task(one.call("PUT", path, data=slow.sent(), Content_Type=_PDF))

        async def arrived() -> bool:
            return await _files_under_way(small) >= 200 * 1024

        await eventually(arrived)
        await small.post("/v1/orders", order(id=fresh("sec")), status=202)
        full = await other.call("PUT", further, data=b"%PDF-1.4\n".ljust(200 * 1024, b"0"), Content_Type=_PDF)
        assert (full.status, full.code) == (503, "overloaded")
        again = await one.call("PUT", path, data=_pdf(stream=zlib.compress(b" ")), Content_Type=_PDF)
        assert (again.status, again.code) == (429, "upload_under_way")
        slow.end.set()
        assert (await upload).status == 422
        assert await _files_under_way(small) == 0


async def test_partners_send_one_file_at_a_time_and_seldom(api: Api, mongo: Mongo, security_settings: Settings) -> None:
    """Files are kept for good: whoever has a partner's key must not fill the disk with them."""
    async with running(security_settings, api.key, Limits(documents=Rate(0.001, 3))) as small:
        me, slow = small.with_key(await _partner(mongo)), _Slow(1024)
        upload = asyncio.create_task(me.call("PUT", _OWN, data=slow.sent(), Content_Type=_PDF))

        async def arrived() -> bool:
            return await _files_under_way(small) >= 1024

        await eventually(arrived)
        assert (await me.call("PUT", _OWN, data=b"%PDF-", Content_Type=_PDF)).code == "upload_under_way"
        slow.end.set()
        assert (await upload).status == 422
        answers = [await me.call("PUT", _OWN, data=b"<html>", Content_Type=_PDF) for _ in range(3)]
        assert [answer.status for answer in answers] == [415, 415, 429]
        assert answers[-1].code == "too_many_requests"
        neighbour = small.with_key(await _partner(mongo))
        assert (await neighbour.call("PUT", _OWN, data=b"<html>", Content_Type=_PDF)).status == 415
