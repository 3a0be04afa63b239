"""`python -m workers.fulfilment`: the Temporal workers that carry orders, settle with partners, and carry partners."""

import asyncio
import signal
from datetime import timedelta

import orjson
from temporalio.client import Client
from temporalio.worker import Worker, WorkerDeploymentConfig

from activities.carriers.booking import CarrierActivities
from activities.heartbeat import EVERY_S
from activities.orders.batch import BatchActivities
from activities.orders.settle import PaymentActivities
from activities.returns.carrying import ReturnActivities
from activities.settlement.settling import SettlementActivities
from contracts.fulfilment import TASK_QUEUE
from contracts.settling import TASK_QUEUE as SETTLEMENT_QUEUE
from contracts.subjects import WAKE_INBOX
from infra.carriers import HttpCarrierPort
from infra.mongo import Mongo
from infra.nats import connect_by
from infra.payments import HttpPaymentGateway
from infra.runtime import prepare
from infra.settings import Settings
from infra.temporal import connect, sandbox
from workers.partners import partner_activities, partner_worker
from workers.versioned import versioned
from workflows.catalogue import SETTLEMENT_WORKFLOWS, WORKFLOWS

_HEARTBEATS_EVERY = timedelta(seconds=EVERY_S)
"""Otherwise the client sends them four fifths of the timeout apart, and one that is late counts as a death."""
_OWN_TASKS_WITHIN = timedelta(seconds=5)
"""A batch whose worker is gone, with its workflow in memory, goes to another one after this."""


def settlement_worker(
    temporal: Client,
    mongo: Mongo,
    task_queue: str = SETTLEMENT_QUEUE,
    deployment: WorkerDeploymentConfig | None = None,
) -> Worker:
    """On a queue of its own, so that a month's statements keep no order waiting."""
    settlement = SettlementActivities(mongo)
    return Worker(
        temporal,
        task_queue=task_queue,
        workflows=SETTLEMENT_WORKFLOWS,
        activities=[
            settlement.partners,
            settlement.freeze,
            settlement.publish,
            settlement.carry_out,
            settlement.remind,
        ],
        workflow_runner=sandbox(),
        deployment_config=deployment,
        max_concurrent_activities=4,
        max_heartbeat_throttle_interval=_HEARTBEATS_EVERY,
        graceful_shutdown_timeout=timedelta(seconds=10),
    )


async def run(settings: Settings) -> None:
    """Run until told to stop; what is under way then gets ten seconds to finish."""
    mongo = Mongo(settings.require("mongo_url"), settings.mongo_database)
    await mongo.clock.start()
    nats = await connect_by(settings, "fulfilment")
    temporal = await connect(settings)
    jetstream = nats.jetstream()

    async def ring(batches: set[str]) -> None:
        if batches:
            await jetstream.publish(WAKE_INBOX, orjson.dumps({"batches": sorted(batches), "urgent": True}))

    async with (
        HttpPaymentGateway(settings.require("payment_url")) as gateway,
        HttpCarrierPort(settings.require("carrier_url")) as port,
        partner_activities(settings, mongo, jetstream) as partners,
    ):
        orders = BatchActivities(mongo, ring)
        payments = PaymentActivities(mongo, gateway)
        returns = ReturnActivities(mongo, ring)
        carriers = CarrierActivities(mongo, port)
        worker = Worker(
            temporal,
            task_queue=TASK_QUEUE,
            workflows=WORKFLOWS,
            activities=[orders.advance, payments.settle, carriers.book, returns.advance],
            workflow_runner=sandbox(),
            deployment_config=versioned(settings),
            max_concurrent_activities=50,
            max_heartbeat_throttle_interval=_HEARTBEATS_EVERY,
            sticky_queue_schedule_to_start_timeout=_OWN_TASKS_WITHIN,
            graceful_shutdown_timeout=timedelta(seconds=10),
        )
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with (
            worker,
            settlement_worker(temporal, mongo, deployment=versioned(settings)),
            partner_worker(temporal, partners, deployment=versioned(settings)),
        ):
            told = asyncio.create_task(mongo.clock.run())
            await stop.wait()
            told.cancel()
    await nats.drain()
    mongo.close()


def main() -> None:
    prepare()
    asyncio.run(run(Settings()))


if __name__ == "__main__":
    main()
