"""Connection to Temporal: one data converter for clients, workers, tests and replays, and their sandboxes."""

import dataclasses

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleSpec,
)
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from contracts.fulfilment import SEARCH_ATTRIBUTES
from contracts.hours import TIME_ZONE
from contracts.settling import ALL_WORKFLOW, SCHEDULE, TASK_QUEUE, SettleAll
from infra.codec import SealingCodec
from infra.keyring import Keyring, keyring
from infra.settings import Settings

DATA_CONVERTER = pydantic_data_converter
"""How values become payloads. On its way to a server every payload is sealed besides: see `data_converter`."""

_PASSED_THROUGH = ("contracts", "pydantic", "pydantic_core", "annotated_types", "typing_extensions")


def sandbox() -> SandboxedWorkflowRunner:
    """For workers. Our modules hold no state and do no I/O, so they are loaded once: loading the workflows anew for
    each batch took 14 of the 100 ms of an order at night. That they do nothing forbidden is for `strict_sandbox`."""
    return SandboxedWorkflowRunner(
        restrictions=SandboxRestrictions.default.with_passthrough_modules(*_PASSED_THROUGH, "workflows")
    )


def strict_sandbox() -> SandboxedWorkflowRunner:
    """For tests and replays: a workflow that reads the clock, draws a number or does I/O fails."""
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*_PASSED_THROUGH))


def data_converter(keys: Keyring) -> DataConverter:
    """Seals payloads, and what failures say with their stack traces."""
    return dataclasses.replace(
        DATA_CONVERTER,
        payload_codec=SealingCodec(keys),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )


async def connect(settings: Settings) -> Client:
    """Raises NotConfigured, BadKeys, and RuntimeError when Temporal does not answer."""
    return await Client.connect(
        settings.require("temporal_address"),
        namespace=settings.temporal_namespace,
        data_converter=data_converter(keyring(settings)),
    )


async def register_search_attributes(client: Client, namespace: str) -> None:
    """Make our search attributes known to the server. Those it knows already are left as they are."""
    for key in SEARCH_ATTRIBUTES:
        kind = IndexedValueType.ValueType(key.indexed_value_type)
        request = AddSearchAttributesRequest(namespace=namespace, search_attributes={key.name: kind})
        try:
            await client.operator_service.add_search_attributes(request)
        except RPCError as error:
            if error.status is not RPCStatusCode.ALREADY_EXISTS:
                raise


MONTHLY = "0 2 1 * *"
"""Two o'clock on the first of the month."""


async def schedule_settlements(client: Client) -> None:
    """Settle with all partners every month. A schedule that is there, perhaps with other times, is left as it is."""
    action = ScheduleActionStartWorkflow(ALL_WORKFLOW, SettleAll(), id="settlements", task_queue=TASK_QUEUE)
    spec = ScheduleSpec(cron_expressions=[MONTHLY], time_zone_name=TIME_ZONE)
    try:
        await client.create_schedule(SCHEDULE, Schedule(action=action, spec=spec))
    except ScheduleAlreadyRunningError:
        return
