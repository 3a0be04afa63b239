"""Reads the dead-letter stream, and sends letters again to where they were sent."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from nats.js import JetStreamContext
from nats.js.errors import NoStreamResponseError, NotFoundError

from contracts.subjects import DLQ, LETTER_DETAIL, LETTER_REASON, LETTER_SUBJECT
from infra.settings import Settings
from workers.cli.connections import jetstream
from workers.cli.console import CommandFailed, moment


class Letter(NamedTuple):
    number: int
    at: datetime | None
    subject: str
    reason: str
    detail: str
    body: bytes

    def text(self) -> str:
        """The body, as far as it is text."""
        return self.body.decode(errors="backslashreplace")

    def as_dict(self) -> dict[str, Any]:
        return {**self._asdict(), "body": self.text(), "at": moment(self.at)}


async def oldest(limit: int) -> tuple[list[Letter], int]:
    """The first letters, and how many there are beside them."""
    async with jetstream(Settings()) as js:
        letters: list[Letter] = []
        async for letter in _all(js):
            letters.append(letter)
            if len(letters) == limit:
                break
        return letters, max((await js.stream_info(DLQ)).state.messages - len(letters), 0)


async def one(number: int) -> Letter:
    async with jetstream(Settings()) as js:
        return await _numbered(js, number)


async def send_again(numbers: Sequence[int], body: bytes | None) -> int:
    """Send the letters of these numbers, or all; with `body` in place of their own. Ends at the first that fails."""
    async with jetstream(Settings()) as js:
        named = [await _numbered(js, number) for number in numbers]
        letters = named or [letter async for letter in _all(js)]
        for letter in letters:
            await _send(js, letter, letter.body if body is None else body)
        return len(letters)


async def _send(js: JetStreamContext, letter: Letter, body: bytes) -> None:
    """Sent, then deleted: after a crash in between it is sent twice under one id, which the stream keeps once."""
    if not letter.subject:
        raise CommandFailed(
            f"Letter {letter.number} has no header {LETTER_SUBJECT}, so nobody knows where it was sent."
        )
    try:
        await js.publish(letter.subject, body, headers={"Nats-Msg-Id": f"redrive:{letter.number}"})
    except NoStreamResponseError as error:
        raise CommandFailed(f"Letter {letter.number}: no stream takes {letter.subject} any more.") from error
    await js.delete_msg(DLQ, letter.number)


async def _all(js: JetStreamContext) -> AsyncIterator[Letter]:
    state = (await js.stream_info(DLQ)).state
    for number in range(state.first_seq, state.last_seq + 1 if state.messages else 0):
        letter = await _read(js, number)
        if letter is not None:
            yield letter


async def _numbered(js: JetStreamContext, number: int) -> Letter:
    letter = await _read(js, number)
    if letter is None:
        raise CommandFailed(f"There is no dead letter {number}; `tongqu dlq list` shows which there are.")
    return letter


async def _read(js: JetStreamContext, number: int) -> Letter | None:
    try:
        message = await js.get_msg(DLQ, number)
    except NotFoundError:
        return None
    headers = message.headers or {}
    subject, reason, detail = (headers.get(name, "") for name in (LETTER_SUBJECT, LETTER_REASON, LETTER_DETAIL))
    return Letter(number, message.time, subject, reason, detail, message.data or b"")
