"""`python -m workers.gateway --host --port`"""

import argparse
import contextlib
import sys

import uvicorn

from infra.runtime import prepare
from infra.settings import Settings
from workers.gateway.app import create_app, limits_of
from workers.gateway.serving import config

_NOT_STARTED = 3


def main() -> None:
    settings = Settings()
    parser = argparse.ArgumentParser(description="The HTTP gateway of Tongqu.")
    parser.add_argument("--host", default=settings.gateway_host)
    parser.add_argument("--port", type=int, default=settings.gateway_port, help="0 takes a free port")
    options = parser.parse_args()
    limits = limits_of(settings)
    app = create_app(settings, limits)
    prepare()
    where = {"host": options.host, "port": options.port, "proxies": settings.trusted_proxies}
    server = uvicorn.Server(config(app, limits, log_level="info", **where))
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(_NOT_STARTED)


if __name__ == "__main__":
    main()
