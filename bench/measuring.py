"""What a run costs: processor time, memory and disk writes by process, operations at MongoDB, events at Temporal."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from temporalio.client import Client

from infra.mongo import Mongo
from infra.processes import Process

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_MIB = 1024 * 1024
SERVERS = ("mongo", "nats", "temporal")
OPERATIONS = ("insert", "query", "update", "delete", "getmore", "command")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far, in seconds (proc_pid_stat(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def written_bytes(pid: int) -> int:
    """Bytes that a process has caused to be sent to the disk (proc_pid_io(5), write_bytes)."""
    for line in Path(f"/proc/{pid}/io").read_text().splitlines():
        name, value = line.split(":")
        if name == "write_bytes":
            return int(value)
    return 0


def resident_mib(pid: int) -> float:
    """Memory of a process that is in RAM now (proc_pid_statm(5), field 2), in MiB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE / _MIB


def pids_of(processes: Mapping[str, Process]) -> dict[str, int]:
    """Process ids by name, of those that run; `load` is this process."""
    return {**{name: one.pid for name, one in processes.items() if one.running}, "load": os.getpid()}


def all_cpu(processes: Mapping[str, Process]) -> dict[str, float]:
    return {name: cpu_seconds(pid) for name, pid in pids_of(processes).items()}


def all_memory(processes: Mapping[str, Process]) -> dict[str, float]:
    return {name: resident_mib(pid) for name, pid in pids_of(processes).items()}


async def operations(mongo: Mongo) -> dict[str, int]:
    """What MongoDB has counted since it started: documents inserted, updates and deletes, queries, all commands.

    `command` counts every command but queries, also the inserts' and updates' own; `transactions`: committed ones.
    """
    status: dict[str, Any] = await mongo.client.admin.command("serverStatus")
    counted = {name: int(status["opcounters"][name]) for name in OPERATIONS}
    documents = {f"{name} documents": int(n) for name, n in status["metrics"]["document"].items()}
    return {**counted, **documents, "transactions": int(status["transactions"]["totalCommitted"])}


async def history_events(temporal: Client, mongo: Mongo) -> int:
    """History events of all batches' workflows; batches that are mere copies (`copied`) have none."""
    total = 0
    async for row in mongo.batches.find({"copied": None}, {"_id": 1}):
        total += (await temporal.get_workflow_handle(row["_id"]).describe()).history_length
    return total


@dataclass(frozen=True, slots=True)
class Cost:
    """What had been spent at one moment, since the processes started; two are subtracted."""

    cpu_s: dict[str, float]
    written: dict[str, int]
    operations: dict[str, int]
    rss_mib: dict[str, float] = field(default_factory=dict)

    @classmethod
    async def now(cls, processes: Mapping[str, Process], mongo: Mongo) -> "Cost":
        pids = pids_of(processes)
        return cls(
            cpu_s={name: cpu_seconds(pid) for name, pid in pids.items()},
            written={name: written_bytes(pids[name]) for name in SERVERS if name in pids},
            operations=await operations(mongo),
            rss_mib={name: resident_mib(pid) for name, pid in pids.items()},
        )

    def since(self, before: "Cost") -> "Cost":
        """What was spent after `before`; memory is that of the end."""
        return Cost(
            cpu_s={name: s - before.cpu_s.get(name, 0.0) for name, s in self.cpu_s.items()},
            written={name: n - before.written.get(name, 0) for name, n in self.written.items()},
            operations={name: n - before.operations.get(name, 0) for name, n in self.operations.items()},
            rss_mib=self.rss_mib,
        )

    def per_order(self, orders: int) -> dict[str, Any]:
        """Milliseconds of CPU, bytes written and operations, each for one order."""
        cpu = {name: round(s / orders * 1000, 4) for name, s in sorted(self.cpu_s.items())}
        return {
            "cpu_ms": cpu,
            "cpu_ms_all": round(sum(cpu.values()), 4),
            "written_bytes": {name: round(n / orders) for name, n in self.written.items()},
            "mongo_operations": round(sum(self.operations[name] for name in OPERATIONS) / orders, 3),
            "mongo_by_kind": {name: round(n / orders, 3) for name, n in self.operations.items()},
        }


async def mongo_operations(mongo: Mongo) -> int:
    """Commands and document writes that MongoDB has counted since it started."""
    counted = await operations(mongo)
    return sum(counted[name] for name in OPERATIONS)
