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
def revoke(partner: Annotated[str, typer.Argument(help="Whose keys; all of them.")]) -> None:
    """Take a partner's keys away. They stop working within a second, and what listens with them is cut off."""
    out.print(f"{run(_revoke(partner))} revoked")


async def _revoke(partner: str) -> int:
    from infra.keys import revoke_keys
    from infra.settings import Settings
    from workers.cli.connections import database

    async with database(Settings()) as mongo:
        return await revoke_keys(mongo, partner=partner)


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
