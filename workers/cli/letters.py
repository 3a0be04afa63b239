"""`tongqu dlq`: messages that nobody could read, why, and how to send them again."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from workers.cli.console import CommandFailed, moment, out, plain, print_json, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nats.js import JetStreamContext

app = typer.Typer(no_args_is_help=True, help="Dead letters: messages that could not be read.")

SUBJECT, REASON, DETAIL = "Tongqu-Subject", "Tongqu-Reason", "Tongqu-Detail"
"""Headers that say where a dead letter was sent, and why it could not be taken."""

Numbers = Annotated[list[int] | None, typer.Argument(metavar="NUMBER…", help="Numbers, as `list` shows them.")]


class Letter(NamedTuple):
    number: int
    at: Any
    subject: str
    reason: str
    detail: str
    body: bytes

    def as_dict(self) -> dict[str, Any]:
        return {**self._asdict(), "body": self.body.decode(errors="replace"), "at": moment(self.at)}


@app.command("list")
def list_letters(
    limit: Annotated[int, typer.Option(min=1, help="Most letters shown, the oldest first.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Dead letters, the oldest first."""
    letters, left = run(_list(limit))
    if as_json:
        print_json([letter.as_dict() for letter in letters])
        return
    from rich.table import Table

    table = Table("number", "UTC", "was sent to", "reason", "detail")
    for letter in letters:
        table.add_row(str(letter.number), moment(letter.at), *map(plain, (letter.subject, letter.reason, letter.detail)))
    out.print(table if letters else "There are no dead letters.")
    if left > 0:
        out.print(f"{left} more; see them with --limit.")


@app.command()
def show(number: Annotated[int, typer.Argument(help="Its number, as `list` shows it.")]) -> None:
    """One dead letter with its body."""
    letter = run(_one(number))
    out.print(f"sent to [bold]{plain(letter.subject)}[/bold], dead since {moment(letter.at)} UTC")
    out.print(f"[red]{plain(letter.reason)}[/red]: {plain(letter.detail)}")
    try:
        out.print_json(letter.body.decode())
    except ValueError:
        out.print(repr(letter.body), markup=False, highlight=False)


@app.command()
def redrive(
    numbers: Numbers = None,
    everything: Annotated[bool, typer.Option("--all", help="All dead letters.")] = False,
    body: Annotated[Path | None, typer.Option(help="Send this file's content in place of the body.")] = None,
) -> None:
    """Send dead letters again to where they were sent, and take them out of the dead letters."""
    if bool(numbers) == everything:
        raise CommandFailed("Name the letters to send again, or all of them with --all.")
    if body is not None and (everything or len(numbers or []) != 1):
        raise CommandFailed("A corrected body is for one letter: name its number.")
    sent = run(_redrive(numbers or [], body.read_bytes() if body else None))
    out.print(f"{sent} sent again")


async def _list(limit: int) -> tuple[list[Letter], int]:
    async with _bus() as (js, name):
        state = (await js.stream_info(name)).state
        letters: list[Letter] = []
        async for letter in _letters(js, name):
            letters.append(letter)
            if len(letters) == limit:
                break
        return letters, state.messages - len(letters)


async def _one(number: int) -> Letter:
    async with _bus() as (js, name):
        return await _letter(js, name, number)


async def _redrive(numbers: list[int], body: bytes | None) -> int:
    """In the order of their numbers. What cannot be sent stays where it is, and ends the command."""
    async with _bus() as (js, name):
        wanted = [await _letter(js, name, number) for number in numbers]
        letters = wanted or [letter async for letter in _letters(js, name)]
        for letter in letters:
            await _send_again(js, name, letter, body)
        return len(letters)


async def _send_again(js: "JetStreamContext", name: str, letter: Letter, body: bytes | None) -> None:
    """Sent before it is deleted: a crash in between sends it twice under the same id, which the stream keeps once."""
    from nats.js.errors import NoStreamResponseError

    if not letter.subject:
        raise CommandFailed(f"Letter {letter.number} does not say where it was sent; its header {SUBJECT} is missing.")
    try:
        content = letter.body if body is None else body
        await js.publish(letter.subject, content, headers={"Nats-Msg-Id": f"redrive:{letter.number}"})
    except NoStreamResponseError as error:
        raise CommandFailed(f"Letter {letter.number}: no stream takes {letter.subject} any more.") from error
    await js.delete_msg(name, letter.number)


async def _letters(js: "JetStreamContext", name: str) -> AsyncIterator[Letter]:
    state = (await js.stream_info(name)).state
    for number in range(state.first_seq, state.last_seq + 1 if state.messages else 0):
        letter = await _found(js, name, number)
        if letter is not None:
            yield letter


async def _letter(js: "JetStreamContext", name: str, number: int) -> Letter:
    letter = await _found(js, name, number)
    if letter is None:
        raise CommandFailed(f"There is no dead letter {number}; `tongqu dlq list` shows which there are.")
    return letter


async def _found(js: "JetStreamContext", name: str, number: int) -> Letter | None:
    from nats.js.errors import NotFoundError

    try:
        message = await js.get_msg(name, number)
    except NotFoundError:
        return None
    headers = message.headers or {}
    told = (headers.get(header, "") for header in (SUBJECT, REASON, DETAIL))
    return Letter(number, message.time, *told, message.data or b"")


def _bus() -> Any:
    from contextlib import asynccontextmanager

    from contracts.subjects import DLQ
    from infra.settings import Settings
    from workers.cli.connections import jetstream

    @asynccontextmanager
    async def bus() -> AsyncIterator[tuple["JetStreamContext", str]]:
        async with jetstream(Settings()) as js:
            yield js, DLQ

    return bus()


def parsed(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")
