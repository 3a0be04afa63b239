"""Which policy holds for an order, and the policies in force, read from the database and kept for a few seconds."""

import time
from collections.abc import Sequence

from contracts.orders import OrderState
from contracts.routing import Policy
from contracts.versions import newest
from infra.mongo import Mongo

KEPT_S = 5.0


def policy_for(policies: Sequence[Policy], channel: str, division: str) -> Policy:
    """The policy for an order of a channel to a division, out of the newest versions (see contracts.routing.Policy).

    The longest beginning of the division counts first, then that the channel is named, then the smallest id, so that
    the answer never depends on the order of `policies`. Where none holds, the built-in defaults do.
    """
    best: tuple[tuple[int, bool], Policy] | None = None
    for policy in sorted(policies, key=lambda one: one.id):
        rank = policy.precision(channel, division)
        if rank is not None and (best is None or rank > best[0]):
            best = (rank, policy)
    return best[1] if best else Policy()


class PolicyOf:
    """The policy of an order, out of those in force; looked up once for each channel and division."""

    def __init__(self, policies: Sequence[Policy]) -> None:
        self.in_force = policies
        self._found: dict[tuple[str, str], Policy] = {}

    def __call__(self, order: OrderState) -> Policy:
        key = (order.channel, order.division)
        if key not in self._found:
            self._found[key] = policy_for(self.in_force, *key)
        return self._found[key]


class Policies:
    """The newest version of every policy in the database."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._policies: list[Policy] = []
        self._read_at = float("-inf")

    async def in_force(self) -> Sequence[Policy]:
        """Read anew when what is known is older than a few seconds. For `policy_for`."""
        if time.monotonic() - self._read_at > KEPT_S:
            rows = [row async for row in self._mongo.policies.find({})]
            self._policies = newest(Policy.model_validate(row) for row in rows)
            self._read_at = time.monotonic()
        return self._policies
