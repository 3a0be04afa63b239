"""What a run costs: processor time by process, operations at MongoDB, history events at Temporal."""

import os
from collections.abc import Mapping
from pathlib import Path

from temporalio.client import Client

from infra.mongo import Mongo
from infra.processes import Process

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far, in seconds (proc_pid_stat(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def all_cpu(processes: Mapping[str, Process]) -> dict[str, float]:
    times = {name: cpu_seconds(process.pid) for name, process in processes.items() if process.running}
    return {**times, "load": cpu_seconds(os.getpid())}


async def mongo_operations(mongo: Mongo) -> int:
    """Commands and document writes that MongoDB has counted since it started."""
    counters = (await mongo.client.admin.command("serverStatus"))["opcounters"]
    return sum(counters[name] for name in ("insert", "query", "update", "delete", "getmore", "command"))


async def history_events(temporal: Client, mongo: Mongo) -> int:
    """History events of all batches' workflows."""
    total = 0
    async for row in mongo.batches.find({}, {"_id": 1}):
        total += (await temporal.get_workflow_handle(row["_id"]).describe()).history_length
    return total
