"""`python -m workers.supply`: the Temporal workers that replenish: runs and transfers, and purchase orders."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from datetime import timedelta
from multiprocessing import get_context, parent_process
from typing import Any

import orjson
from temporalio.client import Client
from temporalio.worker import Worker, WorkerDeploymentConfig, WorkflowRunner

from activities.heartbeat import EVERY_S
from activities.supply.carrying import Ring, SupplyActivities, TransferActivities
from activities.supply.chunks import ForecastActivities
from contracts.replenishing import TASK_QUEUE
from contracts.subjects import WAKE_INBOX
from infra.mongo import Mongo
from infra.nats import connect_by
from infra.runtime import prepare
from infra.settings import Settings
from infra.temporal import connect, sandbox
from workers.buying import PurchaseStarter, buying_worker
from workers.versioned import versioned
from workflows.catalogue import SUPPLY_WORKFLOWS

_FORECASTERS = 2
_CHUNKS_PER_PROCESS = 50
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


def forecasters() -> ProcessPoolExecutor:
    """Begun anew and not forked, because a process with threads of its own may not be; each lives for so many chunks
    that it gives back what its libraries keep."""
    most = max(1, min(_FORECASTERS, os.cpu_count() or 1))
    return ProcessPoolExecutor(
        most, mp_context=get_context("spawn"), initializer=_end_with_parent, max_tasks_per_child=_CHUNKS_PER_PROCESS
    )


def _end_with_parent() -> None:
    """A process that is killed tells nothing to those that it forecasts in: they would wait for work for ever, with all
    their memory."""
    parent = parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


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
            for one in running:
                one.cancel()
    await nats.drain()
    mongo.close()


def main() -> None:
    prepare()
    asyncio.run(run(Settings()))


if __name__ == "__main__":
    main()
