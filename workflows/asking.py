"""Commands on their way through a workflow that takes them one after the other."""

from typing import Generic, TypeVar

from temporalio.exceptions import ApplicationError

Command = TypeVar("Command")


class Asked(Generic[Command]):
    """A command that waits for its turn; `refused` says why it was not carried out."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.done = False
        self.refused: ApplicationError | None = None
