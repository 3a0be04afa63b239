"""`python -m workers.gateway --host --port`"""

import argparse
import gc
import logging

import uvicorn

from infra.settings import Settings
from workers.gateway.app import create_app

_DRAIN_S = 10
_KEEP_ALIVE_S = 65


def main() -> None:
    settings = Settings()
    parser = argparse.ArgumentParser(description="The HTTP gateway of Tongqu.")
    parser.add_argument("--host", default=settings.gateway_host)
    parser.add_argument("--port", type=int, default=settings.gateway_port, help="0 takes a free port")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    app = create_app(settings)
    _collect_seldom()
    uvicorn.run(
        app,
        host=options.host,
        port=options.port,
        log_level="info",
        access_log=False,
        timeout_graceful_shutdown=_DRAIN_S,
        timeout_keep_alive=_KEEP_ALIVE_S,
    )


def _collect_seldom() -> None:
    """Orders are many small objects without cycles: looking for cycles at Python's pace costs a third of the time."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


if __name__ == "__main__":
    main()
