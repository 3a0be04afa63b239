"""`tongqu import`: orders from files, placed through the API and carried to their end."""

from pathlib import Path
from typing import Annotated

import typer

from workers.cli.console import run

app = typer.Typer(no_args_is_help=True, help="Place orders from files and see what becomes of them.")

Start = Annotated[
    bool | None,
    typer.Option(help="Start a system for this import; without the option, one is started if none is running."),
]
Agents = Annotated[
    bool | None,
    typer.Option(help="Let the example store agent answer for the imported locations. Usual on a system of its own."),
]
Rejects = Annotated[
    Path | None, typer.Option(dir_okay=False, help="Write every bad row to this file, a JSON object each.")
]
Patience = Annotated[
    float, typer.Option(min=1, metavar="S", help="Give up when no order has moved for so many seconds.")
]


@app.command()
def olist(
    directory: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder with the CSV files.")],
    start: Start = None,
    agents: Agents = None,
    rejects: Rejects = None,
    patience: Patience = 120,
) -> None:
    """The marketplace orders of Olist: sellers become locations, categories become SKUs."""
    from workers.importing.run import Options, import_olist

    raise typer.Exit(run(import_olist(directory, Options(start, agents, rejects, patience))))


@app.command()
def ndjson(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help='Lines {"type": "order", …}.')],
    start: Start = None,
    agents: Agents = None,
    rejects: Rejects = None,
    patience: Patience = 120,
) -> None:
    """Locations, stock and orders, one JSON object a line: the body of the API, and its "type" beside."""
    from workers.importing.run import Options, import_ndjson

    raise typer.Exit(run(import_ndjson(file, Options(start, agents, rejects, patience))))
