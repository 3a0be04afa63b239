"""What several commands have in common. Light: `tongqu --help` reads it."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from workers.cli.api import Api

AsJson = Annotated[bool, typer.Option("--json", help="Print the API's JSON.")]


def running_api() -> "Api":
    """The API of the system that runs."""
    from infra.settings import Settings
    from workers.cli.api import Api

    return Api(Settings())
