"""What every command shares at the terminal: where it prints, how it says moments, and how it fails."""

import asyncio
import json
import sys
import unicodedata
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any, TypeVar

from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

Result = TypeVar("Result")

_WIDTH_OF_PIPES = 160
"""Where no terminal says how wide it is."""
_WIDEST = 10_000

out = Console(width=None if sys.stdout.isatty() else _WIDTH_OF_PIPES)
err = Console(stderr=True, width=None if sys.stderr.isatty() else _WIDTH_OF_PIPES)

STAGE_COLOURS = {
    "closed": "green",
    "delivered": "green",
    "shipped": "cyan",
    "backordered": "yellow",
    "held": "yellow",
    "cancelling": "yellow",
    "cancelled": "red",
}


class CommandFailed(Exception):
    """A command that cannot do what it was asked; the message says why and what to do, in plain words."""


def run(work: Coroutine[Any, Any, Result]) -> Result:
    return asyncio.run(work)


def print_json(value: object) -> None:
    """Plain JSON, so that another program can read it."""
    words = json.dumps(value, ensure_ascii=False, indent=1, default=str)
    # Outside of texts JSON holds no such character.
    safe = "".join(one if _shown(one) else json.dumps(one)[1:-1] for one in words)
    out.print(safe, markup=False, highlight=False, soft_wrap=True)


def print_whole(table: Table, console: Console = out) -> None:
    """Columns that do not wrap stay whole: where the console is too narrow for them the lines are longer than it."""
    widest = console.options.update(width=_WIDEST)
    table.width = max(console.width, Measurement.get(console, widest, table).minimum)
    console.print(table, crop=False)


def stage(name: str) -> str:
    colour = STAGE_COLOURS.get(name, "blue")
    return f"[{colour}]{escape(name)}[/{colour}]"


def plain(value: object) -> str:
    """Text from outside, which may hold what looks like markup or commands a terminal; nothing where there is
    nothing."""
    return "" if value is None else escape(harmless(str(value)))


def harmless(text: str) -> str:
    """Without what a terminal obeys, and what makes text read otherwise than it is: control characters but tab and
    line feed, those that turn the direction or have no width, and halves of characters are shown as their codes."""
    return "".join(one if _shown(one) else f"<U+{ord(one):04X}>" for one in text)


def _shown(character: str) -> bool:
    return character in "\t\n\u200c\u200d" or unicodedata.category(character) not in ("Cc", "Cf", "Cs")


def moment(value: str | datetime | None) -> str:
    """UTC to the second; an API's text or a database's datetime."""
    if value is None:
        return ""
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def age(since: datetime | None) -> str:
    """How long ago, in the largest unit that is not zero."""
    if since is None:
        return ""
    seconds = max(int((datetime.now(UTC) - since).total_seconds()), 0)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds} s"
