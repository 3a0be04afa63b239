"""`python -m bench.floor_writer`: repeats a recorded program against MongoDB and NATS, with no logic at all.

One connection to each, one step after the other, each answered before the next is sent; see `recording` for the file.
Prints a JSON object: orders (the part of the program that was done, by its bytes) and seconds.
"""

import argparse
import json
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import bson
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient, WriteConcern
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.read_concern import ReadConcern

from bench.recording import LANE, TOKEN
from infra.nats_jwt import answer_to

_RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
_DURABLE = WriteConcern(w="majority", j=True)
_MEMBERS = {"insert": "documents", "update": "updates", "delete": "deletes"}
Raw = RawBSONDocument


def split(data: bytes) -> Iterator[bytes]:
    """The documents of a file of BSON documents."""
    start = 0
    while start < len(data):
        size = struct.unpack_from("<i", data, start)[0]
        yield data[start : start + size]
        start += size


class Stream:
    """The least of a NATS client: sends frames that name the subject of their answers, and counts the answers."""

    def __init__(self, url: str, creds: str, lane: str) -> None:
        where = urlsplit(url)
        self._socket = socket.create_connection((where.hostname, where.port or 4222))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._lines = self._socket.makefile("rb")
        nonce = json.loads(self._lines.readline().removeprefix(b"INFO "))["nonce"]
        options = {"verbose": False, "pedantic": False, "headers": True, "lang": "python", "version": "1"}
        options |= answer_to(nonce, Path(creds).read_text())
        self._socket.sendall(
            b"CONNECT %s\r\nSUB _INBOX.%s 1\r\nPING\r\n" % (json.dumps(options).encode(), lane.encode())
        )
        while self._lines.readline() != b"PONG\r\n":
            pass

    def publish(self, frames: bytes, count: int) -> None:
        """Send all, and wait until each was answered. Raises RuntimeError when one was refused."""
        self._socket.sendall(frames)
        while count:
            line = self._lines.readline()
            if line.startswith(b"MSG"):
                answer = self._lines.read(int(line.split()[-1]) + 2)
                if b'"error"' in answer:
                    raise RuntimeError(answer.decode())
                count -= 1
            elif line.startswith(b"PING"):
                self._socket.sendall(b"PONG\r\n")
            elif not line or line.startswith(b"-ERR"):
                raise RuntimeError(f"NATS said {line!r}")


class Writer:
    def __init__(self, database: Database[Any], stream: Stream) -> None:
        self._client = database.client
        self._database = database
        self._stream = stream

    def do(self, step: Raw) -> None:
        if "n" in step:
            self._stream.publish(step["n"], step["k"])
        elif step["t"]:
            with self._client.start_session() as session, session.start_transaction(ReadConcern("snapshot"), _DURABLE):
                self._commands(step, session)
        else:
            self._commands(step, None)

    def _commands(self, step: Raw, session: ClientSession | None) -> None:
        for command in step["c"]:
            name = next(iter(command))
            members = _MEMBERS[name]
            sent = {name: command[name], members: list(command[members]), "ordered": False}
            if session is None:
                sent["writeConcern"] = _DURABLE.document
            answer = self._database.command(sent, session=session)
            if answer.get("writeErrors") or answer["n"] == 0:
                raise RuntimeError(f"{name} {command[name]}: {answer}")


def repetition(program: bytes, number: int) -> Iterator[Raw]:
    """The steps of a program, with ids of their own."""
    for document in split(program.replace(TOKEN.encode(), b"rec%04d" % number)):
        yield RawBSONDocument(document, _RAW)


def load(path: Path, lane: int, whole: bool) -> tuple[dict[str, Any], bytes]:
    """The head of a program, and its steps for one writer."""
    head, *steps = split(path.read_bytes())
    about = bson.decode(head)
    chosen = steps if whole else steps[: about["until_dispatched"]]
    return about, b"".join(chosen).replace(LANE[1:].encode(), f"lane{lane}".encode())


def repeat(writer: Writer, program: bytes, orders: int, lane: int, until: float) -> float:
    """Orders done until that time, in whole repetitions and a part of the last."""
    done = 0.0
    number = lane * 1_000
    while True:
        number += 1
        written = 0
        for document in repetition(program, number):
            writer.do(document)
            written += len(document.raw)
            if time.time() > until:
                return done + orders * written / len(program)
        done += orders


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", type=Path, required=True)
    parser.add_argument("--mongo", required=True)
    parser.add_argument("--database", required=True)
    parser.add_argument("--nats", required=True)
    parser.add_argument("--creds", required=True)
    parser.add_argument("--lane", type=int, required=True)
    parser.add_argument("--whole", action="store_true", help="the whole life, not only until the last offer")
    parser.add_argument("--at", type=float, required=True, help="when to begin, seconds since the epoch")
    parser.add_argument("--seconds", type=float, required=True)
    options = parser.parse_args()
    about, program = load(options.program, options.lane, options.whole)
    client: MongoClient[Any] = MongoClient(options.mongo)
    writer = Writer(client[options.database], Stream(options.nats, options.creds, f"lane{options.lane}"))
    client.admin.command("ping")
    time.sleep(max(options.at - time.time(), 0))
    began = time.time()
    orders = repeat(writer, program, about["orders"], options.lane, options.at + options.seconds)
    print(json.dumps({"orders": orders, "seconds": time.time() - began}))


if __name__ == "__main__":
    main()
