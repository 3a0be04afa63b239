"""What several commands have in common. Light: `tongqu --help` reads it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from workers.cli.api import Api

AsJson = Annotated[bool, typer.Option("--json", help="Print the API's JSON.")]

Lang = Annotated[Literal["en", "zh"], typer.Option(help="The language of the words.")]


def running_api() -> "Api":
    """The API of the system that runs."""
    from infra.settings import Settings
    from workers.cli.api import Api

    return Api(Settings())


def reasons_of(row: Mapping[str, Any], lang: str) -> Sequence[str]:
    """Why a supplier was chosen; what was written down before there was Chinese is in English."""
    found: Sequence[str] = (row.get("reasons_zh") if lang == "zh" else None) or row["reasons"]
    return found
