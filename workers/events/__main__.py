"""`python -m workers.events`"""

import asyncio
import logging

from infra.settings import Settings
from workers.events.app import EventWorker


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(EventWorker(Settings()).app.run())


if __name__ == "__main__":
    main()
