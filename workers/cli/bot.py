"""`tongqu bot`: the first level of service, tried at the command line."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workers.cli.console import CommandFailed

if TYPE_CHECKING:
    from contracts.bot import ToClassify

app = typer.Typer(no_args_is_help=True, help="The first level of service.")


@app.command()
def classify(
    file: Annotated[Path | None, typer.Argument(help="JSON lines; left out: standard input.")] = None,
) -> None:
    """Read JSON lines {"text": ...} and write {"intent", "confidence", "handover"} for each, in their order."""
    from activities.service.bot.understanding import Mind

    try:
        source = file.open(encoding="utf-8") if file else sys.stdin
    except OSError as error:
        raise CommandFailed(f"{file} cannot be read: {error.strerror}. Name a file of JSON lines.") from error
    mind = Mind()
    with source:
        for asked in asked_in(source):
            sys.stdout.write(mind.classified(asked.text).model_dump_json() + "\n")
            sys.stdout.flush()


def asked_in(lines: Iterable[str]) -> "Iterable[ToClassify]":
    """One for each line that is not empty; fields beside `text` are passed over. Raises CommandFailed."""
    import json

    from pydantic import ValidationError

    from contracts.bot import TEXT_MAX, ToClassify

    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield ToClassify(text=json.loads(line)["text"])
        except (ValueError, KeyError, TypeError, ValidationError) as error:
            raise CommandFailed(
                f'Line {number} is no {{"text": "..."}} of at most {TEXT_MAX} characters. '
                "Write one JSON object in a line; nothing after it was read."
            ) from error
