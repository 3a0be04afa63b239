"""Connections of commands that look behind the API: the database and the event bus that the settings name."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nats.js import JetStreamContext

from contracts.personal import scrub
from infra.mongo import Mongo
from infra.nats import connect_by
from infra.settings import Settings
from workers.cli.console import CommandFailed

_NAME = "tongqu-command"
_WITHIN_S = 15.0


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[Mongo]:
    """Raises CommandFailed soon, where whoever asks sits before it."""
    url = settings.require("mongo_url")
    mongo = Mongo(url, settings.mongo_database)
    try:
        try:
            await asyncio.wait_for(mongo.ping(), _WITHIN_S)
        except TimeoutError:
            raise CommandFailed(
                f"MongoDB at {scrub(url)} does not answer within {_WITHIN_S:g} s. Nothing that was accepted is lost;"
                " start it, or look into its log, and ask again."
            ) from None
        yield mongo
    finally:
        mongo.close()


@asynccontextmanager
async def jetstream(settings: Settings) -> AsyncIterator[JetStreamContext]:
    client = await connect_by(settings, _NAME)
    try:
        yield client.jetstream()
    finally:
        await client.close()
