"""Our own format: one JSON object a line, the body of the API with its `type` (location, stock, order) beside."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import orjson

from workers.importing.rows import KINDS, BadRow, FileUnusable, Item, RowRefused

LINE_MAX = 1024 * 1024
"""Bytes of a line: more than the largest order that the API takes."""


def read_ndjson(path: Path, bad: Callable[[BadRow], None]) -> Iterator[Item]:
    """Items in the order of their lines. Only the outside is looked at; the API judges what is inside.

    Raises FileUnusable.
    """
    try:
        lines = path.open("rb")
    except OSError as error:
        raise FileUnusable(f"{path} cannot be read: {error.strerror}") from error
    with lines:
        number = 0
        while line := lines.readline(LINE_MAX + 1):
            number += 1
            try:
                if len(line) > LINE_MAX and not line.endswith(b"\n"):
                    _skip_line(lines)
                    raise RowRefused("line_too_long", f"the line is longer than {LINE_MAX} bytes")
                if line.strip():
                    yield _item(path.name, number, line.removeprefix(b"\xef\xbb\xbf"))
            except RowRefused as refused:
                bad(BadRow(path.name, number, refused.code, str(refused)))


def _skip_line(lines: BinaryIO) -> None:
    while (rest := lines.readline(LINE_MAX)) and not rest.endswith(b"\n"):
        pass


def _item(file: str, number: int, line: bytes) -> Item:
    try:
        found = orjson.loads(line)
        # What cannot be written again cannot be sent either: what is nested too deeply.
        orjson.dumps(found)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError) as error:
        raise RowRefused("not_json", f"the line is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise RowRefused("not_an_object", 'the line is no JSON object; write {"type": "order", …}')
    kind = found.pop("type", None)
    if kind not in KINDS:
        wanted = ", ".join(f'"{known}"' for known in KINDS)
        raise RowRefused("unknown_type", f"type is {str(kind)[:60]!r}; write one of {wanted}")
    return Item(kind, found, file, number)
