"""`python -m workers.fulfilment`: the Temporal worker that carries orders."""

import asyncio
import signal
from datetime import timedelta

import orjson
from temporalio.worker import Worker

from activities.orders.batch import BatchActivities
from activities.orders.settle import PaymentActivities
from activities.returns.carrying import ReturnActivities
from contracts.fulfilment import TASK_QUEUE
from contracts.subjects import WAKE_INBOX
from infra.mongo import Mongo
from infra.nats import connect as connect_nats
from infra.payments import HttpPaymentGateway
from infra.runtime import prepare
from infra.settings import Settings
from infra.temporal import connect, sandbox
from workflows import WORKFLOWS


async def run(settings: Settings) -> None:
    """Run until told to stop; what is under way then gets ten seconds to finish."""
    mongo = Mongo(settings.require("mongo_url"), settings.mongo_database)
    nats = await connect_nats(settings.require("nats_url"), "fulfilment")
    temporal = await connect(settings.require("temporal_address"), settings.temporal_namespace)
    jetstream = nats.jetstream()

    async def ring(batches: set[str]) -> None:
        if batches:
            await jetstream.publish(WAKE_INBOX, orjson.dumps({"batches": sorted(batches), "urgent": True}))

    async with HttpPaymentGateway(settings.require("payment_url")) as gateway:
        orders = BatchActivities(mongo, ring)
        payments = PaymentActivities(mongo, gateway)
        returns = ReturnActivities(mongo, ring)
        worker = Worker(
            temporal,
            task_queue=TASK_QUEUE,
            workflows=WORKFLOWS,
            activities=[orders.advance, payments.settle, returns.advance],
            workflow_runner=sandbox(),
            max_concurrent_activities=50,
            graceful_shutdown_timeout=timedelta(seconds=10),
        )
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with worker:
            await stop.wait()
    await nats.drain()
    mongo.close()


def main() -> None:
    prepare()
    asyncio.run(run(Settings()))


if __name__ == "__main__":
    main()
