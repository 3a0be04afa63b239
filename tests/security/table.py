"""The table of who may call what, read from matrix.txt."""

import re
from dataclasses import dataclass
from pathlib import Path

ROLES = ("anonymous", "applicant", "partner_a", "partner_b", "suspended", "shop", "reviewer", "operator", "admin")
IDS = {
    "order": "sec-order",
    "mine": "app-000000000000000001",
    "theirs": "app-000000000000000002",
    "nobodys": "app-000000000000000003",
}
"""What the table calls things by. `mine` is the applicant's."""
_TABLE = Path(__file__).with_name("matrix.txt")
_NAMED = re.compile(r"\{(\w+)=([^}]*)\}")


@dataclass(frozen=True, slots=True)
class Row:
    """`path` as it is called, `operation` as the OpenAPI document has it. `denied`: statuses by role; without a role
    that is let in."""

    method: str
    path: str
    operation: tuple[str, str]
    denied: dict[str, int]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def rows() -> list[Row]:
    """Raises ValueError for a line that is none."""
    return [_row(line) for line in _TABLE.read_text().splitlines() if line.strip() and not line.startswith("#")]


def _row(line: str) -> Row:
    method, written, *cells = line.split()
    if len(cells) != len(ROLES):
        raise ValueError(f"{len(ROLES)} cells are needed: {line}")
    template = _NAMED.sub(r"{\1}", written.partition("?")[0])
    denied = {role: int(cell) for role, cell in zip(ROLES, cells, strict=True) if cell != "+"}
    path = _NAMED.sub(lambda named: IDS.get(named[2], named[2]), written)
    return Row(method, path, (template, method.lower()), denied)
