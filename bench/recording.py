"""What the product really writes for a sample of orders, taken from MongoDB's oplog and the streams, as a program.

The oplog holds every write of every process of ours, grouped by transaction, with documents as they were inserted and
the changes of each update; so the program follows the code by itself, whatever it writes. The streams hold every
message with its headers. What was read, and every other command that changes nothing, is not in it.

A program is a file of BSON documents: a head, then the steps in their order in time. `orders` and `steps` are counts,
`until_dispatched` is the number of steps until the last offer, `shared` are documents that were there before.
A step has either `c`, MongoDB commands, in one transaction if `t`; or `n`, frames of the NATS protocol, and their
number `k`. The sample's order ids begin with TOKEN, everything else that must be new for each repetition begins with
it too, and what repetitions of one writer share ends with LANE: texts of fixed length, so that a repetition is made
from the bytes by replacing them.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bson
from bson import Timestamp
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from bench.quick import Halves, halves
from bench.rig import Rig
from contracts.subjects import EVENTS, REPLIES, WAKE
from infra.mongo import Mongo

TOKEN, LANE = "rec0000", "#lane0"
_AT_MOST, _PAUSE_S = 1_000, 0.003
"""Messages that follow each other more closely are sent together, as they were."""
_UNIQUE_TO_SERVERS = ("admin.", "config.", "local.")

Document = dict[str, Any]


@dataclass(slots=True)
class Step:
    """At `at` seconds since the epoch: writes in one command or transaction, or messages sent together."""

    at: float
    transaction: bool = False
    writes: list[Document] = field(default_factory=list)
    frames: list[bytes] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was recorded: where the program lies, and how much one order takes."""

    path: Path
    halves: Halves
    per_order: dict[str, dict[str, float]]


async def record(rig: Rig, orders: int, path: Path) -> Recorded:
    """Let the running system carry a sample of orders, and write down what it wrote."""
    oplog_from = await _oplog_end(rig.mongo)
    streams_from = {name: (await rig.js.stream_info(name)).state.last_seq for name in (EVENTS, REPLIES, WAKE)}
    found = await halves(rig, orders, TOKEN)
    steps = [step async for step in _steps(rig.mongo, oplog_from)]
    for name, first in streams_from.items():
        steps += await _published(rig.js, name, first + 1)
    steps.sort(key=lambda step: step.at)
    steps = [step for step in steps if step.at <= found.at[2] + 0.5]
    until = sum(step.at <= found.at[1] for step in steps)
    shared = await _rename(rig.mongo, steps)
    head = {"orders": orders, "steps": len(steps), "until_dispatched": until, "shared": shared}
    with path.open("wb") as file:
        file.write(bson.encode(head))
        for step in steps:
            file.write(bson.encode(_as_document(step)))
    per_order = {"until dispatched": _sizes(steps[:until], orders), "whole life": _sizes(steps, orders)}
    return Recorded(path, found, per_order)


async def _oplog_end(mongo: Mongo) -> Timestamp:
    newest = mongo.client.local["oplog.rs"].find().sort("$natural", -1).limit(1)
    [last] = await newest.to_list(1)
    at: Timestamp = last["ts"]
    return at


async def _steps(mongo: Mongo, after: Timestamp) -> AsyncIterator[Step]:
    """Steps from the oplog; entries of one command or one transaction are one step. Deletions are left out."""
    parts: dict[tuple[bytes, int], list[Document]] = {}
    current: Step | None = None
    last: object = None
    async for entry in mongo.client.local["oplog.rs"].find({"ts": {"$gt": after}}).sort("$natural", 1):
        if entry["op"] not in ("i", "u", "c") or (entry["ns"].startswith(_UNIQUE_TO_SERVERS) and entry["op"] != "c"):
            continue
        if entry["op"] == "c":
            if "applyOps" not in entry["o"]:
                raise ValueError(f"the oplog holds {sorted(entry['o'])}, which no order should cause")
            key = (bytes(entry["lsid"]["id"]), entry["txnNumber"])
            parts.setdefault(key, []).extend(one for one in entry["o"]["applyOps"] if one["op"] in ("i", "u"))
            if not entry["o"].get("partialTxn"):
                yield Step(_seconds(entry), True, parts.pop(key))
            continue
        command = (entry["ns"], entry["op"], *_command_of(entry))
        if current is None or command != last or len(current.writes) >= _AT_MOST:
            if current is not None:
                yield current
            current, last = Step(_seconds(entry)), command
        current.writes.append(entry)
    if current is not None:
        yield current


