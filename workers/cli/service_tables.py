"""What customer service goes by at the terminal, as tables."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.table import Column, Table

from workers.cli.console import moment, plain

Row = Mapping[str, Any]
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def policies_table(rows: Sequence[Row]) -> Table:
    table = Table(
        Column("policy", overflow="fold"), "version", "regions", "calendar", "normal: first, next, resolved", "ladder"
    )
    for row in rows:
        plain_targets = [one for one in row["targets"] if not one["tiers"] and not one["regions"]]
        normal = next(one for one in plain_targets if one["priority"] == "normal")
        spans = (normal[f"{name}_s"] for name in ("first_response", "next_response", "resolution"))
        table.add_row(
            plain(row["id"]),
            str(row["version"]),
            _joined(row["regions"], "everywhere"),
            plain(row["calendar"]),
            ", ".join(_span(one) for one in spans),
            " > ".join(plain(one["title"]["zh"]) for one in row["ladder"]),
        )
    return table


def calendars_table(rows: Sequence[Row]) -> Table:
    table = Table(
        Column("calendar", overflow="fold"), "version", "title", "zone", "holidays", "days", "hours of Monday"
    )
    for row in rows:
        hours = row["work"]["hours"]
        table.add_row(
            plain(row["id"]),
            str(row["version"]),
            plain(row["title"]["zh"]),
            plain(row["zone"]),
            plain(row["work"]["holidays"]) or "none",
            str(sum(bool(hours[day]) for day in _DAYS)),
            ", ".join(f"{one['opens']}-{one['closes']}" for one in hours["monday"]) or "closed",
        )
    return table


def teams_table(rows: Sequence[Row]) -> Table:
    table = Table(
        Column("team", overflow="fold"),
        "version",
        "level",
        "regions",
        "products",
        "agents",
        "languages",
        "dialects",
        "lead",
    )
    for row in rows:
        agents = row["agents"]
        table.add_row(
            plain(row["id"]),
            str(row["version"]),
            str(row["level"]),
            _joined(row["regions"], "everywhere"),
            _joined(row["products"], "all"),
            str(len(agents)),
            _joined(sorted({name for one in agents for name in one["languages"]}), ""),
            _joined(sorted({name for one in agents for name in one["dialects"]}), ""),
            plain(row["lead"]) or "none",
        )
    return table


def rotas_table(rows: Sequence[Row]) -> Table:
    columns = ("version", "cycle", "from", "holidays", "duties", "changes", "every minute")
    table = Table(Column("rota of", overflow="fold"), *columns)
    for row in rows:
        table.add_row(
            plain(row["team"]),
            str(row["version"]),
            f"{row['cycle_days']} days",
            plain(row["anchor"]),
            f"off by {plain(row['calendar'])}" if row["calendar"] else "worked",
            str(len(row["duties"])),
            str(len(row["changes"])),
            "yes" if row["whole"] else "no",
        )
    return table


def duty_table(rows: Sequence[Row]) -> Table:
    table = Table(
        Column("team", overflow="fold"),
        "level",
        Column("on duty", overflow="fold"),
        "next (UTC)",
        "nobody within four weeks",
    )
    for row in rows:
        following = f"{plain(row['next_agent'])} {moment(row['next_at'])}" if row["next_at"] else "nobody"
        there = ", ".join(f"{plain(one['agent'])} until {moment(one['until'])}" for one in row["now"])
        first = row["gaps"][0] if row["gaps"] else None
        count = row["gaps_in_all"]
        table.add_row(
            plain(row["team"]),
            str(row["level"]),
            there or "[red]nobody[/red]",
            following,
            f"{count} times, first {moment(first['start'])} to {moment(first['end'])}" if first else "never",
        )
    return table


TABLES: Mapping[str, Callable[[Sequence[Row]], Table]] = {
    "policies": policies_table,
    "calendars": calendars_table,
    "teams": teams_table,
    "rotas": rotas_table,
}


def _joined(values: Sequence[str], none: str) -> str:
    return ", ".join(plain(one) for one in values) or none


def _span(seconds: int) -> str:
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours} h {minutes} min" if hours and minutes else f"{hours} h" if hours else f"{minutes} min"
