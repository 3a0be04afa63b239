"""`python -m workers.webhooks`"""

import asyncio
import os
import secrets
import signal
import socket
from concurrent.futures import ThreadPoolExecutor

from infra.hearing import Hearing
from infra.keyring import keyring
from infra.mongo import Mongo
from infra.nats import connect_by
from infra.runtime import prepare
from infra.sealing import Sealing
from infra.settings import Settings
from workers.webhooks.app import WebhookWorker, rules_of

_LOOKUPS_AT_ONCE = 256
"""Names that are resolved at one time: some are answered late or never, and nobody else shall wait for them."""


async def run(settings: Settings) -> None:
    """Run until told to stop."""
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(_LOOKUPS_AT_ONCE))
    mongo = Mongo(settings.require("mongo_url"), settings.mongo_database)
    await mongo.clock.start()
    bus = await connect_by(settings, "webhooks")
    worker = WebhookWorker(
        mongo,
        Hearing(bus),
        Sealing(keyring(settings)),
        owner=f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}",
        rules=rules_of(settings),
        private=settings.webhook_private,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, worker.stop)
    told = asyncio.create_task(mongo.clock.run())
    await worker.run()
    told.cancel()
    await bus.close()
    mongo.close()


def main() -> None:
    prepare()
    asyncio.run(run(Settings()))


if __name__ == "__main__":
    main()
