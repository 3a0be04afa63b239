"""What the Temporal UI shows of a workflow."""

from collections.abc import Iterable

from temporalio import workflow


def show(rows: Iterable[tuple[str, object]], waits: str) -> None:
    """Facts as a table, and what is waited for."""
    table = "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])
    workflow.set_current_details(f"{table}\n\n**Waits for** {waits}")
