"""Connections of commands that look behind the API: the database and the event bus that the settings name."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nats.js import JetStreamContext

from infra.mongo import Mongo
from infra.nats import connect_by
from infra.settings import Settings

_NAME = "tongqu-command"


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[Mongo]:
    mongo = Mongo(settings.require("mongo_url"), settings.mongo_database)
    try:
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
