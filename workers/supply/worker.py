"""The Temporal workers that replenish: runs and transfers, and purchase orders."""

import asyncio
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from datetime import timedelta
from typing import Any

import orjson
from temporalio.client import Client
from temporalio.worker import Worker, WorkerDeploymentConfig, WorkflowRunner

from activities.heartbeat import EVERY_S
from activities.supply.carrying import Ring, SupplyActivities, TransferActivities
from activities.supply.chunks import ForecastActivities
from contracts.replenishing import TASK_QUEUE
from contracts.subjects import WAKE_INBOX
from infra.ending import ended
from infra.mongo import Mongo
from infra.nats import connect_by
from infra.runtime import prepare
from infra.settings import Settings
from infra.temporal import connect, sandbox
from workers.buying import PurchaseStarter, buying_worker
from workers.supply.forecasters import forecasters
from workers.versioned import versioned
from workflows.catalogue import SUPPLY_WORKFLOWS

Activities = list[Callable[..., Any]]


def supply_activities(mongo: Mongo, ring: Ring, pool: Executor) -> Activities:
    """`pool`: processes in which forecasts are reckoned."""
    runs, transfers = SupplyActivities(mongo), TransferActivities(mongo, ring)
    return [
        ForecastActivities(mongo, pool).forecast,
        runs.open,
        runs.transfers,
        runs.propose,
        runs.close,
        runs.left_over,
        runs.group,
        runs.ordered,
        transfers.open,
        transfers.stand,
        transfers.carry_out,
        transfers.remind,
    ]


def supply_worker(
    temporal: Client,
    activities: Sequence[Callable[..., Any]],
    task_queue: str = TASK_QUEUE,
    deployment: WorkerDeploymentConfig | None = None,
    runner: WorkflowRunner | None = None,
) -> Worker:
    """On a queue of its own, so that forecasts keep no order waiting."""
    return Worker(
        temporal,
        task_queue=task_queue,
        workflows=SUPPLY_WORKFLOWS,
        activities=activities,
        workflow_runner=runner or sandbox(),
        deployment_config=deployment,
        max_concurrent_activities=40,
        max_heartbeat_throttle_interval=timedelta(seconds=EVERY_S),
        graceful_shutdown_timeout=timedelta(seconds=10),
    )


async def run(settings: Settings) -> None:
    """Run until told to stop; what is under way then gets ten seconds to finish."""
    mongo = Mongo(settings.require("mongo_url"), settings.mongo_database)
    await mongo.clock.start()
    nats = await connect_by(settings, "supply")
    temporal = await connect(settings)
    jetstream = nats.jetstream()

    async def ring(batches: set[str]) -> None:
        await jetstream.publish(WAKE_INBOX, orjson.dumps({"batches": sorted(batches), "urgent": True}))

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with forecasters() as pool:
        activities = supply_activities(mongo, ring, pool)
        async with (
            supply_worker(temporal, activities, deployment=versioned(settings)),
            buying_worker(temporal, mongo, ring, deployment=versioned(settings)),
        ):
            beside = (mongo.clock.run(), PurchaseStarter(mongo, temporal).run())
            running = [asyncio.create_task(one) for one in beside]
            await stop.wait()
            await ended(running)
    await nats.drain()
    mongo.close()


def main() -> None:
    prepare()
    asyncio.run(run(Settings()))
