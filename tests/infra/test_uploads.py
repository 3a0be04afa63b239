"""Uploaded files are looked into by a process of its own: good ones pass, and each way to do harm is refused."""

import io
import os
import zlib
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path

import pikepdf
import pytest
from PIL import Image

from infra.inspecting import MEMORY_BYTES
from infra.uploads import BadFile, Inspected, Inspector
from tests import papers

MIB = 1 << 20


@pytest.fixture(scope="module")
async def inspector() -> AsyncIterator[Inspector]:
    inspector = Inspector(processes=1, within_s=120)
    yield inspector
    await inspector.close()


async def why(inspector: Inspector, content: bytes) -> str | None:
    try:
        await inspector.inspect(content)
    except BadFile as bad:
        return bad.why
    return None


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (papers.pdf(pages=3), Inspected("application/pdf", 3)),
        (papers.picture("PNG"), Inspected("image/png", 1)),
        (papers.picture("JPEG", (3000, 2000)), Inspected("image/jpeg", 1)),
        (papers.with_stream(zlib.compress(b"text" * 1000), "/FlateDecode"), Inspected("application/pdf", 1)),
        (papers.with_stream(b"74657874>", "/ASCIIHexDecode"), Inspected("application/pdf", 1)),
        (papers.pdf(S=pikepdf.Name.URI, URI="https://example.com"), Inspected("application/pdf", 1)),
    ],
)
async def test_good_files(inspector: Inspector, content: bytes, expected: Inspected) -> None:
    assert await inspector.inspect(content) == expected


def embedding() -> bytes:
    made = pikepdf.new()
    made.add_blank_page()
    made.attachments["virus.exe"] = pikepdf.AttachedFileSpec(
        made, b"MZ", filename="virus.exe", description="", mime_type="", creation_date="", mod_date=""
    )
    return papers.saved(made)


def named_script() -> bytes:
    """In the name tree, with a letter of its name written as a number; as long as before, so that the file is whole."""
    made = pikepdf.new()
    made.add_blank_page()
    made.Root.Names = pikepdf.Dictionary(JavaScript12=pikepdf.Dictionary(Names=[]))
    plain = papers.saved(made, object_stream_mode=pikepdf.ObjectStreamMode.disable)
    return plain.replace(b"/JavaScript12", b"/J#61vaScript")


def in_object_stream() -> bytes:
    made = pikepdf.new()
    made.add_blank_page()
    made.Root.OpenAction = made.make_indirect(pikepdf.Dictionary(S=pikepdf.Name.Launch, F="cmd.exe"))
    return papers.saved(made, object_stream_mode=pikepdf.ObjectStreamMode.generate)


def encrypted(password: str) -> bytes:
    made = pikepdf.new()
    made.add_blank_page()
    return papers.saved(made, encryption=pikepdf.Encryption(user=password, owner="owner"))


def form_of_xml() -> bytes:
    made = pikepdf.new()
    made.add_blank_page()
    made.Root.AcroForm = pikepdf.Dictionary(XFA="<xdp/>", Fields=[])
    return papers.saved(made)


def moving() -> bytes:
    kept = io.BytesIO()
    frames = [Image.new("L", (8, 8), colour) for colour in (0, 255)]
    frames[0].save(kept, "PNG", save_all=True, append_images=frames[1:])
    return kept.getvalue()


def huge_picture_in_pdf() -> bytes:
    made = pikepdf.new()
    made.add_blank_page()
    stream = pikepdf.Stream(made, b"", Type=pikepdf.Name.XObject, Subtype=pikepdf.Name.Image, Width=60000, Height=60000)
    made.Root.Extra = made.make_indirect(stream)
    return papers.saved(made)


@cache
def bomb() -> bytes:
    return papers.deflated_zeros(300 * MIB)


def twice() -> bytes:
    return papers.with_stream(zlib.compress(zlib.compress(bytes(64 * MIB), 9), 9), "/FlateDecode", "/FlateDecode")


