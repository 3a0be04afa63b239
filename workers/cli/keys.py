"""`tongqu key`: API keys for callers."""

from typing import Annotated

import typer

from workers.cli.console import CommandFailed, out, run

app = typer.Typer(no_args_is_help=True, help="API keys for callers.")

_ALL = "all"


@app.callback()
def keys() -> None:
    """API keys for callers."""


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Who calls: lower-case letters, digits, dot, dash, underscore.")],
    scope: Annotated[list[str] | None, typer.Option(help="What the key may do; repeat it for more, or `all`.")] = None,
    partner: Annotated[str | None, typer.Option(help="Whose key it is: good for that partner's streams alone.")] = None,
) -> None:
    """Make a key and print it. It is shown only now; what is stored is its hash."""
    key = run(_create(name, scope or [], partner))
    out.print(key, markup=False, highlight=False, soft_wrap=True)


@app.command()
def revoke(
    partner: Annotated[str | None, typer.Argument(help="Whose keys; all of them.")] = None,
    name: Annotated[str | None, typer.Option(help="All keys of this name that belong to no partner.")] = None,
) -> None:
    """Take keys away. They stop working within a second, and what listens with them is cut off.

    Of a partner its webhooks rest too; its credentials for the bus end with `tongqu bus revoke`, and for a partner that
    has applied all of it with `tongqu partner credentials ID --revoke`.
    """
    if (partner is None) == (name is None):
        raise CommandFailed("Say whose keys: a partner's id, or --name NAME.")
    keys, webhooks = run(_revoke(partner, name))
    out.print(f"{keys} revoked" + (f", {webhooks} webhooks rest" if webhooks else ""))


@app.command("list")
def list_keys() -> None:
    """Who has keys, for what, and since when."""
    from rich.table import Table

    table = Table("name", "partner", "scopes", "made")
    for row in run(_list()):
        table.add_row(*row)
    out.print(table)


async def _revoke(partner: str | None, name: str | None) -> tuple[int, int]:
    """How many keys and webhooks."""
    from contracts.partnership import PartnerRecord
    from infra.keys import revoke_keys, revoke_named
    from infra.settings import Settings
    from infra.webhooks import revoke_webhooks
    from workers.cli.connections import database

    async with database(Settings()) as mongo:
        if partner is None:
            return await revoke_named(mongo, name or ""), 0
        row = await mongo.partners.find_one({"_id": partner})
        keys = await revoke_keys(mongo, partner=partner)
        return keys, await revoke_webhooks(mongo, PartnerRecord.from_row(row).streams if row else [partner])


async def _list() -> list[tuple[str, ...]]:
    from infra.settings import Settings
    from workers.cli.connections import database

    async with database(Settings()) as mongo:
        found = mongo.api_keys.find().sort([("name", 1), ("created_at", 1)])
        return [
            (row["name"], row.get("partner") or "", " ".join(row["scopes"]), f"{row['created_at']:%Y-%m-%d %H:%M}")
            async for row in found
        ]


async def _create(name: str, scopes: list[str], partner: str | None) -> str:
    from infra.keys import Scope, create_key
    from infra.settings import Settings
    from workers.cli.connections import database

    known = [scope.value for scope in Scope]
    scopes = scopes or ([Scope.PARTNER.value] if partner else [])
    if not scopes:
        raise CommandFailed("Say with --scope what the key may do.")
    unknown = [scope for scope in scopes if scope not in (*known, _ALL)]
    if unknown:
        raise CommandFailed(f"There is no scope {', '.join(unknown)}. There are: {', '.join(known)}, or {_ALL}.")
    async with database(Settings()) as mongo:
        try:
            return await create_key(mongo, name, known if _ALL in scopes else scopes, partner=partner)
        except ValueError as error:
            raise CommandFailed(f"{error}.") from error
