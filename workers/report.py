"""What became of the orders: numbers from the database, the check of the invariants, and both as a table."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.console import Console
from rich.table import Table

from contracts.orders import TERMINAL
from infra.invariants import check
from infra.invariants.findings import Finding
from infra.mongo import Mongo
from infra.nats import connect_by
from infra.outbox import told
from infra.settings import Settings


@dataclass(frozen=True, slots=True)
class Report:
    """Distances in km of the parcels that reached customers; times in ms from accepted to offered in the stream."""

    stages: dict[str, int]
    batches: int
    redispatched: int
    parcels: int
    split: int
    distance_km: list[float]
    dispatch_ms: list[float]
    findings: list[Finding]

    @property
    def ended(self) -> int:
        return sum(count for stage, count in self.stages.items() if stage in TERMINAL)


async def read_report(mongo: Mongo, settings: Settings) -> Report:
    """Read and check everything; the settings say where the stream and the payment provider are."""
    stages: dict[str, int] = {}
    redispatched = parcels = split = 0
    distances: list[float] = []
    placed = {}
    wanted = {"stage": 1, "placed_at": 1, "parcels.attempt": 1, "parcels.state": 1, "parcels.distance_km": 1}
    async for order in mongo.orders.find({}, wanted):
        stages[order["stage"]] = stages.get(order["stage"], 0) + 1
        redispatched += max(len({parcel["attempt"] for parcel in order["parcels"]}) - 1, 0)
        placed[order["_id"]] = order["placed_at"]
        sent = [parcel for parcel in order["parcels"] if parcel["state"] in ("shipped", "delivered")]
        parcels += len(sent)
        split += len(sent) > 1
        distances += [parcel["distance_km"] for parcel in sent if parcel["distance_km"] is not None]
    first: dict[str, datetime] = {}
    async for event, at in told(mongo, "order.dispatched.v1"):
        order_id = event["subject"]
        first[order_id] = min(at, first.get(order_id, at))
    times = [(at - placed[order_id]).total_seconds() * 1000 for order_id, at in first.items()]
    client = await connect_by(settings, "report")
    try:
        findings = await check(mongo, client.jetstream(), settings.payment_url)
    finally:
        await client.close()
    batches = await mongo.batches.count_documents({})
    return Report(stages, batches, redispatched, parcels, split, distances, times, findings)


def percentile(values: Sequence[float], percent: int) -> float:
    """The smallest value that at least `percent` of all values do not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[max(-(-len(ordered) * percent // 100) - 1, 0)] if ordered else 0.0


def show(report: Report, console: Console) -> None:
    table = Table(title="what became of the orders", show_header=False)
    for stage, count in sorted(report.stages.items()):
        table.add_row(f"orders {stage}", f"{count:,}")
    table.add_row("batches (workflows)", f"{report.batches:,}")
    table.add_row("re-dispatches", f"{report.redispatched:,}")
    table.add_row("parcels to customers", f"{report.parcels:,}  ({report.split:,} orders in several)")
    if report.distance_km:
        mean, median = statistics.fmean(report.distance_km), statistics.median(report.distance_km)
        table.add_row("distance of a parcel", f"mean {mean:,.0f} km, median {median:,.0f} km")
    if report.dispatch_ms:
        p50, p95 = percentile(report.dispatch_ms, 50), percentile(report.dispatch_ms, 95)
        table.add_row("placed → dispatched", f"p50 {p50:,.0f} ms, p95 {p95:,.0f} ms")
    broken = [finding for finding in report.findings if finding.violated]
    table.add_row("invariants", "[red]violated[/red]" if broken else "[green]hold[/green]")
    console.print(table)
    for finding in report.findings:
        colour = "red" if finding.violated else "yellow"
        console.print(f"[{colour}]{finding.invariant}[/{colour}] {finding.count}: {'; '.join(finding.examples)}")
