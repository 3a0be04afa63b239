"""`tongqu bus`: keys and credentials of NATS."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workers.cli.console import out, run

if TYPE_CHECKING:
    from infra.credentials import CredentialDesk, Credentials

app = typer.Typer(no_args_is_help=True, help="Keys of NATS, and partners' credentials on it.")

_SERVER_FILE = "auth.conf"
Partner = Annotated[str, typer.Argument(help="The partner's id.")]
Out = Annotated[Path, typer.Option("--out", help="Where to write the credentials; nobody can show them again.")]


@app.command()
def setup(
    folder: Annotated[Path, typer.Argument(help="Directory for the keys; only its owner can read it.")],
    accounts: Annotated[
        Path, typer.Option(help="Directory in which the server keeps partners' accounts, as the server sees it.")
    ],
) -> None:
    """Make the keys of a NATS server, and the part of its configuration that goes with them. Safe to run again."""
    from infra.nats_keys import BusKeys

    keys = BusKeys(folder.resolve())
    keys.provide()
    config = keys.folder / _SERVER_FILE
    config.write_text(keys.server_config(accounts))
    out.print(
        f"Put {config} beside the server's configuration, and there: include {_SERVER_FILE}\n"
        f"For every process of ours:         TONGQU_NATS_CREDS={keys.service_creds}\n"
        f"For `events`, `gateway`, `fulfilment` and `tongqu provision`: TONGQU_NATS_KEYS={keys.folder}\n"
        f"Put operator.nk and services.nk of {keys.folder} into a safe; nobody needs them from day to day.",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


@app.command()
def issue(
    partner: Partner,
    stream: Annotated[list[str], typer.Option(help="Stream it hears and answers on; repeat it for more.")],
    to: Out,
) -> None:
    """New credentials for a partner, beside those it may have."""
    _give(lambda: run(_issue(partner, stream)), to)


@app.command()
def rotate(
    partner: Partner,
    to: Out,
    overlap_s: Annotated[float, typer.Option(min=0, help="The old ones count for so many seconds more.")] = 86_400,
) -> None:
    """New credentials for a partner, instead of those it has. It loses no event."""
    _give(lambda: run(_rotate(partner, overlap_s)), to)


@app.command()
def revoke(partner: Partner) -> None:
    """Take back all credentials of a partner; its connections end at once."""
    run(_revoke(partner))
    out.print("revoked")


@app.command("list")
def list_credentials() -> None:
    """Credentials that count, by partner."""
    from rich.table import Table

    table = Table("partner", "streams", "public key", "issued", "expires", "ends")
    for row in run(_list()):
        table.add_row(*row)
    out.print(table)


def _give(made: "Callable[[], Credentials]", path: Path) -> None:
    from workers.cli.private import private_file

    with private_file(path) as file:
        credentials = made()
        file.write(credentials.creds.encode())
    out.print(
        f"{path}: for {', '.join(credentials.streams)}, until {credentials.expires_at:%Y-%m-%d}; "
        f"inbox prefix {credentials.inbox}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


@asynccontextmanager
async def _desk() -> "AsyncIterator[CredentialDesk]":
    from infra.credentials import CredentialDesk
    from infra.settings import Settings
    from workers.cli.connections import database

    settings = Settings()
    async with database(settings) as mongo, CredentialDesk.opened(settings, mongo) as desk:
        yield desk


async def _issue(partner: str, streams: list[str]) -> "Credentials":
    async with _desk() as desk:
        return await desk.issue(partner, streams)


async def _rotate(partner: str, overlap_s: float) -> "Credentials":
    async with _desk() as desk:
        return await desk.rotate(partner, overlap_s)


async def _revoke(partner: str) -> None:
    async with _desk() as desk:
        await desk.revoke(partner)


async def _list() -> list[tuple[str, ...]]:
    from infra.settings import Settings
    from workers.cli.connections import database

    rows: list[tuple[str, ...]] = []
    async with database(Settings()) as mongo:
        async for row in mongo.credentials.find({"revoked_at": None}).sort([("partner", 1), ("issued_at", 1)]):
            ends = f"{row['retires_at']:%Y-%m-%d %H:%M}" if row["retires_at"] else ""
            dates = (f"{row['issued_at']:%Y-%m-%d}", f"{row['expires_at']:%Y-%m-%d}")
            rows.append((row["partner"], ", ".join(row["streams"]), row["_id"], *dates, ends))
    return rows
