"""Loads master data out of files, in requests of a thousand, and says of every bad item where it stands and why."""

import json
from collections import Counter
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from rich.progress import Progress

from workers.cli.api import Api
from workers.cli.console import CommandFailed, err, out, plain

_AT_ONCE = 1000
_SHOWN = 20


def read_json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise CommandFailed(f"{file} cannot be read as JSON: {error}.") from error


def items_of(file: Path, name: str) -> list[Any]:
    """The body of the API, a list, one object, or an object a line. Raises CommandFailed, which names the line."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise CommandFailed(f"{file} cannot be read: {error}.") from error
    except ValueError:
        return _lines(file)
    if isinstance(found, Mapping) and isinstance(found.get(name), list):
        found = found[name]
    return found if isinstance(found, list) else [found]


def _lines(file: Path) -> list[Any]:
    items = []
    for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        if line.strip():
            try:
                items.append(json.loads(line))
            except ValueError as error:
                raise CommandFailed(f"{file} is no JSON, neither as a whole nor line {number}: {error}.") from error
    return items


def load_file(api: Api, file: Path, name: str, *under: str) -> int:
    """Send everything to `v1/<under>/<name>`; the exit status is 1 when an item was refused."""
    items = items_of(file, name)
    if not items:
        raise CommandFailed(f"{file} holds no {name}.")
    outcomes: Counter[str] = Counter()
    refused: list[str] = []
    left = iter(items)
    with Progress(console=err, transient=True) as progress:
        task = progress.add_task(name, total=len(items))
        while chunk := list(islice(left, _AT_ONCE)):
            first = outcomes.total() + 1
            for result in api.put("v1", *under, name, body={name: chunk})["results"]:
                problem = result.get("problem")
                outcomes["refused" if problem else result["outcome"]] += 1
                if problem:
                    refused.append(_words(first + result["index"], problem))
            progress.advance(task, len(chunk))
    for words in refused[:_SHOWN]:
        err.print(words, highlight=False, soft_wrap=True)
    if len(refused) > _SHOWN:
        err.print(f"and {len(refused) - _SHOWN} more")
    out.print(f"{name}: " + ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items())))
    return 1 if refused else 0


def _words(number: int, problem: Mapping[str, Any]) -> str:
    where = f"{plain(problem['field'])}: " if problem.get("field") else ""
    return f"[red]item {number}[/red] {where}{plain(problem['detail'])} {plain(problem['remedy'])}"
