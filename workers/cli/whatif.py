"""`tongqu what-if`: recorded orders routed anew under other policies, side by side. It never writes."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer


def what_if(
    policy: Annotated[
        list[str],
        typer.Option(metavar="P[@V]|FILE", help="A policy, one of its versions, or a file; repeat it for more."),
    ],
    start: Annotated[
        str | None, typer.Option("--from", metavar="T", help="Orders placed at or after it; the first order.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="T", help="Orders placed before it; now.")] = None,
    against: Annotated[
        str | None, typer.Option(metavar="P0", help="Compare with this policy instead of with what was recorded.")
    ] = None,
    margin: Annotated[
        float, typer.Option(min=0, max=100, metavar="%", help="Of its price, lost with a unit that nobody ships.")
    ] = 40.0,
    out_file: Annotated[
        Path | None, typer.Option("--out", dir_okay=False, metavar="FILE", help="Write everything as JSON.")
    ] = None,
) -> None:
    """What would have come of recorded orders under other policies: cost, parcels, kilometres, losses, load."""
    from workers.cli.console import run
    from workers.whatif.run import Asked

    asked = Asked(policy, moment(start), moment(end) or datetime.now(UTC), against, margin / 100)
    run(_what_if(asked, out_file))


def moment(text: str | None) -> datetime | None:
    """ISO 8601; without an offset it is UTC. Raises CommandFailed."""
    from workers.cli.console import CommandFailed

    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise CommandFailed(f"{text} is no moment; write one as 2026-03-02T09:00:00Z, or a day.") from error


async def _what_if(asked: object, out_file: Path | None) -> None:
    import json

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from contracts.refusals import Refusal
    from infra.settings import Settings
    from workers.cli.connections import database
    from workers.cli.console import CommandFailed, err, out, plain
    from workers.whatif.run import Asked, as_json, run
    from workers.whatif.table import table_of

    assert isinstance(asked, Asked)
    columns = (TextColumn("orders"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    async with database(Settings()) as mongo:
        with Progress(*columns, console=err, transient=True) as bar:
            task = bar.add_task("orders", total=None)
            try:
                outcome = await run(mongo, asked, lambda done, of: bar.update(task, completed=done, total=of))
            except Refusal as refusal:
                raise CommandFailed(f"{refusal.detail} {refusal.remedy}") from refusal
        currencies = await mongo.orders.distinct("currency", {"placed_at": {"$gte": outcome.start, "$lt": asked.end}})
    if outcome.routed == 0:
        raise CommandFailed("No order of that time was routed; choose another --from and --to.")
    if len(currencies) > 1:
        err.print(f"[yellow]Amounts of {', '.join(sorted(currencies))} are added up as if they were one.[/yellow]")
    for part in table_of(outcome, currencies[0]):
        out.print(part, highlight=False, soft_wrap=isinstance(part, str))
    if out_file is not None:
        out_file.write_text(json.dumps(as_json(outcome), ensure_ascii=False, indent=1), encoding="utf-8")
        out.print(f"written to {plain(out_file)}", soft_wrap=True)
