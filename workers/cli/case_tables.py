"""Cases as tables at the terminal."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import RenderableType
from rich.table import Table

from contracts.money import display
from workers.cli.console import age, moment, plain

_COLOURS = {
    "bot": "blue",
    "open": "yellow",
    "waiting_customer": "cyan",
    "waiting_partner": "cyan",
    "waiting_approval": "magenta",
    "resolved": "green",
    "closed": "green",
}
_FACTS = (
    *("kind", "priority", "region", "channel", "order", "parcel", "partner", "team", "assignee", "policy"),
    *("opened_at", "opened_by", "resolved_at", "ends_at", "due", "follows", "merged_into"),
)


def state(name: str) -> str:
    return f"[{_COLOURS.get(name, 'white')}]{plain(name)}[/]"


def table(cases: Sequence[Mapping[str, Any]]) -> Table:
    made = Table("case", "about", "state", "priority", "level", "team", "assignee", "open for", "next promise (UTC)")
    for one in cases:
        made.add_row(
            plain(one["id"]),
            plain(one["kind"]),
            state(one["state"]),
            plain(one["priority"]),
            str((one["ladder"] or {}).get("level", "bot")),
            plain(one["team"]),
            plain(one["assignee"]),
            age(datetime.fromisoformat(one["opened_at"])),
            _promise(one["clocks"]),
        )
    return made


def story(case: Mapping[str, Any], messages: Sequence[Mapping[str, Any]]) -> Iterator[RenderableType]:
    """Facts, clocks, money, messages, and what happened."""
    yield f"{'state':<14}{state(case['state'])}"
    for name in _FACTS:
        if case.get(name) is not None:
            shown = moment(case[name]) if name.endswith("_at") or name == "due" else plain(case[name])
            yield f"{name.replace('_', ' '):<14}{shown}"
    if case["links"]["workflow"]:
        yield f"{'workflow':<14}{plain(case['links']['workflow'])}"
    yield _clocks(case["clocks"])
    if case["compensations"]:
        yield _money(case["compensations"])
    if case["corrections"]:
        yield _corrections(case["corrections"])
    yield _messages(messages)
    yield _timeline(case["timeline"])


def queue_tables(found: Mapping[str, Any]) -> Iterator[RenderableType]:
    yield f"{found['open']} open, {found['breached']} with a broken promise"
    made = Table("team", "level", "open", "waiting", "urgent", "broken", "oldest", "for")
    for one in found["queues"]:
        broken = f"[red]{one['breached']}[/]" if one["breached"] else "0"
        counts = (str(one["level"] or "bot"), str(one["open"]), str(one["waiting"]), str(one["urgent"]), broken)
        made.add_row(
            plain(one["team"] or "(none)"),
            *counts,
            plain(one["oldest_case"]),
            age(datetime.fromisoformat(one["oldest"])),
        )
    yield made
    load = Table("agent", "in hand", "last given (UTC)")
    for one in found["load"]:
        load.add_row(plain(one["agent"]), str(one["open"]), moment(one["last_given"]))
    yield load


def deadlines(found: Mapping[str, Any]) -> Iterator[RenderableType]:
    yield f"{plain(found['case'])} is {state(found['state'])} and waits for {plain(found['waits_for'])}"
    made = Table("clock", "stands so", "target", "used", "due (UTC)", "by", "hours that count")
    for one in found["deadlines"]:
        made.add_row(
            plain(one["clock"]),
            plain(one["state"]),
            _span(one["target_s"]),
            _span(one["used_s"]),
            moment(one["due"]),
            plain(f"{one['policy']}, {one['calendar']}"),
            plain(one["words"]["en"]),
        )
    yield made
    if found["next_at"]:
        yield f"Something happens by itself at {moment(found['next_at'])} UTC."


def _promise(clocks: Mapping[str, Any]) -> str:
    """The nearest of what is promised and not kept yet."""
    promised = [clocks[name] for name in ("first_response", "next_response", "resolution") if clocks[name]]
    open_ones = [one for one in promised if one["met_at"] is None]
    if any(one["breached_at"] for one in open_ones):
        return "[red]broken[/]"
    return min((moment(one["due"]) for one in open_ones if one["due"]), default="")


def _clocks(clocks: Mapping[str, Any]) -> Table:
    made = Table("clock", "target", "started (UTC)", "due (UTC)", "met (UTC)", "broken (UTC)", "stops")
    for name, one in clocks.items():
        if one is not None:
            stops = str(len(one["pauses"]))
            moments = (moment(one[field]) for field in ("started_at", "due", "met_at", "breached_at"))
            made.add_row(plain(name), _span(one["target_s"]), *moments, stops)
    return made


def _money(compensations: Sequence[Mapping[str, Any]]) -> Table:
    made = Table("compensation", "amount", "state", "by", "decided by", "reason", "why not")
    for one in compensations:
        amount = display(one["amount"], one["currency"])
        words = (one["state"], one["by"], one["decided_by"], one["reason"], one["code"])
        made.add_row(str(one["number"]), amount, *(plain(word) for word in words))
    return made


def _corrections(corrections: Sequence[Mapping[str, Any]]) -> Table:
    made = Table("correction", "action", "parcel", "state", "by", "why not")
    for one in corrections:
        words = (one["action"], one["parcel"], one["state"], one["by"], one["code"])
        made.add_row(str(one["number"]), *(plain(word) for word in words))
    return made


def _messages(messages: Sequence[Mapping[str, Any]]) -> Table:
    made = Table("message", "at (UTC)", "from", "text")
    for one in messages:
        sender = f"{one['sender']}{' (inside)' if one['internal'] else ''}"
        made.add_row(str(one["number"]), moment(one["at"]), sender, plain(one["text"]))
    return made


def _timeline(entries: Sequence[Mapping[str, Any]]) -> Table:
    made = Table("at (UTC)", "what", "by", "note")
    for one in entries:
        made.add_row(moment(one["at"]), plain(one["what"]), plain(one["by"]), plain(one["note"]))
    return made


def _span(seconds: float) -> str:
    hours, minutes = divmod(round(seconds) // 60, 60)
    return f"{hours} h {minutes:02d} min"
