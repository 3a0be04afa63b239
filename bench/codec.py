"""`python -m bench.codec [rounds]`: what sealing of payloads costs, in processor time, on the order path.

Recorded workflows are replayed as a worker does it, plain and sealed, in turns: all of the workflow side. The activity
side is opening one argument and sealing one result, which is measured by itself. Processor time and not time on the
clock, so that other programs on the machine hardly matter.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from temporalio.api.common.v1 import Header, Payload, SearchAttributes
from temporalio.api.history.v1 import History
from temporalio.client import WorkflowHistory
from temporalio.converter import DataConverter
from temporalio.worker import Replayer

from infra.codec import SealingCodec
from infra.keyring import Keyring, new_key
from infra.temporal import DATA_CONVERTER, data_converter, sandbox
from workflows.catalogue import WORKFLOWS

_HISTORIES = Path(__file__).parent.parent / "tests" / "workflows" / "histories"
_SIZES = (100, 1_000, 10_000, 100_000)
_TIMES = 2_000


def payloads_of(message: Message) -> Iterator[Payload]:
    """All payloads below a message that the codec sees: search attributes and headers are not among them."""
    if isinstance(message, Payload):
        yield message
    elif not isinstance(message, (SearchAttributes, Header)):
        for field, value in message.ListFields():
            if field.type != FieldDescriptor.TYPE_MESSAGE:
                continue
            if not field.is_repeated:
                yield from payloads_of(value)
            elif isinstance(value, Mapping):
                for item in value.values():
                    if isinstance(item, Message):
                        yield from payloads_of(item)
            else:
                for item in value:
                    yield from payloads_of(item)


async def _sealed(history: WorkflowHistory, codec: SealingCodec) -> tuple[WorkflowHistory, int]:
    """The history as it would have been written sealed, and the number of its payloads."""
    copy = History(events=history.events)
    payloads = list(payloads_of(copy))
    for payload, sealed in zip(payloads, await codec.encode(payloads), strict=True):
        payload.CopyFrom(sealed)
    return WorkflowHistory(history.workflow_id, list(copy.events)), len(payloads)


async def _replayed(history: WorkflowHistory, converter: DataConverter) -> float:
    """Processor time, in ms."""
    replayer = Replayer(workflows=WORKFLOWS, data_converter=converter, workflow_runner=sandbox())
    begun = time.process_time()
    await replayer.replay_workflow(history)
    return (time.process_time() - begun) * 1000


async def _replays(rounds: int, keys: Keyring) -> None:
    print(f"{'replayed':40} {'payloads':>8} {'plain ms':>9} {'sealed ms':>9} {'per payload µs':>14}")
    for path in sorted(_HISTORIES.glob("OrderFulfilment.*.json")):
        plain = WorkflowHistory.from_json(path.stem, path.read_text())
        sealed, payloads = await _sealed(plain, SealingCodec(keys))
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(rounds):
            times[0].append(await _replayed(plain, DATA_CONVERTER))
            times[1].append(await _replayed(sealed, data_converter(keys)))
        before, after = (statistics.median(values) for values in times)
        cost = (after - before) / payloads * 1000
        print(f"{path.stem:40} {payloads:8} {before:9.2f} {after:9.2f} {cost:14.1f}")


async def _payloads(keys: Keyring) -> None:
    codec = SealingCodec(keys)
    print(f"\n{'bytes':>8} {'sealing µs':>11} {'opening µs':>11}")
    for size in _SIZES:
        payload = Payload(metadata={"encoding": b"json/plain"}, data=b"x" * size)
        begun = time.process_time()
        for _ in range(_TIMES):
            (sealed,) = await codec.encode([payload])
        between = time.process_time()
        for _ in range(_TIMES):
            await codec.decode([sealed])
        ended = time.process_time()
        print(f"{size:8} {(between - begun) / _TIMES * 1e6:11.1f} {(ended - between) / _TIMES * 1e6:11.1f}")


async def main(rounds: int) -> None:
    keys = Keyring.parse(new_key("bench"))
    await _replays(rounds, keys)
    await _payloads(keys)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 15))
