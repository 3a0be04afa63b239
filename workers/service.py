"""`python -m workers.service`: the Temporal worker that carries cases, and loops that see that none is forgotten."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.worker import Worker, WorkerDeploymentConfig, WorkflowRunner

from activities.heartbeat import EVERY_S
from activities.service.bot.answering import Answering
from activities.service.bot.level import Bot
from activities.service.bot.understanding import Mind
from activities.service.carrying import CaseActivities
from activities.service.firstlevel import FirstLevel
from contracts.cases import TASK_QUEUE
from infra.bot_api import HttpBotApi
from infra.cases import Cases
from infra.ending import ended
from infra.keyring import keyring
from infra.mongo import Mongo
from infra.order_api import HttpOrderDesk
from infra.runtime import prepare
from infra.sealing import Sealing
from infra.settings import Settings
from infra.temporal import connect, sandbox
from workers.servicing.recounting import Recounting
from workers.servicing.ringing import Ringing
from workers.servicing.watching import Watching
from workers.versioned import versioned
from workflows.catalogue import SERVICE_WORKFLOWS

log = logging.getLogger(__name__)
CACHED = 2000
"""Of many thousands of open cases few move at a time; the others are replayed from their short histories."""

Activities = list[Callable[..., Any]]


@asynccontextmanager
async def case_activities(
    settings: Settings, cases: Cases, first_level: FirstLevel | None = None
) -> AsyncIterator[Activities]:
    """With orders over the API of the settings. `first_level`: left out, the bot; its model is loaded once."""
    url, key = settings.require("gateway_url"), settings.require("service_key")
    async with HttpOrderDesk(url, key) as desk, HttpBotApi(url, key) as api:
        yield [CaseActivities(cases, desk, first_level or Bot(Mind(), Answering(api))).carry]


def service_worker(
    temporal: Client,
    activities: Sequence[Callable[..., Any]],
    task_queue: str = TASK_QUEUE,
    deployment: WorkerDeploymentConfig | None = None,
    runner: WorkflowRunner | None = None,
    max_cached_workflows: int = CACHED,
) -> Worker:
    return Worker(
        temporal,
        task_queue=task_queue,
        workflows=SERVICE_WORKFLOWS,
        activities=activities,
        workflow_runner=runner or sandbox(),
        deployment_config=deployment,
        max_concurrent_activities=50,
        max_concurrent_local_activities=50,
        max_cached_workflows=max_cached_workflows,
        max_heartbeat_throttle_interval=timedelta(seconds=EVERY_S),
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=5),
        graceful_shutdown_timeout=timedelta(seconds=10),
    )


async def run(settings: Settings) -> None:
    """Run until told to stop; what is under way then gets ten seconds to finish."""
    mongo = Mongo(settings.require("mongo_url"), settings.mongo_database)
    await mongo.clock.start()
    temporal = await connect(settings)
    cases = Cases(mongo, Sealing(keyring(settings)))
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    loops = (
        mongo.clock.run(),
        Ringing(mongo, temporal).run(),
        Watching(cases).run(),
        Recounting(cases).run(),
    )
    async with (
        case_activities(settings, cases) as activities,
        service_worker(temporal, activities, deployment=versioned(settings)),
    ):
        running = [asyncio.create_task(loop) for loop in loops]
        await stop.wait()
        await ended(running)
    mongo.close()


def main() -> None:
    prepare()
    asyncio.run(run(Settings()))


if __name__ == "__main__":
    main()
