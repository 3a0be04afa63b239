"""Commands on their way through a workflow that takes them one after the other."""

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from temporalio import workflow
from temporalio.exceptions import ApplicationError

Command = TypeVar("Command")


class Asked(Generic[Command]):
    """A command that waits for its turn; `refused` says why it was not carried out."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.done = False
        self.refused: ApplicationError | None = None


async def ask(waiting: deque[Asked[Command]], command: Command) -> None:
    """Put a command behind those that wait, and return when it was carried out. Raises why it was refused."""
    asked = Asked(command)
    waiting.append(asked)
    await workflow.wait_condition(lambda: asked.done)
    if asked.refused is not None:
        raise asked.refused


async def answer_all(waiting: deque[Asked[Command]], take: Callable[[Asked[Command]], Awaitable[None]]) -> None:
    """Before a run ends: carry out what still waits, until everybody who asked has an answer."""
    while not workflow.all_handlers_finished():
        await workflow.wait_condition(lambda: bool(waiting) or workflow.all_handlers_finished())
        if waiting:
            await take(waiting.popleft())