def _command_of(entry: Document) -> tuple[object, ...]:
    """Writes of one retryable command carry its number; those of an update of many have the same change."""
    if "txnNumber" in entry:
        return bytes(entry["lsid"]["id"]), entry["txnNumber"]
    return (bson.encode(entry["o"]),)


def _seconds(entry: Document) -> float:
    at: float = entry["wall"].timestamp()
    return at


async def _published(js: JetStreamContext, stream: str, first: int) -> list[Step]:
    steps: list[Step] = []
    last, before = (await js.stream_info(stream)).state.last_seq, 0.0
    for sequence in range(first, last + 1):
        try:
            message = await js.get_msg(stream, sequence)
        except NotFoundError:  # a work queue forgets what was done
            continue
        at = message.time.timestamp() if message.time else before
        if not steps or at - before > _PAUSE_S or len(steps[-1].frames) >= _AT_MOST:
            steps.append(Step(at))
        steps[-1].frames.append(_frame(message.subject or "", message.headers or {}, message.data or b""))
        steps[-1].at = before = at
    return steps


def _frame(subject: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """A publication in the NATS protocol, answered on a subject of the writer. Expectations of what stands before it
    keep their length and lose their meaning, as several writers send at once."""
    answer = f"_INBOX.{LANE[1:]}"
    if not headers:
        return b"PUB %s %s %d\r\n%s\r\n" % (subject.encode(), answer.encode(), len(body), body)
    lines = "".join(f"{name.replace('Nats-Expected', 'Xxxx-Expected')}: {value}\r\n" for name, value in headers.items())
    head = f"NATS/1.0\r\n{lines}\r\n".encode()
    start = f"HPUB {subject} {answer} {len(head)} {len(head) + len(body)}\r\n".encode()
    return start + head + body + b"\r\n"


async def _rename(mongo: Mongo, steps: Sequence[Step]) -> list[Document]:
    """Make ids fit for repetition, and return the documents that were there before, by collection."""
    made = {(write["ns"], write["o"]["_id"]) for step in steps for write in step.writes if write["op"] == "i"}
    new_names = {str(id_): TOKEN + str(id_)[len(TOKEN) :] for _, id_ in made if not _repeats(id_)}
    shared: dict[tuple[str, Any], Document] = {}
    for step in steps:
        for write in step.writes:
            id_ = write["o" if write["op"] == "i" else "o2"]["_id"]
            if (write["ns"], id_) not in made and (write["ns"], id_) not in shared:
                collection = write["ns"].split(".", 1)[1]
                row = await mongo.db[collection].find_one({"_id": id_})
                if row is not None:
                    shared[write["ns"], id_] = {"collection": collection, "row": {**row, "_id": f"{id_}{LANE}"}}
    for step in steps:
        step.writes = [_renamed(write, new_names, shared) for write in step.writes]
    return list(shared.values())


def _repeats(id_: object) -> bool:
    return isinstance(id_, str) and TOKEN in id_


def _renamed(write: Document, names: Mapping[str, str], shared: Mapping[tuple[str, Any], Document]) -> Document:
    key = "o" if write["op"] == "i" else "o2"
    id_ = write[key]["_id"]
    known = shared.get((write["ns"], id_))
    renamed = known["row"]["_id"] if known else names.get(id_, id_)
    body = _replaced(write["o"], names)
    if write["op"] == "i":
        return {"op": "i", "ns": write["ns"], "o": {**body, "_id": renamed}}
    return {"op": write["op"], "ns": write["ns"], "o": body, "o2": {"_id": renamed}}


def _replaced(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return names.get(value, value)
    if isinstance(value, dict):
        return {key: _replaced(one, names) for key, one in value.items()}
    if isinstance(value, list):
        return [_replaced(one, names) for one in value]
    return value


def _as_document(step: Step) -> Document:
    if step.frames:
        return {"n": b"".join(step.frames), "k": len(step.frames)}
    return {"t": step.transaction, "c": list(commands(step.writes))}


def commands(writes: Sequence[Document]) -> Iterator[Document]:
    """Writes as few commands: inserts, updates and deletes of each collection together; the same change made to many
    documents is one update of many, as the product sends it."""
    together: dict[tuple[str, str], list[Document]] = {}
    for write in writes:
        together.setdefault((write["op"], write["ns"].split(".", 1)[1]), []).append(write)
    for (kind, collection), some in together.items():
        if kind == "i":
            yield {"insert": collection, "documents": [write["o"] for write in some]}
        elif kind == "d":
            yield {"delete": collection, "deletes": [{"q": write["o2"], "limit": 1} for write in some]}
        else:
            yield {"update": collection, "updates": list(_updates(some))}


def _updates(writes: Sequence[Document]) -> Iterator[Document]:
    alike: dict[bytes, list[Document]] = {}
    for write in writes:
        alike.setdefault(bson.encode(write["o"]), []).append(write)
    for same in alike.values():
        change = change_of(same[0]["o"])
        if len(same) == 1:
            yield {"q": same[0]["o2"], "u": change}
        else:
            yield {"q": {"_id": {"$in": [write["o2"]["_id"] for write in same]}}, "u": change, "multi": True}


def change_of(logged: Document) -> Document:
    """An update as a client sends it, from the oplog's description of its effect (a replacement, or `diff`)."""
    if "diff" not in logged:
        return {name: value for name, value in logged.items() if name != "$v"}
    change: dict[str, Document] = {}
    _walk(logged["diff"], "", change)
    return change


def _walk(diff: Document, path: str, change: dict[str, Document]) -> None:
    """`u` and `i`: fields set; `d`: fields taken away; `s<field>`: a difference inside; in arrays (`a`) `u<place>` and
    `s<place>`. A shortened array (`l`) is set to its first elements."""
    for name, value in diff.items():
        if diff.get("a") is True and name != "a":
            if name == "l":
                change.setdefault("$push", {})[path[:-1]] = {"$each": [], "$slice": value}
            elif name[0] == "u":
                change.setdefault("$set", {})[path + name[1:]] = value
            else:
                _walk(value, f"{path}{name[1:]}.", change)
        elif name in ("u", "i"):
            change.setdefault("$set", {}).update({path + field: new for field, new in value.items()})
        elif name == "d":
            change.setdefault("$unset", {}).update({path + field: "" for field in value})
        elif name[0] == "s":
            _walk(value, f"{path}{name[1:]}.", change)


def _sizes(steps: Sequence[Step], orders: int) -> dict[str, float]:
    """Documents, transactions, bytes and messages for one order."""
    sums: dict[str, float] = {"steps": len(steps), "transactions": sum(step.transaction for step in steps)}
    for step in steps:
        for write in step.writes:
            name = {"i": "inserted", "u": "updated", "d": "deleted"}[write["op"]] + " " + write["ns"].split(".", 1)[1]
            sums[name] = sums.get(name, 0) + 1
        for command in commands(step.writes):
            sums["bytes of commands"] = sums.get("bytes of commands", 0) + len(bson.encode(command))
        sums["messages"] = sums.get("messages", 0) + len(step.frames)
        sums["bytes of messages"] = sums.get("bytes of messages", 0) + sum(map(len, step.frames))
    return {name: round(value / orders, 4) for name, value in sums.items()}
