"""Statements as tables at the terminal."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table

from contracts.money import display
from workers.cli.console import moment, plain

_COLOURS = {"ready": "cyan", "disputed": "yellow", "closed": "green", "paid": "green", "carried": "blue"}
_FACTS = ("partner", "period", "until", "state", "previous", "approved_by", "note", "closed_at", "paid_at", "reference")


def _state(name: str) -> str:
    colour = _COLOURS.get(name, "white")
    return f"[{colour}]{plain(name)}[/{colour}]"


def _closing(statement: Mapping[str, Any]) -> str:
    return ", ".join(display(balance["closing"], balance["currency"]) for balance in statement["balances"])


def table(statements: Sequence[Mapping[str, Any]]) -> Table:
    made = Table("statement", "state", "revision", "lines", "closing balance", "objections", "until (UTC)")
    for one in statements:
        last = one["revisions"][-1] if one["revisions"] else {"number": 0, "lines": 0}
        still_open = sum(dispute["state"] == "open" for dispute in one["disputes"])
        objections = f"{len(one['disputes'])}, open {still_open}" if one["disputes"] else ""
        facts = (str(last["number"]), str(last["lines"]), _closing(one), objections, moment(one["until"]))
        made.add_row(plain(one["id"]), _state(one["state"]), *facts)
    return made


def story(statement: Mapping[str, Any], content: Mapping[str, Any]) -> Iterator[RenderableType]:
    """Facts, balances, lines and objections."""
    for name in _FACTS:
        if statement.get(name) is not None:
            yield f"{name.replace('_', ' '):<14}{plain(statement[name])}"
    if statement["links"]["workflow"]:
        yield f"{'workflow':<14}{plain(statement['links']['workflow'])}"
    for balance in statement["balances"]:
        yield _balance(balance)
    yield _lines(content["lines"])
    if statement["disputes"]:
        yield _disputes(statement["disputes"])


def _balance(balance: Mapping[str, Any]) -> Table:
    made = Table("balance", plain(balance["currency"]))
    for name, amount in (
        ("opening", balance["opening"]),
        *balance["amounts"].items(),
        ("closing", balance["closing"]),
    ):
        made.add_row(plain(name), display(amount, balance["currency"]))
    return made


def _lines(lines: Sequence[Mapping[str, Any]]) -> Table:
    made = Table("line", "at (UTC)", "cause", "amounts", "amount")
    for line in lines:
        amounts = ", ".join(f"{name} {display(value, line['currency'])}" for name, value in line["amounts"].items())
        total = display(line["amount"], line["currency"])
        made.add_row(str(line["number"]), moment(line["at"]), plain(line["cause"]), amounts, total)
    return made


def _disputes(disputes: Sequence[Mapping[str, Any]]) -> Table:
    made = Table("line", "objection", "by", "state", "answer")
    for one in disputes:
        made.add_row(str(one["line"]), plain(one["reason"]), plain(one["by"]), one["state"], plain(one["answer"]))
    return made
