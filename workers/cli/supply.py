"""`tongqu supply`: replenish regions, decide on what is proposed, and see why each quantity is what it is."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from workers.cli.options import AsJson, Lang, reasons_of, running_api
from workers.cli.supply_data import policies, promotions, regions, schedules, sourcing, transfers
from workers.cli.supply_history import import_history
from workers.cli.supply_simulate import simulate

app = typer.Typer(no_args_is_help=True, help="Replenish: forecasts, transfers, purchases.")
app.add_typer(policies, name="policy")
app.add_typer(sourcing, name="sourcing")
app.add_typer(promotions, name="promotions")
app.add_typer(regions, name="region")
app.add_typer(schedules, name="schedule")
app.add_typer(transfers, name="transfer")
app.command()(simulate)
app.command("import")(import_history)

RunId = Annotated[str, typer.Argument(metavar="RUN", help="The run's id, supply-<region>-….")]
Ids = Annotated[list[str] | None, typer.Argument(metavar="[PROPOSAL]...", help="Their ids; or choose with --run.")]
OfRun = Annotated[str | None, typer.Option("--run", help="All undecided of this run that fit.")]
Kind = Annotated[str | None, typer.Option(help="purchase or transfer.")]
Location = Annotated[str | None, typer.Option(help="Only for this location.")]
Source = Annotated[str | None, typer.Option(help="Only from this supplier or location.")]
Sku = Annotated[str | None, typer.Option(help="Only of this SKU.")]
_LOOK_S = 0.5


@app.command()
def run(
    region: Annotated[str, typer.Argument(help="The region's id.")],
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Show how far it is until it is done.")] = True,
) -> None:
    """Replenish a region now."""
    from workers.cli.console import out, plain

    api = running_api()
    started = api.post("v1", "supply", "runs", body={"region": region}).body
    if not wait:
        out.print(f"{plain(started['id'])} started; see it with tongqu supply runs {plain(started['id'])}")
        return
    from workers.cli.supply_tables import run_facts

    found = _watched(api, started["id"])
    for name, value in run_facts(found):
        out.print(f"{name:<20}{value}", soft_wrap=True, highlight=False)
    if found["state"] != "done":
        raise typer.Exit(1)


def _watched(api: Any, run: str) -> dict[str, Any]:
    """Its last state; a bar meanwhile."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from workers.cli.api import ApiRefused
    from workers.cli.console import err

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, transient=True) as bar:
        task, reached = bar.add_task("opening", total=1.0), 0.0
        while True:
            try:
                found: dict[str, Any] = api.get("v1", "supply", "runs", run)
            except ApiRefused as refused:
                # Its first step, which writes the run down, is not done yet.
                if refused.status != 404:
                    raise
            else:
                progress = found["progress"] or {}
                whole = max(progress.get("chunks", 0), 1)
                share = (progress.get("chunks_forecast", 0) * 0.8 + progress.get("chunks_proposed", 0) * 0.15) / whole
                words = f"{progress.get('phase', 'opening')}, {progress.get('series', 0)} series"
                # A process that was killed had written more than whoever goes on knows yet.
                reached = max(reached, share)
                bar.update(task, completed=reached, description=words)
                if found["state"] != "running":
                    return found
            time.sleep(_LOOK_S)


