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
    scope: Annotated[list[str], typer.Option(help="What the key may do; repeat it for more, or `all`.")],
) -> None:
    """Make a key and print it. It is shown only now; what is stored is its hash."""
    key = run(_create(name, scope))
    out.print(key, markup=False, highlight=False, soft_wrap=True)


async def _create(name: str, scopes: list[str]) -> str:
    from infra.keys import Scope, create_key
    from infra.settings import Settings
    from workers.cli.connections import database

    known = [scope.value for scope in Scope]
    unknown = [scope for scope in scopes if scope not in (*known, _ALL)]
    if unknown:
        raise CommandFailed(f"There is no scope {', '.join(unknown)}. There are: {', '.join(known)}, or {_ALL}.")
    async with database(Settings()) as mongo:
        try:
            return await create_key(mongo, name, known if _ALL in scopes else scopes)
        except ValueError as error:
            raise CommandFailed(f"{error}.") from error
