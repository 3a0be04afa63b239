"""`tongqu settlement`: settle with partners, and what is done with a statement."""

from pathlib import Path
from typing import Annotated, Any

import typer

from workers.cli.options import AsJson, running_api

app = typer.Typer(no_args_is_help=True, help="Settle with partners: statements, objections, payment.")

StatementId = Annotated[str, typer.Argument(metavar="ID", help="The statement's id, settlement-<partner>-<period>.")]


@app.command()
def run(
    period: Annotated[str, typer.Argument(help="A month such as 2026-10, or a day such as 2026-10-31.")],
    partner: Annotated[list[str] | None, typer.Option(help="Only this partner; repeat it for more.")] = None,
    until: Annotated[str | None, typer.Option(help="Close the period early, at this moment.")] = None,
    auto_approve_days: Annotated[int | None, typer.Option(min=1, help="Silence for so long approves.")] = None,
) -> None:
    """Start the settlement of a period with all partners that have entries, or with those named."""
    from workers.cli.console import out, plain

    body: dict[str, Any] = {"period": period}
    if partner:
        body["partners"] = partner
    if until:
        body["until"] = until
    if auto_approve_days:
        body["approval"] = {"auto_approve_after_s": auto_approve_days * 86400}
    answer = running_api().post("v1", "settlements", body=body).body
    whom = ", ".join(plain(one) for one in answer["statements"]) if answer["statements"] else "all partners"
    out.print(f"Started for entries before {answer['until']}: {whom}. See them with tongqu settlement list.")


@app.command("list")
def list_statements(
    partner: Annotated[str | None, typer.Option(help="Only this partner's.")] = None,
    period: Annotated[str | None, typer.Option(help="Only of this period.")] = None,
    state: Annotated[str | None, typer.Option(help="Only in this state, such as ready or disputed.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="Most statements shown.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Statements, the newest first."""
    from workers.cli.console import out, print_json

    page = running_api().get("v1", "settlements", partner=partner, period=period, state=state, limit=limit)
    if as_json:
        print_json(page)
        return
    from workers.cli.statements import table

    out.print(table(page["statements"]))
    if page["next"]:
        out.print("There are more; narrow the list down with --partner, --period or --state.")


@app.command()
def show(statement: StatementId, as_json: AsJson = False) -> None:
    """How a statement stands, with its lines and objections."""
    from workers.cli.console import out, print_json

    api = running_api()
    found = api.get("v1", "settlements", statement)
    if as_json:
        print_json(found)
        return
    from workers.cli.statements import story

    content = api.get("v1", "settlements", statement, "json") if found["revisions"] else {"lines": []}
    for part in story(found, content):
        out.print(part, highlight=False)


@app.command()
def pdf(
    statement: StatementId,
    file: Annotated[Path | None, typer.Option("--file", help="Where to write it; left out: <id>.pdf.")] = None,
    revision: Annotated[int | None, typer.Option(min=1, help="Left out: the newest.")] = None,
) -> None:
    """Write the PDF to a file."""
    from workers.cli.console import out, plain

    content = running_api().content("v1", "settlements", statement, "pdf", revision=revision)
    path = file or Path(f"{statement}.pdf")
    path.write_bytes(content)
    out.print(f"{plain(path)}: {len(content)} bytes")


@app.command()
def approve(
    statement: StatementId, note: Annotated[str | None, typer.Option(help="Kept with the statement.")] = None
) -> None:
    """Approve a statement."""
    _command(statement, "approval", {"note": note} if note else {})


@app.command()
def dispute(
    statement: StatementId,
    line: Annotated[list[int], typer.Option(help="The line that is wrong; repeat it for more.")],
    reason: Annotated[str, typer.Option(help="Why; it is told to the retailer.")],
) -> None:
    """Object to lines of a statement."""
    _command(statement, "disputes", {"lines": [{"line": number, "reason": reason} for number in line]})


@app.command()
def answer(
    statement: StatementId,
    line: Annotated[int, typer.Option(help="The line that was objected to.")],
    reason: Annotated[str, typer.Option(help="Why; it is told to the partner.")],
    correct_amount: Annotated[
        int | None, typer.Option(help="What the line should be, in minor units; left out: the objection is rejected.")
    ] = None,
) -> None:
    """Correct a line that was objected to, or say why it stands."""
    body: dict[str, Any] = {"line": line, "accept": correct_amount is not None, "reason": reason}
    if correct_amount is not None:
        body["correct_amount"] = correct_amount
    _command(statement, "answers", body)


@app.command()
def paid(
    statement: StatementId, reference: Annotated[str, typer.Option(help="Your reference of the payment.")]
) -> None:
    """Mark a statement as paid."""
    _command(statement, "payment", {"reference": reference})


def _command(statement: str, command: str, body: dict[str, Any]) -> None:
    from workers.cli.console import out, plain

    found = running_api().post("v1", "settlements", statement, command, body=body).body
    out.print(f"{plain(statement)} is {found['state']}, revision {len(found['revisions'])}")
