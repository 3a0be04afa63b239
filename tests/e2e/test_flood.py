"""More answers of stores than can be written: they stay in the stream, and the event worker takes in a few only."""

import os
import signal

import pytest
from nats.js import JetStreamContext

from bench.measuring import resident_mib
from contracts.subjects import DLQ, REPLIES, dead_letter_subject, reply_subject
from infra.streams import REPLIES_CONSUMER
from tests.support import eventually
from workers.system import System

MESSAGES, BYTES = 1_000, 200_000
GROWTH_MIB = 120
"""A hundred are handled, a hundred wait, a hundred are fetched, and the garbage of as many; not all 190 MiB."""


@pytest.mark.timeout(240)
async def test_what_is_not_taken_yet_stays_in_the_stream(system: System, jetstream: JetStreamContext) -> None:
    events, mongo = system.processes["events"].pid, system.servers.processes["mongo"].pid
    before = resident_mib(events)
    buried = await _dead(jetstream)
    os.kill(mongo, signal.SIGSTOP)
    try:
        for number in range(MESSAGES):
            await jetstream.publish(reply_subject("nobody"), b"%d" % number + b"x" * BYTES)

        async def taken() -> bool:
            info = await jetstream.consumer_info(REPLIES, REPLIES_CONSUMER)
            return (info.num_ack_pending or 0) >= 100

        await eventually(taken, timeout=30)
        info = await jetstream.consumer_info(REPLIES, REPLIES_CONSUMER)
        assert (info.num_pending or 0) > MESSAGES / 2, "most were not fetched"
        assert resident_mib(events) - before < GROWTH_MIB
    finally:
        os.kill(mongo, signal.SIGCONT)

    async def drained() -> bool:
        info = await jetstream.consumer_info(REPLIES, REPLIES_CONSUMER)
        return (info.num_pending, info.num_ack_pending) == (0, 0)

    await eventually(drained, timeout=150, message="answers were left in the stream")
    assert await _dead(jetstream) - buried == MESSAGES


async def _dead(jetstream: JetStreamContext) -> int:
    """Dead letters of replies; the stream keeps no more of them than fit, but counts all."""
    info = await jetstream.stream_info(DLQ, subjects_filter=dead_letter_subject(REPLIES))
    return int(info.state.last_seq)
