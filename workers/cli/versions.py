"""`tongqu version`: which version of the workers takes work, and which ones still carry some."""

from typing import TYPE_CHECKING, Annotated

import typer

from workers.cli.console import out, run

if TYPE_CHECKING:
    from infra.versions import Version

app = typer.Typer(no_args_is_help=True, help="Versions of the Temporal workers.")


@app.command()
def current(
    build: Annotated[str, typer.Argument(help="Build id of running workers, as in TONGQU_WORKER_BUILD.")],
) -> None:
    """Let the workers of a build take over: all that begins, and all that runs."""
    run(_current(build))
    out.print(f"{build} is current", markup=False)


@app.command("list")
def list_versions() -> None:
    """Builds, which one is current, and whether the others are still needed."""
    from rich.table import Table

    table = Table("build", "", "drainage")
    for version in run(_list()):
        table.add_row(version.build, "current" if version.current else "", version.drainage)
    out.print(table)


async def _current(build: str) -> None:
    from infra.settings import Settings
    from infra.temporal import connect
    from infra.versions import make_current

    settings = Settings()
    temporal = await connect(settings)
    await make_current(temporal, settings.worker_deployment, build)


async def _list() -> "list[Version]":
    from infra.settings import Settings
    from infra.temporal import connect
    from infra.versions import versions

    settings = Settings()
    temporal = await connect(settings)
    return await versions(temporal, settings.worker_deployment)
