"""A real server that suggests early that a history goes on as a new run; the one that skips time never does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowHistory
from temporalio.testing import WorkflowEnvironment

from infra.embedded import embedded_servers, temporal_server
from infra.settings import Settings
from infra.temporal import connect, register_search_attributes

SUGGESTED_AT = 40
"""Events of a history."""


@asynccontextmanager
async def suggesting_early(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WorkflowEnvironment]:
    early = {**temporal_server.DYNAMIC_CONFIG, "limit.historyCount.suggestContinueAsNew": SUGGESTED_AT}
    monkeypatch.setattr(temporal_server, "DYNAMIC_CONFIG", early)
    settings = Settings(data_dir=data_dir)
    async with embedded_servers(settings, data_dir, mongo=False, nats=False) as servers:
        client = await connect(settings.model_copy(update={"temporal_address": servers.temporal_address}))
        await register_search_attributes(client, "default")
        yield WorkflowEnvironment.from_client(client)


async def histories(client: Client, workflow: str) -> list[WorkflowHistory]:
    """Of all runs of a workflow, the last one first."""
    found, run = [], None
    while True:
        history = await client.get_workflow_handle(workflow, run_id=run).fetch_history()
        found.append(history)
        run = history.events[0].workflow_execution_started_event_attributes.continued_execution_run_id or None
        if run is None:
            return found


def steps(history: WorkflowHistory) -> list[str]:
    """The activities that were asked for, in order."""
    events = history.events
    return [
        event.activity_task_scheduled_event_attributes.activity_type.name
        for event in events
        if event.HasField("activity_task_scheduled_event_attributes")
    ]


def steps_after_it_was_suggested(history: WorkflowHistory) -> int:
    suggested, asked = False, 0
    for event in history.events:
        suggested = suggested or event.workflow_task_started_event_attributes.suggest_continue_as_new
        asked += suggested and event.HasField("activity_task_scheduled_event_attributes")
    return asked
