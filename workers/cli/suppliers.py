"""`tongqu supplier`: scores and the lines that made them, objections, lead times, and history out of a file."""

from pathlib import Path
from typing import Annotated, Any

import typer

from workers.cli.options import AsJson, running_api

app = typer.Typer(no_args_is_help=True, help="Suppliers: scores, objections, lead times.")

SupplierId = Annotated[str, typer.Argument(metavar="ID", help="The supplier's id.")]


@app.command()
def score(supplier: SupplierId, as_json: AsJson = False) -> None:
    """A supplier's score and what it is made of."""
    from workers.cli.console import out, print_json

    found = running_api().get("v1", "suppliers", supplier, "score", lines="false")
    if as_json:
        print_json(found["score"])
        return
    from workers.cli.purchase_tables import score_table

    out.print(score_table(found["score"]))


@app.command()
def lines(supplier: SupplierId, as_json: AsJson = False) -> None:
    """Exactly the lines that made the score, and those that were left out, with the reason."""
    from workers.cli.console import out, print_json

    found = running_api().get("v1", "suppliers", supplier, "score", lines="true")
    if as_json:
        print_json(found["lines"])
        return
    from workers.cli.purchase_tables import lines_table

    out.print(lines_table(found["lines"]))


@app.command()
def disputes(
    supplier: Annotated[str | None, typer.Option(help="Only of this supplier.")] = None,
    state: Annotated[str | None, typer.Option(help="open, accepted or rejected.")] = "open",
    as_json: AsJson = False,
) -> None:
    """Objections to lines of scores."""
    from workers.cli.console import out, print_json

    found = running_api().get("v1", "supplier-disputes", supplier=supplier, state=state)
    if as_json:
        print_json(found)
        return
    from workers.cli.purchase_tables import disputes_table

    out.print(disputes_table(found["disputes"]))


@app.command()
def answer(
    supplier: SupplierId,
    order: Annotated[str, typer.Option(help="The purchase order.")],
    line: Annotated[int, typer.Option(min=1, help="The line that was objected to.")],
    accept: Annotated[bool, typer.Option("--accept/--refuse", help="Whether the line is not to count any more.")],
    reason: Annotated[str, typer.Option(help="Why; it is told to the supplier.")],
) -> None:
    """Answer an objection."""
    from workers.cli.console import out, plain

    body: dict[str, Any] = {"order": order, "line": line, "accept": accept, "reason": reason}
    found = running_api().post("v1", "suppliers", supplier, "dispute-answers", body=body).body
    out.print(f"Line {found['line']} of {plain(found['order'])}: {found['state']}")


@app.command("lead-times")
def lead_times(
    supplier: Annotated[str | None, typer.Option(help="Only of this supplier.")] = None, as_json: AsJson = False
) -> None:
    """Working days from order to complete receipt, learned from receipts."""
    from workers.cli.console import out, print_json

    found = running_api().get("v1", "lead-times", supplier=supplier)
    if as_json:
        print_json(found)
        return
    from workers.cli.purchase_tables import lead_times_table

    out.print(lead_times_table(found["lead_times"]))


@app.command()
def history(
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="Deliveries, with tabs.")],
    china: Annotated[bool, typer.Option(help="Count China's public holidays and make-up days.")] = False,
) -> None:
    """Lead times and punctuality of deliveries of the past; fields that cannot be read are reported, not guessed."""
    from activities.buying.history import WrongForm, read, summary, vendors
    from workers.cli.console import CommandFailed, out
    from workers.cli.purchase_tables import dirty_table, history_table

    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            found = read(opened)
    except (WrongForm, UnicodeDecodeError) as error:
        raise CommandFailed(f"{file}: {error}") from error
    out.print(history_table(vendors(found.deliveries, "CN" if china else None)))
    out.print(f"{len(found.deliveries)} deliveries; {len(found.dirty)} fields could not be used:")
    out.print(dirty_table(summary(found.dirty)))
