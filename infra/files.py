"""Files that never change, kept in pieces under the sum of their bytes: to keep one again changes nothing."""

import hashlib

from infra.mongo import Mongo, insert_new

_PIECE_BYTES = 8 * 1024 * 1024


class FileDamaged(Exception):
    """What is kept does not have the sum under which it was kept."""


async def keep(mongo: Mongo, content: bytes) -> str:
    """Keep a file and return its SHA-256, hexadecimal. The first piece is written last: a file is whole or unknown."""
    sha256 = hashlib.sha256(content).hexdigest()
    pieces = max(-(-len(content) // _PIECE_BYTES), 1)
    for number in reversed(range(pieces)):
        piece = content[number * _PIECE_BYTES : (number + 1) * _PIECE_BYTES]
        row = {"_id": f"{sha256}/{number:06d}", "file": sha256, "number": number, "pieces": pieces, "bytes": piece}
        await insert_new(mongo.files, [row])
    return sha256


async def fetch(mongo: Mongo, sha256: str) -> bytes | None:
    """The file; None when there is none. Raises FileDamaged."""
    first = await mongo.files.find_one({"_id": f"{sha256}/{0:06d}"})
    if first is None:
        return None
    content = bytes(first["bytes"])
    for number in range(1, first["pieces"]):
        row = await mongo.files.find_one({"_id": f"{sha256}/{number:06d}"})
        content += bytes(row["bytes"]) if row else b""
    if hashlib.sha256(content).hexdigest() != sha256:
        raise FileDamaged(sha256)
    return content
