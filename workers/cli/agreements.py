"""`tongqu partner agreement`: agreements with partners, their signers and their files."""

from pathlib import Path
from typing import Annotated, Any

import typer

from workers.cli.options import AsJson, running_api

app = typer.Typer(no_args_is_help=True, help="Agreements: who has signed, new links, files.")

AgreementId = Annotated[str, typer.Argument(metavar="ID", help="The agreement's id, <application>-a<number>.")]


@app.command()
def show(agreement: AgreementId, as_json: AsJson = False) -> None:
    """How an agreement stands, and who has signed. It is written down that you looked."""
    from workers.cli.console import out, print_json

    found = running_api().get("v1", "agreements", agreement)
    if as_json:
        print_json(found)
        return
    for part in story(found):
        out.print(part, highlight=False)


@app.command()
def pdf(
    agreement: AgreementId,
    file: Annotated[Path | None, typer.Option("--file", help="Where to write it; left out: <id>.pdf.")] = None,
    draft: Annotated[bool, typer.Option(help="What is signed, without signatures.")] = False,
) -> None:
    """Write the PDF to a file: with all signatures, when there are all."""
    from workers.cli.console import out, plain

    asked = "draft" if draft else None
    content = running_api().content("v1", "agreements", agreement, "pdf", file=asked)
    path = file or Path(f"{agreement}.pdf")
    path.write_bytes(content)
    bare = "" if draft or b"/ByteRange" in content else ": what is to be signed; not all have signed yet"
    out.print(f"{plain(path)}: {len(content)} bytes{bare}")


@app.command()
def resend(
    agreement: AgreementId, signer: Annotated[str, typer.Argument(help="The signer's id, such as partner-1.")]
) -> None:
    """Send a signer a new link; the old one is dead."""
    from workers.cli.console import out, plain

    running_api().post("v1", "agreements", agreement, "resend", body={"signer": signer})
    out.print(f"{plain(signer)} has a new link; the one before it is dead.")


@app.command()
def cancel(agreement: AgreementId, reason: Annotated[str, typer.Option(help="Why; the signers are told.")]) -> None:
    """Withdraw an agreement before all have signed."""
    from workers.cli.console import out, plain

    found = running_api().post("v1", "agreements", agreement, "cancel", body={"reason": reason}).body
    out.print(f"{plain(agreement)} is {plain(found['state'])}")


def story(agreement: dict[str, Any]) -> list[Any]:
    """A line on how it stands, a table of its signers, and what there is to say of its end."""
    from rich.table import Table

    from workers.cli.console import plain

    until = agreement["expires_at"] or "-"
    head = f"{agreement['id']}: {agreement['state']}, {agreement['template']}, signers have until {until}"
    signers = Table("signer", "role", "name", "state", "links", "last", "why")
    for one in agreement["signers"]:
        last = one["answered_at"] or one["seen_at"] or one["sent_at"] or "-"
        cells = (one["id"], one["role"], one["name"], one["state"], str(one["sends"]), last, one["reason"] or "")
        signers.add_row(*(plain(cell) for cell in cells))
    links = [f"{plain(one['id'])} signs at {one['link']}" for one in agreement["signers"] if one["link"]]
    ends = [
        f"{what}: {plain(agreement[name])}"
        for name, what in (
            ("declined_by", "declined by"),
            ("cancel_reason", "withdrawn because"),
            ("effective_from", "counts from"),
            ("effective_until", "until"),
            ("digest", "SHA-256 of what is signed"),
            ("signed_digest", "SHA-256 with all signatures"),
        )
        if agreement[name]
    ]
    findings = (agreement["evidence"] or {}).get("findings") or []
    doubts = [f"the signed file is doubted: {plain(', '.join(findings))}"] if findings else []
    return [plain(head), signers, *links, *ends, *doubts]
