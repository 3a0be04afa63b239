"""Things of which each caller may have one under way, in this process."""

from collections.abc import Iterator
from contextlib import contextmanager

from contracts.refusals import Refusal


class OneAtATime:
    """Uploads lie in memory while they are looked into: of each application or partner one."""

    def __init__(self) -> None:
        self._under_way: set[str] = set()

    @contextmanager
    def one(self, caller: str) -> Iterator[None]:
        """Raises Refusal 429 while another of the same caller is under way."""
        if caller in self._under_way:
            raise Refusal(
                "upload_under_way",
                "Another file of yours is being uploaded.",
                remedy="Send one file after the other.",
                status=429,
                retry_after=1,
            )
        self._under_way.add(caller)
        try:
            yield
        finally:
            self._under_way.discard(caller)
