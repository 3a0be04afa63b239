"""`tongqu status` and `tongqu refusals`: how the system stands, and what it refuses."""

from typing import Annotated

import typer

from workers.cli.console import out, plain, print_json, run

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def status(as_json: AsJson = False) -> None:
    """Orders by stage, open batches, the oldest open order, what waits to be sent, and how far consumers are."""
    from workers.cli.standing import print_standing, read_standing

    standing = run(read_standing())
    if as_json:
        print_json(standing.as_dict())
    else:
        print_standing(standing)


def refusals(as_json: AsJson = False) -> None:
    """What was refused so far, by place and code."""
    from rich.table import Table

    from workers.cli.standing import read_refusals

    found = run(read_refusals())
    if as_json:
        print_json(found)
        return
    table = Table("where", "code", "times")
    for where, codes in found.items():
        for code, count in sorted(codes.items(), key=lambda one: -one[1]):
            table.add_row(plain(where), plain(code), f"{count:,}")
    out.print(table if found else "Nothing was refused.")