@app.command()
def runs(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="One run, in full.")] = None,
    region: Annotated[str | None, typer.Option(help="Only of this region.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Most runs shown.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Runs, the newest first."""
    from workers.cli.console import out, print_json
    from workers.cli.supply_tables import run_facts, runs_table

    api = running_api()
    if run is not None:
        found = api.get("v1", "supply", "runs", run)
        if as_json:
            print_json(found)
            return
        for name, value in run_facts(found):
            out.print(f"{name:<20}{value}", soft_wrap=True, highlight=False)
        return
    page = api.get("v1", "supply", "runs", region=region, limit=limit)
    if as_json:
        print_json(page)
    else:
        out.print(runs_table(page["runs"]))


@app.command()
def cancel(run: RunId) -> None:
    """End a run; it proposes nothing."""
    from workers.cli.console import out, plain

    running_api().post("v1", "supply", "runs", run, "cancellation", body={})
    out.print(f"{plain(run)} is asked to end")


@app.command()
def proposals(
    run: OfRun = None,
    state: Annotated[
        str | None, typer.Option(help="proposed, approved, changed, rejected, ordered, superseded.")
    ] = None,
    kind: Kind = None,
    location: Location = None,
    source: Source = None,
    sku: Sku = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Most proposals shown.")] = 50,
    as_json: AsJson = False,
) -> None:
    """What runs propose."""
    from workers.cli.console import out, print_json, print_whole
    from workers.cli.supply_tables import proposals_table

    asked = {"run": run, "state": state, "kind": kind, "location": location, "source": source, "sku": sku}
    page = running_api().get("v1", "supply", "proposals", **asked, limit=limit)
    if as_json:
        print_json(page)
        return
    print_whole(proposals_table(page["proposals"]))
    if page["next"]:
        out.print("There are more; narrow the list down, or raise --limit.")


@app.command()
def approve(
    ids: Ids = None,
    run: OfRun = None,
    kind: Kind = None,
    location: Location = None,
    source: Source = None,
    sku: Sku = None,
    value_at_most: Annotated[int | None, typer.Option(help="Only up to this value, in minor units.")] = None,
) -> None:
    """Approve proposals as they are: they are ordered."""
    where = _where(run, kind, location, source, sku, value_at_most)
    _decide("approvals", {"ids": ids} if ids else {"where": where})


@app.command()
def reject(
    reason: Annotated[str, typer.Option(help="Why; it is kept with them.")],
    ids: Ids = None,
    run: OfRun = None,
    kind: Kind = None,
    location: Location = None,
    source: Source = None,
    sku: Sku = None,
) -> None:
    """Reject proposals; the next run looks at their series anew."""
    where = _where(run, kind, location, source, sku, None)
    _decide("rejections", {"reason": reason, **({"ids": ids} if ids else {"where": where})})


@app.command()
def change(
    proposal: Annotated[str | None, typer.Argument(metavar="[PROPOSAL]", help="Its id.")] = None,
    quantity: Annotated[int | None, typer.Argument(min=1, metavar="[QUANTITY]", help="So many instead.")] = None,
    file: Annotated[
        Path | None,
        typer.Option("--from", exists=True, dir_okay=False, metavar="FILE", help="Many: CSV of id, quantity, reason."),
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Kept with it.")] = None,
) -> None:
    """Approve proposals with other quantities."""
    from workers.cli.console import CommandFailed

    if (file is None) == (proposal is None or quantity is None):
        raise CommandFailed("Name a proposal and its quantity, or a file of them with --from.")
    rows = [{"id": proposal, "quantity": quantity}] if file is None else _changes(file)
    _decide("changes", {"proposals": [{**({"reason": reason} if reason else {}), **row} for row in rows]})


def _changes(file: Path) -> list[dict[str, Any]]:
    """Rows of a CSV file with a head."""
    import csv

    from workers.cli.console import CommandFailed

    with file.open(encoding="utf-8-sig", newline="") as lines:
        table = csv.DictReader(lines)
        rows: list[dict[str, Any]] = []
        if not {"id", "quantity"} <= set(table.fieldnames or ()):
            raise CommandFailed(f"{file} needs a first line that names its columns: id,quantity,reason.")
        for row in table:
            units = (row.get("quantity") or "").strip()
            if not row.get("id") or not units.isdecimal() or int(units) < 1:
                raise CommandFailed(f"{file}, line {table.line_num}: id and quantity are needed, a number from 1 on.")
            reason = (row.get("reason") or "").strip()
            rows.append({"id": row["id"].strip(), "quantity": int(units), **({"reason": reason} if reason else {})})
    if not rows:
        raise CommandFailed(f"{file} has no rows below its head, id,quantity,reason.")
    return rows


def _where(*values: Any) -> dict[str, Any]:
    from workers.cli.console import CommandFailed

    names = ("run", "kind", "location", "source", "sku", "value_at_most")
    where = {name: value for name, value in zip(names, values, strict=True) if value is not None}
    if where and "run" not in where:
        raise CommandFailed("Name the run with --run, or the proposals by their ids.")
    return where


def _decide(what: str, body: dict[str, Any]) -> None:
    from workers.cli.console import CommandFailed, err, out, plain

    if not body.get("ids") and not body.get("where") and not body.get("proposals"):
        raise CommandFailed("Name proposals by their ids, or a run with --run.")
    done = running_api().post("v1", "supply", what, body=body).body
    for one in done["refused"]:
        problem = one["problem"]
        err.print(
            f"[red]{plain(one['id'])}[/red] {plain(problem['detail'])} {plain(problem['remedy'])}", soft_wrap=True
        )
    verb = {"approvals": "approved", "rejections": "rejected", "changes": "approved with a change"}[what]
    out.print(f"{done['decided']} {verb}" + (f", {len(done['refused'])} refused" if done["refused"] else ""))
    if done["refused"]:
        raise typer.Exit(1)


@app.command()
def why(
    proposal: Annotated[str, typer.Argument(metavar="PROPOSAL", help="Its id.")],
    html: Annotated[Path | None, typer.Option(dir_okay=False, metavar="FILE", help="Write a picture of it.")] = None,
    lang: Lang = "en",
    as_json: AsJson = False,
) -> None:
    """Why this quantity: demand, lead time, position, multiple, constraint, and a plot of characters."""
    from workers.cli.console import out, plain, print_json
    from workers.cli.supply_plot import plot_of

    if html is not None:
        _write_plot(proposal, html, lang)
        return
    found = running_api().get("v1", "supply", "proposals", proposal, "why")
    if as_json:
        print_json(found)
        return
    out.print(f"[bold]{plain(found['summary'][lang])}[/bold] {found['proposal']['state']}", soft_wrap=True)
    for step in found["steps"]:
        out.print(f"  {step['name']:<12}{plain(step['words'][lang])}", soft_wrap=True, highlight=False)
    of_whom = "instead of" if found["proposal"]["kind"] == "transfer" else "source"  # What would be bought.
    for reason in reasons_of(found["proposal"]["explanation"], lang):
        out.print(f"  {of_whom:<12}{plain(reason)}", soft_wrap=True, highlight=False)
    out.print()
    for line in plot_of(found, out.width, lang):
        out.print(line, soft_wrap=True, highlight=False, markup=False)


@app.command()
def plot(
    proposal: Annotated[str, typer.Argument(metavar="PROPOSAL", help="Its id.")],
    file: Annotated[Path, typer.Option("--file", dir_okay=False, help="Where to write it.")] = Path("why.html"),
    lang: Lang = "en",
) -> None:
    """Draw history, forecast band and position into one file of HTML."""
    _write_plot(proposal, file, lang)


def _write_plot(proposal: str, file: Path, lang: str) -> None:
    from workers.cli.console import out, plain

    page = running_api().text("v1", "supply", "proposals", proposal, "why.html", lang=lang)
    file.write_text(page, encoding="utf-8")
    out.print(f"written to {plain(file)}", soft_wrap=True)
