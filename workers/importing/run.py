"""One import from its files to its report."""

import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from infra.counting import count_refusals
from infra.invariants import Finding, check
from infra.settings import Settings
from workers.cli.connections import database, jetstream
from workers.cli.console import CommandFailed, out
from workers.importing.agents import Agents
from workers.importing.distances import compare
from workers.importing.ndjson import read_ndjson
from workers.importing.olist import CHANNEL, read_olist
from workers.importing.outcome import Follower
from workers.importing.replay import ApiLost, Progressed, Replayed, replay
from workers.importing.report import Report, show, write_rejects
from workers.importing.rows import BadRow, FileUnusable, Item
from workers.importing.target import Target, target
from workers.shop import Shop

_WHERE = "import"
_AGAIN = "What was sent is kept; the same import places no order twice."


@dataclass(frozen=True, slots=True)
class Options:
    """See `tongqu import --help`. None: what is usual for the kind of import."""

    start: bool | None = None
    agents: bool | None = None
    rejects: Path | None = None
    patience_s: float = 120.0


async def import_olist(directory: Path, options: Options) -> int:
    """Exit status 0 when every order has ended or waits for stock for good, and the invariants hold."""
    _make_room(options)
    try:
        with out.status("reading"):
            olist = read_olist(directory)
    except FileUnusable as unusable:
        raise CommandFailed(f"{unusable}.") from unusable
    report = Report(str(directory), olist.orders_read, olist.left_out, bad=olist.bad)
    report.notes = {
        "paid another sum than items and freight (kept)": olist.paid_differently,
        "sellers without a known place": sum(seller.place is None for seller in olist.sellers.values()),
    }
    items = list(olist.items())
    await _Import(report, options, agents=True, channel=CHANNEL).carry(items, len(items))
    sent_from = {order: [parcel.location for parcel in sent] for order, sent in report.outcome.sent.items()}
    report.comparison = compare(olist, sent_from)
    return _finish(report, options)


async def import_ndjson(file: Path, options: Options) -> int:
    """As `import_olist`."""
    _make_room(options)
    report = Report(str(file), orders_read=0)

    def items() -> Iterator[Item]:
        for item in read_ndjson(file, report.bad.append):
            report.orders_read += item.kind == "order"
            yield item

    try:
        await _Import(report, options, agents=False, channel=None).carry(items(), None)
    except FileUnusable as unusable:
        raise CommandFailed(f"{unusable}.") from unusable
    return _finish(report, options)


class _Import:
    """`agents`: whether they answer on a system that is running already, when nothing is said about it."""

    def __init__(self, report: Report, options: Options, *, agents: bool, channel: str | None) -> None:
        self._report = report
        self._options = options
        self._agents = agents
        self._channel = channel

    async def carry(self, items: Iterable[Item], number: int | None) -> None:
        """Send, wait, and read back how it ended."""
        async with target(self._options.start) as system:
            settings = system.settings
            out.print(f"  Temporal UI  {settings.temporal_ui_url or 'not known'}")
            async with (
                Shop(settings.require("gateway_url"), settings.require("operator_key")) as shop,
                self._answering(system) as agents,
            ):
                try:
                    await self._carry(shop, system, agents, items, number)
                except (ApiLost, aiohttp.ClientError, TimeoutError) as lost:
                    raise CommandFailed(
                        f"The API stopped answering ({type(lost).__name__}: {lost}). {_AGAIN}"
                    ) from lost
            if system.own:
                out.print(f"To look around in what was done: TONGQU_DATA_DIR={system.data_dir} tongqu up")

    @asynccontextmanager
    async def _answering(self, system: Target) -> AsyncIterator[Agents | None]:
        wanted = self._options.agents
        if wanted is None:
            wanted = self._agents or system.own
        if not wanted:
            yield None
            return
        async with Agents(system.settings, system.data_dir) as agents:
            yield agents

    async def _carry(
        self, shop: Shop, system: Target, agents: Agents | None, items: Iterable[Item], number: int | None
    ) -> None:
        report, started = self._report, time.monotonic()
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=out) as bars:
            sending = bars.add_task("sent", total=number)
            replayed = await self._send(shop, agents, items, lambda _, done: bars.advance(sending, done))
            bars.update(sending, total=bars.tasks[sending].completed)
            report.placed, report.placed_before = len(replayed.placed), len(replayed.placed_before)
            report.left_out.update({f"refused: {code}": count for code, count in replayed.orders_refused.items()})
            await _count(system.settings, report.bad)
            report.bad += replayed.refused
            following = bars.add_task("ended, or at rest", total=len(replayed.orders))
            follower = Follower(shop, replayed.orders, self._channel, system.look)
            report.still = await follower.until_still(
                self._options.patience_s, lambda done: bars.update(following, completed=done)
            )
            report.seconds = time.monotonic() - started
            reading = bars.add_task("read back", total=len(replayed.orders))
            report.outcome = await follower.outcome(lambda done: bars.advance(reading, done))
        if system.own:
            report.findings = await _check(system.settings)

    async def _send(self, shop: Shop, agents: Agents | None, items: Iterable[Item], told: Progressed) -> Replayed:
        async def before_orders(locations: list[str]) -> None:
            if agents is not None and not agents.following:
                agents.follow(locations)

        replayed = await replay(shop, items, told, before_orders)
        if agents is not None:
            agents.follow(replayed.locations)
        return replayed


async def _check(settings: Settings) -> list[Finding]:
    async with database(settings) as mongo, jetstream(settings) as js:
        return await check(mongo, js, settings.payment_url)


async def _count(settings: Settings, bad: list[BadRow]) -> None:
    """Count what was refused here; what the API refused, it has counted itself."""
    if settings.mongo_url and bad:
        async with database(settings) as mongo:
            await count_refusals(mongo, _WHERE, [row.code for row in bad])


def _make_room(options: Options) -> None:
    """Better to hear before the import than after it that its bad rows cannot be written."""
    if options.rejects is not None:
        try:
            options.rejects.write_text("")
        except OSError as error:
            raise CommandFailed(f"{options.rejects} cannot be written: {error.strerror}.") from error


def _finish(report: Report, options: Options) -> int:
    if options.rejects is not None:
        write_rejects(report.bad, options.rejects)
    show(report, out)
    return 0 if report.well else 1
