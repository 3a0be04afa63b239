"""`Prefer: wait=N`: watches until the order has taken a command in."""

import asyncio
import re

from infra.mongo import Mongo

_WAIT = re.compile(r"""(?:^|[,;\s])wait\s*=\s*"?(\d{1,9})"?(?=$|[,;\s])""", re.IGNORECASE)
_FIRST_LOOK_S = 0.03
_LAST_LOOK_S = 0.4


def seconds_to_wait(preferences: list[str], most: int) -> int:
    """What `Prefer` headers ask for. A preference that cannot be read is no preference (RFC 7240)."""
    found = _WAIT.search(",".join(preferences))
    return min(int(found[1]), most) if found else 0


async def taken_in(mongo: Mongo, event: str, within_s: float) -> bool:
    """Whether the inbox event was drained in time. It is marked in the transaction that writes what it did."""
    clock = asyncio.get_running_loop()
    deadline, pause = clock.time() + within_s, _FIRST_LOOK_S
    while True:
        row = await mongo.inbox.find_one({"_id": event}, {"drained": 1})
        if row is None or row["drained"] is not None:
            return True
        left = deadline - clock.time()
        if left <= 0:
            return False
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 1.3, _LAST_LOOK_S)
