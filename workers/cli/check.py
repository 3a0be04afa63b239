"""`tongqu check`: every invariant, and whether it holds."""

from collections.abc import Sequence
from typing import Annotated

import typer

from workers.cli.console import out, plain, print_json, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from infra.invariants import Finding, Invariant

_COLOURS = {"violation": "red", "warning": "yellow", "information": "cyan"}


def check(
    as_json: Annotated[bool, typer.Option("--json", help="Print findings as JSON.")] = False,
    stream: Annotated[bool, typer.Option(help="Also compare the outbox with the stream.")] = True,
    provider: Annotated[bool, typer.Option(help="Also compare sums with the payment provider.")] = True,
) -> None:
    """Check the invariants of the system on one snapshot. Exit status 0 only if none is violated."""
    findings, looked_at = run(_check(stream, provider))
    violated = [finding for finding in findings if finding.violated]
    if as_json:
        print_json(
            {
                "holds": not violated,
                "checked": [invariant.name for invariant in looked_at],
                "findings": [finding.as_dict() for finding in findings],
            }
        )
    else:
        _show(findings, looked_at)
    raise typer.Exit(1 if violated else 0)


async def _check(stream: bool, provider: bool) -> "tuple[list[Finding], list[Invariant]]":
    from infra.invariants import check as check_invariants
    from infra.invariants import checked
    from infra.settings import Settings
    from workers.cli.connections import database, jetstream

    settings = Settings()
    payment_url = settings.payment_url if provider else None
    looked_at = checked(stream=stream, provider=payment_url is not None)
    async with database(settings) as mongo:
        if not stream:
            return await check_invariants(mongo, None, payment_url), looked_at
        async with jetstream(settings) as js:
            return await check_invariants(mongo, js, payment_url), looked_at


def _show(findings: "Sequence[Finding]", looked_at: "Sequence[Invariant]") -> None:
    from rich.table import Table

    table = Table("invariant", "promise", "", show_lines=False)
    by_name = {finding.invariant: finding for finding in findings}
    for invariant in looked_at:
        finding = by_name.get(invariant.name)
        colour = _COLOURS[finding.severity] if finding else "green"
        verdict = f"{finding.severity}: {finding.count}" if finding else "holds"
        table.add_row(invariant.name, invariant.promise, f"[{colour}]{verdict}[/{colour}]")
    out.print(table)
    for finding in findings:
        colour = _COLOURS[finding.severity]
        out.print(f"[{colour}]{finding.invariant}[/{colour}] ({finding.count})")
        for example in finding.examples:
            out.print(f"  {plain(example)}")
        out.print(f"  [bold]what to do:[/bold] {plain(finding.remedy)}")
