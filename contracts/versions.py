"""What is data in versions that never change: policies, commission rules."""

from collections.abc import Iterable
from typing import Protocol, TypeVar


class Versioned(Protocol):
    @property
    def id(self) -> str: ...

    @property
    def version(self) -> int: ...


_Kind = TypeVar("_Kind", bound=Versioned)


def newest(versions: Iterable[_Kind]) -> list[_Kind]:
    """Of each the newest version, by id."""
    found: dict[str, _Kind] = {}
    for one in versions:
        if one.id not in found or found[one.id].version < one.version:
            found[one.id] = one
    return [found[name] for name in sorted(found)]
