"""What a measurement was made on, and how durable every write was."""

import os
import platform
from pathlib import Path
from typing import Any

from infra.embedded.nats_server import SYNC_INTERVAL
from infra.embedded.temporal_server import SQLITE_PRAGMAS
from infra.settings import EnvironmentSettings


def settings_of() -> dict[str, Any]:
    settings = EnvironmentSettings()
    nats = "always" if settings.nats_sync_always else f"{SYNC_INTERVAL}; MongoDB's outbox heals the stream"
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "python": platform.python_version(),
        "durability": {
            "temporal": f"SQLite file, {', '.join(f'{k}={v}' for k, v in SQLITE_PRAGMAS.items())}",
            "mongodb": "w=majority, j=true, one member",
            "nats": f"file storage, sync_interval {nats}",
        },
        "caches": {
            "mongodb_cache_gib": settings.mongo_cache_gb,
            "temporal_sqlite": "the server's defaults",
        },
        "batch_max": settings.batch_max,
        "batches_starting": settings.batches_starting,
        "where": "all servers, all processes, the load and the stores on the same cores",
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()
