"""Databases with all indexes, lent to one test after another: to make one takes ten times as long as to empty one."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from infra.indexes import make_indexes
from infra.mongo import Mongo


class Databases:
    """What a test writes in a database that it is lent, the next one does not see; the name it may have seen."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._free: list[str] = []

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[Mongo]:
        """Empty, and as it is after provisioning. One whose use ends with an error is not lent again."""
        name = self._free.pop() if self._free else f"lent_{uuid.uuid4().hex[:8]}"
        mongo = Mongo(self._url, name)
        try:
            await make_indexes(mongo)
            yield mongo
            for collection in await mongo.db.list_collection_names():
                if collection.startswith("system."):
                    await mongo.db[collection].drop()
                else:
                    await mongo.db[collection].delete_many({})
        except BaseException:
            await mongo.client.drop_database(name)
            raise
        else:
            self._free.append(name)
        finally:
            mongo.close()

    async def drop(self) -> None:
        for name in self._free:
            mongo = Mongo(self._url, name)
            await mongo.client.drop_database(name)
            mongo.close()
