"""The policy in force, read from the database and kept for a few seconds."""

import time

from contracts.routing import Policy
from infra.mongo import Mongo

KEPT_S = 5.0


class Policies:
    """Reads the newest version of the default policy. Without one in the database the built-in defaults hold."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._policy = Policy()
        self._read_at = float("-inf")

    async def current(self) -> Policy:
        if time.monotonic() - self._read_at > KEPT_S:
            row = await self._mongo.policies.find_one({"id": "default"}, sort=[("version", -1)])
            self._policy = Policy.model_validate(row) if row else Policy()
            self._read_at = time.monotonic()
        return self._policy