BAD: dict[str, tuple[papers.Made, str]] = {
    "text": (b"hello", "wrong_type"),
    "nothing": (b"", "wrong_type"),
    "zip": (b"PK\x03\x04" + bytes(100), "wrong_type"),
    "gif": (b"GIF89a" + bytes(100), "wrong_type"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "wrong_type"),
    "header only": (b"%PDF-1.7\n", "damaged"),
    "cut pdf": (papers.pdf()[:-200], "damaged"),
    "cut png": (papers.picture(size=(400, 400))[:-60], "damaged"),
    "cut jpeg": (papers.picture("JPEG", (400, 400))[:300], "damaged"),
    "png of noise": (b"\x89PNG\r\n\x1a\n" + os.urandom(1000), "damaged"),
    "jpeg of noise": (b"\xff\xd8\xff" + os.urandom(1000), "damaged"),
    "pdf of noise": (b"%PDF-1.4\n" + os.urandom(5000), "damaged"),
    "encrypted": (encrypted("secret"), "encrypted"),
    "encrypted without password": (encrypted(""), "encrypted"),
    "script": (papers.pdf(S=pikepdf.Name.JavaScript, JS="app.alert(1)"), "active"),
    "launch": (papers.pdf(S=pikepdf.Name.Launch, F="cmd.exe"), "active"),
    "submit": (papers.pdf(S=pikepdf.Name.SubmitForm, F="http://example.com"), "active"),
    "script by another name": (named_script(), "active"),
    "launch in an object stream": (in_object_stream(), "active"),
    "embedded file": (embedding(), "active"),
    "form of xml": (form_of_xml(), "active"),
    "moving picture": (moving(), "moves"),
    "png bomb": (lambda: papers.png_bomb(30_000, 30_000), "unpacks_too_large"),
    "deflate bomb": (lambda: papers.with_stream(bomb(), "/FlateDecode"), "unpacks_too_large"),
    "twice deflated": (twice, "unpacks_too_large"),
    "bomb behind hex": (
        lambda: papers.with_stream(bomb().hex().encode() + b">", "/ASCIIHexDecode", "/FlateDecode"),
        "unpacks_too_large",
    ),
    "huge picture in a pdf": (huge_picture_in_pdf(), "unpacks_too_large"),
    "too many pages": (papers.pdf(pages=201), "too_many_pages"),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", BAD)
async def test_bad_files(inspector: Inspector, name: str) -> None:
    made, expected = BAD[name]
    content = papers.content_of(made)
    assert len(content) < 10 * MIB
    assert await why(inspector, content) == expected


@pytest.mark.timeout(300)
async def test_a_bomb_in_an_object_stream_stays_within_the_memory(inspector: Inspector) -> None:
    """Object streams are unpacked to read the file at all, before anybody can look at them."""
    content = papers.pdf(pages=2)
    made = pikepdf.open(io.BytesIO(content))
    packed = papers.saved(made, object_stream_mode=pikepdf.ObjectStreamMode.generate, compress_streams=False)
    start = packed.index(b"/ObjStm")
    begin = packed.index(b"stream\n", start) + len(b"stream\n")
    end = packed.index(b"\nendstream", begin)
    bomb = zlib.compress(packed[begin:end] + b" " * (600 * MIB), 9)
    changed = packed[:begin] + bomb + packed[end:]
    assert await why(inspector, changed) in ("damaged", "unpacks_too_large")
    assert await why(inspector, content) is None


@pytest.mark.timeout(300)
async def test_a_process_that_is_killed_is_replaced() -> None:
    """Whatever ends it, the next file is looked into by a new one."""
    inspector = Inspector(processes=1, within_s=60)
    try:
        assert await inspector.inspect(papers.pdf()) == Inspected("application/pdf", 1)
        first = inspector._idle[0]._process
        limits = Path(f"/proc/{first.pid}/limits").read_text()
        assert str(MEMORY_BYTES) in limits
        assert b"TONGQU" not in Path(f"/proc/{first.pid}/environ").read_bytes()
        first.kill()
        await first.wait()
        assert await why(inspector, papers.pdf()) == "unpacks_too_large"
        assert await inspector.inspect(papers.pdf()) == Inspected("application/pdf", 1)
        assert inspector._idle[0]._process.pid != first.pid
    finally:
        await inspector.close()


@pytest.mark.timeout(300)
async def test_time_is_limited() -> None:
    inspector = Inspector(processes=1, within_s=0.01)
    try:
        assert await why(inspector, papers.with_stream(papers.deflated_zeros(150 * MIB), "/FlateDecode")) == (
            "takes_too_long"
        )
        assert inspector._idle == []
    finally:
        await inspector.close()
