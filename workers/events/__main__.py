"""`python -m workers.events`"""

import asyncio

from infra.runtime import prepare
from infra.settings import Settings
from workers.events.app import EventWorker


def main() -> None:
    prepare()
    asyncio.run(EventWorker(Settings()).app.run())


if __name__ == "__main__":
    main()
