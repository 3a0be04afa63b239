"""The server and whoever reads its database see nothing of what workflows say; we do, also after a change of keys."""

import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio import activity, workflow
from temporalio.api.common.v1 import Payload
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from infra.codec import ENCODING, SealingCodec
from infra.keyring import Keyring, NotGenuine, UnknownKey, new_key
from infra.settings import Settings
from infra.temporal import connect, data_converter
from tests.support import eventually

OLD, NEW = new_key("old"), new_key("new")
SECRET = "王小明 13812341234"
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=SECRET.encode())


def codec(keys: str) -> SealingCodec:
    return SealingCodec(Keyring.parse(keys))


async def test_payloads_are_the_same_after_both_ways_and_tell_nothing_between() -> None:
    sealed = await codec(OLD).encode([PLAIN, PLAIN])
    assert await codec(OLD).decode(sealed) == [PLAIN, PLAIN]
    assert sealed[0].metadata == {"encoding": ENCODING, "encryption-key-id": b"old"}
    assert SECRET.encode() not in sealed[0].SerializeToString()
    assert sealed[0].data != sealed[1].data


async def test_what_an_earlier_version_wrote_unencrypted_is_still_read() -> None:
    assert await codec(OLD).decode([PLAIN]) == [PLAIN]


async def test_keys_are_changed_by_putting_the_new_one_first() -> None:
    before = await codec(OLD).encode([PLAIN])
    after = await codec(f"{NEW},{OLD}").encode([PLAIN])
    assert after[0].metadata["encryption-key-id"] == b"new"
    assert await codec(f"{NEW},{OLD}").decode([*before, *after]) == [PLAIN, PLAIN]
    with pytest.raises(UnknownKey, match="'new'"):
        await codec(OLD).decode(after)


async def test_an_altered_payload_is_refused() -> None:
    [sealed] = await codec(OLD).encode([PLAIN])
    sealed.data = sealed.data[:-1] + bytes([sealed.data[-1] ^ 1])
    with pytest.raises(NotGenuine):
        await codec(OLD).decode([sealed])
    with pytest.raises(UnknownKey):
        await codec(OLD).decode([Payload(metadata={"encoding": ENCODING}, data=b"none")])


@activity.defn
async def fails(about: str) -> None:
    raise ApplicationError(f"cannot do it for {about}", about, type="refused", non_retryable=True)


@workflow.defn
class Telling:
    @workflow.run
    async def run(self, about: str) -> str:
        workflow.set_current_details(f"waits for {about}")
        await workflow.sleep(timedelta(milliseconds=1), summary=about)
        return about


@workflow.defn
class Failing:
    @workflow.run
    async def run(self, about: str) -> None:
        await workflow.execute_activity(fails, about, start_to_close_timeout=timedelta(seconds=10), summary=about)


class _Place:
    """Worker and clients of one test."""

    def __init__(self, client: Client, plain: Client, queue: str) -> None:
        self.client, self.plain, self.queue = client, plain, queue


@pytest.fixture
async def place(temporal_address: str, tmp_path: Path) -> AsyncIterator[_Place]:
    client = await connect(Settings(temporal_address=temporal_address, data_dir=tmp_path, codec_keys=OLD))
    queue = f"codec-{uuid.uuid4().hex}"
    async with Worker(
        client,
        task_queue=queue,
        workflows=[Failing, Telling],
        activities=[fails],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        yield _Place(client, await Client.connect(temporal_address), queue)


async def _history(place: _Place, workflow_id: str) -> bytes:
    """As it lies on the server."""
    history = await place.plain.get_workflow_handle(workflow_id).fetch_history()
    return b"".join(event.SerializeToString() for event in history.events)


async def test_failures_cross_the_server_without_their_words(place: _Place) -> None:
    with pytest.raises(WorkflowFailureError) as failed:
        await place.client.execute_workflow("Failing", SECRET, id=place.queue, task_queue=place.queue)
    assert isinstance(failed.value.cause, ActivityError)
    cause = failed.value.cause.cause
    assert isinstance(cause, ApplicationError)
    assert (cause.message, cause.type, cause.details) == (f"cannot do it for {SECRET}", "refused", (SECRET,))
    lying = await _history(place, place.queue)
    for words in (SECRET, "13812341234", "cannot do it", "test_codec.py"):
        assert words.encode() not in lying
    assert b"Encoded failure" in lying


async def test_arguments_results_and_summaries_cross_the_server_unread(place: _Place) -> None:
    handle = await place.client.start_workflow(
        "Telling", SECRET, id=place.queue, task_queue=place.queue, static_summary=SECRET, memo={"about": SECRET}
    )
    assert await handle.result() == SECRET
    description = await handle.describe()
    assert await description.static_summary() == SECRET
    lying = await _history(place, place.queue)
    assert SECRET.encode() not in lying
    raw = (await place.plain.get_workflow_handle(place.queue).describe()).raw_description
    assert SECRET.encode() not in raw.SerializeToString()


async def test_a_worker_with_the_new_key_carries_on_what_an_old_one_began(
    place: _Place, caplog: pytest.LogCaptureFixture
) -> None:
    """And one that lacks a key fails its task and leaves the workflow as it is, until it is told the key."""
    queue = f"codec-{uuid.uuid4().hex}"
    await place.client.start_workflow("Telling", SECRET, id=queue, task_queue=queue)
    lacking = Client(place.plain.service_client, data_converter=data_converter(Keyring.parse(NEW)))
    async with Worker(lacking, task_queue=queue, workflows=[Telling], workflow_runner=UnsandboxedWorkflowRunner()):
        await eventually(lambda: _failed_tasks(place, queue), timeout=30)
    assert "which this process does not have" in caplog.text
    both = Client(place.plain.service_client, data_converter=data_converter(Keyring.parse(f"{NEW},{OLD}")))
    async with Worker(both, task_queue=queue, workflows=[Telling], workflow_runner=UnsandboxedWorkflowRunner()):
        assert await both.get_workflow_handle(queue).result() == SECRET


async def _failed_tasks(place: _Place, workflow_id: str) -> int:
    history = await place.plain.get_workflow_handle(workflow_id).fetch_history()
    return sum(event.HasField("workflow_task_failed_event_attributes") for event in history.events)
