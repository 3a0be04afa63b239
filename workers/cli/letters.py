"""`tongqu dlq`: messages that nobody could read, why, and how to send them again."""

from pathlib import Path
from typing import Annotated

import typer

from workers.cli.console import CommandFailed, moment, out, plain, print_json, run

app = typer.Typer(no_args_is_help=True, help="Dead letters: messages that could not be read.")

Number = Annotated[int, typer.Argument(metavar="NUMBER", help="Its number, as `list` shows it.")]
Numbers = Annotated[list[int] | None, typer.Argument(metavar="NUMBER…", help="Their numbers, as `list` shows them.")]


@app.command("list")
def list_letters(
    limit: Annotated[int, typer.Option(min=1, help="Most letters shown, the oldest first.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Dead letters, the oldest first."""
    from rich.table import Table

    from workers.cli.dead_letters import oldest

    letters, more = run(oldest(limit))
    if as_json:
        print_json([letter.as_dict() for letter in letters])
        return
    table = Table("number", "UTC", "was sent to", "reason", "detail")
    for letter in letters:
        told = (plain(letter.subject), plain(letter.reason), plain(letter.detail))
        table.add_row(str(letter.number), moment(letter.at), *told)
    out.print(table if letters else "There are no dead letters.")
    if more:
        out.print(f"{more} more; see them with --limit.")


@app.command()
def show(number: Number) -> None:
    """One dead letter with its body."""
    from workers.cli.dead_letters import one

    letter = run(one(number))
    out.print(f"sent to [bold]{plain(letter.subject)}[/bold], dead since {moment(letter.at)} UTC")
    out.print(f"[red]{plain(letter.reason)}[/red]: {plain(letter.detail)}")
    out.print(letter.text(), markup=False, highlight=False, soft_wrap=True)


@app.command()
def redrive(
    numbers: Numbers = None,
    everything: Annotated[bool, typer.Option("--all", help="All dead letters.")] = False,
    body: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Send this file in place of the body.")
    ] = None,
) -> None:
    """Send dead letters again to where they were sent, and take them out of the dead letters."""
    from workers.cli.dead_letters import send_again

    if bool(numbers) == everything:
        raise CommandFailed("Name the letters to send again, or all of them with --all.")
    if body is not None and (everything or len(numbers or []) != 1):
        raise CommandFailed("A corrected body is for one letter: name its number.")
    sent = run(send_again(numbers or [], body.read_bytes() if body else None))
    out.print(f"{sent} sent again")
