"""The check of the invariants on the running system, as a table or as JSON."""

from dataclasses import dataclass

from rich.table import Table

from infra.invariants import Finding, Invariant, check, checked, violations
from infra.settings import Settings
from workers.cli.connections import database, jetstream
from workers.cli.console import out, plain, print_json

_COLOURS = {"violation": "red", "warning": "yellow", "information": "cyan"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """`checked` leaves out what could not be looked at."""

    checked: list[Invariant]
    findings: list[Finding]

    @property
    def holds(self) -> bool:
        return not violations(self.findings)


async def reach_verdict(*, stream: bool, provider: bool) -> Verdict:
    settings = Settings()
    payment_url = settings.payment_url if provider else None
    looked_at = checked(stream=stream, provider=payment_url is not None)
    async with database(settings) as mongo:
        if not stream:
            return Verdict(looked_at, await check(mongo, None, payment_url))
        async with jetstream(settings) as js:
            return Verdict(looked_at, await check(mongo, js, payment_url))


def print_verdict(verdict: Verdict, *, as_json: bool) -> None:
    if as_json:
        names = [invariant.name for invariant in verdict.checked]
        findings = [finding.as_dict() for finding in verdict.findings]
        print_json({"holds": verdict.holds, "checked": names, "findings": findings})
        return
    out.print(_table(verdict))
    for finding in verdict.findings:
        colour = _COLOURS[finding.severity]
        out.print(f"[{colour}]{finding.invariant}[/{colour}] ({finding.count})")
        for example in finding.examples:
            out.print(f"  {plain(example)}")
        out.print(f"  [bold]what to do:[/bold] {plain(finding.remedy)}")


def _table(verdict: Verdict) -> Table:
    table = Table("invariant", "promise", "")
    found = {finding.invariant: finding for finding in verdict.findings}
    for invariant in verdict.checked:
        finding = found.get(invariant.name)
        colour = _COLOURS[finding.severity] if finding else "green"
        words = f"{finding.severity}: {finding.count}" if finding else "holds"
        table.add_row(invariant.name, invariant.promise, f"[{colour}]{words}[/{colour}]")
    return table
