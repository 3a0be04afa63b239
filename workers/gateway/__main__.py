"""`python -m workers.gateway --host --port`"""

import argparse

import uvicorn

from infra.runtime import prepare
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
    app = create_app(settings)
    prepare()
    uvicorn.run(
        app,
        host=options.host,
        port=options.port,
        log_level="info",
        access_log=False,
        timeout_graceful_shutdown=_DRAIN_S,
        timeout_keep_alive=_KEEP_ALIVE_S,
    )


if __name__ == "__main__":
    main()
