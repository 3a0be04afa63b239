"""`tongqu supply simulate`: real demand replayed day by day through the policies of production.

Days that nobody has counted yet are counted, as a run does; nothing else is written.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

Replayed = tuple[dict[str, Any], list[str]]


def simulate(
    region: Annotated[str, typer.Argument(help="The region's id.")],
    days: Annotated[int, typer.Option(min=7, max=365, help="Of the past, that are replayed.")] = 28,
    policy: Annotated[
        list[Path] | None,
        typer.Option(exists=True, dir_okay=False, metavar="FILE", help="A policy instead of those kept; repeat it."),
    ] = None,
    out_file: Annotated[
        Path | None, typer.Option("--out", dir_okay=False, metavar="FILE", help="Write everything as JSON.")
    ] = None,
) -> None:
    """Fill rate, stock, turns and cost that the policies would have reached on the demand of the last days."""
    from workers.cli.console import run

    run(_simulate(region, days, policy or [], out_file))


async def _simulate(region: str, days: int, files: list[Path], out_file: Path | None) -> None:
    import json

    from pydantic import ValidationError
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from contracts.refusals import Refusal
    from contracts.supply import SupplyPolicy
    from infra.settings import Settings
    from workers.cli.connections import database
    from workers.cli.console import CommandFailed, err, out, plain

    try:
        instead = [SupplyPolicy.model_validate_json(file.read_text(encoding="utf-8")) for file in files]
    except (ValidationError, UnicodeDecodeError) as error:
        raise CommandFailed(f"This is no policy of replenishment: {error}") from error
    columns = (TextColumn("days of series"), BarColumn(), MofNCompleteColumn())
    async with database(Settings()) as mongo:
        with Progress(*columns, console=err, transient=True) as bar:
            task = bar.add_task("days", total=None)
            try:
                found = await replayed(
                    mongo, region, days, instead, lambda done, of: bar.update(task, completed=done, total=of)
                )
            except Refusal as refusal:
                raise CommandFailed(f"{refusal.detail} {refusal.remedy}") from refusal
    out.print(_table(found), highlight=False)
    out.print(f"held and lost, together: {found['cost'] / 100:,.2f} {plain(found['currency'])}", highlight=False)
    if found["left_out"]:
        out.print(f"{found['left_out']} series are left out: nobody supplies them.", highlight=False)
    if out_file is not None:
        out_file.write_text(json.dumps(found, ensure_ascii=False, indent=1), encoding="utf-8")
        out.print(f"written to {plain(out_file)}", soft_wrap=True)


def _table(found: dict[str, Any]) -> Any:
    from rich.table import Table

    table = Table("class", "series", "asked", "lost", "fill rate", "no shortage", "stock", "turns a year")
    for name, row in found["classes"].items():
        whole = [f"{row[key]:,.0f}" for key in ("series", "asked", "lost")]
        shares = [f"{row[key]:.1%}" for key in ("fill_rate", "no_shortage")]
        table.add_row(name, *whole, *shares, f"{row['stock']:.2f}", f"{row['turns_a_year']:.1f}")
    return table


async def replayed(mongo: Any, name: str, days: int, instead: list[Any], tell: Any) -> dict[str, Any]:
    """Figures of a region. Raises Refusal for one that is unknown, or that has nothing to replay."""
    import asyncio

    from activities.supply.replaying import figures, replay_policies
    from contracts.replenishing import CHUNK

    known = await _read(mongo, name, days, instead)
    parts = [range(begin, min(begin + CHUNK, len(known.wanted))) for begin in range(0, len(known.wanted), CHUNK)]
    outcomes = []
    for number, part in enumerate(parts):
        some = slice(part.start, part.stop)
        outcome = await asyncio.to_thread(
            replay_policies,
            known.table.of(some),
            known.wanted[some],
            known.policies,
            known.sourcing[some],
            days,
            known.planned(some),
            lambda day, number=number: tell(number * days + day, len(parts) * days),  # type: ignore[misc]
        )
        outcomes.append(outcome)
    return {
        "region": name,
        "days": days,
        "policies": sorted({f"{one.id}@{one.version}" for outcome in outcomes for one in outcome.policies}),
        "classes": figures(outcomes),
        "cost": round(sum(outcome.cost for outcome in outcomes)),
        "currency": known.sourcing[0].currency,
        "left_out": known.left_out,
    }


@dataclass(frozen=True, slots=True)
class _Known:
    """`sold`: of each series, what a promotion may name; `promotions`: every version of what was planned."""

    table: Any
    wanted: list[Any]
    sourcing: list[Any]
    policies: list[Any]
    left_out: int
    sold: list[Any]
    promotions: list[Any]

    def planned(self, some: slice) -> Callable[[int], Any]:
        """What was planned for some of the series, before a period, for those from it on."""
        from activities.supply.promotions import Days, plans_of
        from activities.supply.reckoning import AHEAD
        from activities.supply.watching import start_of

        def before(period: int) -> Any:
            day = self.table.start + timedelta(days=period)
            return plans_of(self.promotions, self.sold[some], Days(day, AHEAD, start_of(day)))

        return before


async def _read(mongo: Any, name: str, days: int, instead: list[Any]) -> _Known:
    from activities.supply.chunks import estimated, table_of, wanted_of
    from activities.supply.opening import series_of, unknown_region
    from activities.supply.promotions import Days, plans_of, sold_of
    from activities.supply.promotions import read as read_promotions
    from activities.supply.reading import find_region, read_articles, read_places, read_policies
    from activities.supply.reckoning import AHEAD
    from activities.supply.sources import read_sources, weekly
    from activities.supply.watching import count_days, read_demand, today_of
    from contracts.refusals import Refusal

    region = await find_region(mongo, name)
    if region is None:
        raise unknown_region(name)
    now = datetime.now(UTC)
    today = today_of(now)
    await count_days(mongo, region.history_days, now)
    places = await read_places(mongo, region)
    keys = sorted(await series_of(mongo, region, places, now), key=lambda key: (key[1], key[0]))
    articles = await read_articles(mongo, [sku for _, sku in keys])
    sources = await read_sources(mongo, now, {sku for _, sku in keys}, sorted(places))
    series = [key for key in keys if sources.of(places[key[0]], key[1], today, 1) is not None]
    if not series or region.history_days < 2 * days:
        detail = f"The region {name} has no history of {2 * days} days of anything that is supplied to it."
        remedy = "Ask for fewer days, let the region look further back, or enter who supplies it."
        raise Refusal("nothing_to_replay", detail, remedy=remedy, field="days", status=409)
    whole = Days(today - timedelta(days=region.history_days), region.history_days + AHEAD, now)
    parts = await read_demand(mongo, series, whole.first, today)
    promotions, sold = await read_promotions(mongo, whole), sold_of(series, places, articles)
    table = table_of(parts, articles, estimated(parts), plans_of(promotions, sold, whole))
    weeks = weekly(table)
    supplies = {key: sources.of(places[key[0]], key[1], today, weeks[key]) for key in series}
    return _Known(
        table=table,
        wanted=[wanted_of(key, places[key[0]], articles, supplies[key]) for key in series],
        sourcing=[supplies[key].sourcing for key in series],  # type: ignore[union-attr]
        policies=instead or await read_policies(mongo),
        left_out=len(keys) - len(series),
        sold=sold,
        promotions=promotions,
    )
