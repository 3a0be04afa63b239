"""`tongqu check`: every invariant, and whether it holds."""

from typing import Annotated

import typer

from workers.cli.console import run


def check(
    as_json: Annotated[bool, typer.Option("--json", help="Print findings as JSON.")] = False,
    stream: Annotated[bool, typer.Option(help="Also compare the outbox with the stream.")] = True,
    provider: Annotated[bool, typer.Option(help="Also compare sums with the payment provider.")] = True,
) -> None:
    """Check the invariants of the system on one snapshot. Exit status 0 only if none is violated."""
    from workers.cli.verdict import print_verdict, reach_verdict

    verdict = run(reach_verdict(stream=stream, provider=provider))
    print_verdict(verdict, as_json=as_json)
    raise typer.Exit(0 if verdict.holds else 1)
