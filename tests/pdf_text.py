"""Reads the text of a PDF back, page by page, by the rules of ISO 32000 and without the program that made it.

Knows what is needed here: pages in one list, compressed streams, fonts with two-byte codes and a ToUnicode table.
"""

import re
import zlib
from collections.abc import Iterator

_OBJECT = re.compile(rb"(\d+) 0 obj\n(.*?)\nendobj", re.DOTALL)
_FONT_OF_NAME = re.compile(rb"/(f\d+) (\d+) 0 R")
_RANGE = re.compile(rb"<([0-9A-F]{4})> <([0-9A-F]{4})> <([0-9A-F]+)>")
_PAIR = re.compile(rb"<([0-9A-F]{4})> <([0-9A-F]+)>")
_TOKEN = re.compile(rb"\\([0-7]{1,3}|.)|[()]|/(f\d+) [-\d.]+ Tf|.", re.DOTALL)
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


def pages(pdf: bytes) -> list[str]:
    """The text of each page, without blanks, because lines are broken where they fit."""
    objects = {int(number): body for number, body in _OBJECT.findall(pdf)}
    kids = re.search(rb"/Type/Pages/Count \d+/Kids\[([^\]]*)\]", pdf)
    assert kids is not None, "no list of pages"
    return [_text(objects, int(number)) for number in re.findall(rb"(\d+) 0 R", kids.group(1))]


def _text(objects: dict[int, bytes], page: int) -> str:
    resources = _referred(objects, objects[page], b"Resources")
    fonts = {name: _unicode(objects, int(number)) for name, number in _FONT_OF_NAME.findall(resources)}
    shown: list[str] = []
    for name, codes in _strings(_stream(_referred(objects, objects[page], b"Contents"))):
        shown += [fonts[name][int.from_bytes(codes[at : at + 2])] for at in range(0, len(codes), 2)]
    return "".join("".join(shown).split())


def _strings(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """What is shown, each string with its font's name. Brackets within a string need no escape when they match."""
    font, depth, codes = b"", 0, b""
    for token in _TOKEN.finditer(content):
        what, escaped, name = token.group(0), token.group(1), token.group(2)
        depth += (what == b"(") - (what == b")")
        if what == b"(" and depth == 1:
            codes = b""
        elif what == b")" and depth == 0:
            yield font, codes
        elif depth and escaped is not None:
            codes += bytes([int(escaped, 8)]) if escaped[:1] in b"01234567" else _ESCAPED.get(escaped, escaped)
        elif depth:
            codes += what
        elif name is not None:
            font = name


def _referred(objects: dict[int, bytes], body: bytes, name: bytes) -> bytes:
    found = re.search(rb"/" + name + rb" (\d+) 0 R", body)
    assert found is not None, name
    return objects[int(found.group(1))]


def _stream(body: bytes) -> bytes:
    head, _, content = body.partition(b"stream\n")
    return zlib.decompressobj().decompress(content) if b"/FlateDecode" in head else content


def _unicode(objects: dict[int, bytes], font: int) -> dict[int, str]:
    """Text by code."""
    table = _stream(_referred(objects, objects[font], b"ToUnicode"))
    texts: dict[int, str] = {}
    for part in re.findall(rb"beginbfchar\n(.*?)endbfchar", table, re.DOTALL):
        texts |= {int(code, 16): _utf16(text) for code, text in _PAIR.findall(part)}
    for part in re.findall(rb"beginbfrange\n(.*?)endbfrange", table, re.DOTALL):
        for first, last, text in _RANGE.findall(part):
            start = int(text, 16)
            texts |= {code: chr(start + code - int(first, 16)) for code in range(int(first, 16), int(last, 16) + 1)}
    return texts


def _utf16(digits: bytes) -> str:
    return bytes.fromhex(digits.decode()).decode("utf-16-be")
