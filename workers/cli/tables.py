"""Master data at the terminal: locations, carriers and policies as tables and lists of facts."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Column, Table

from workers.cli.console import moment, plain

Row = Mapping[str, Any]
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def locations_table(rows: Sequence[Row]) -> Table:
    columns = ("name", "kind", "division", "takes orders", "channels", "cut-off", "a day", "an hour", "keeps back")
    table = Table(Column("location", overflow="fold"), *columns)
    for row in rows:
        table.add_row(
            plain(row["id"]),
            plain(row["name"]),
            plain(row["kind"]),
            plain(row["division"]),
            "yes" if row["active"] else "[yellow]no[/yellow]",
            ", ".join(plain(channel) for channel in row["channels"]),
            plain(row["cut_off"]),
            _limit(row["capacity_per_day"]),
            _limit(row["capacity_per_hour"]),
            str(row["safety_stock"]),
        )
    return table


def location_facts(row: Row) -> Iterator[tuple[str, str]]:
    """Name and value of each, in the markup of the terminal."""
    yield "location", f"[bold]{plain(row['id'])}[/bold] {plain(row['name'])}, version {row['version']}"
    yield "kind", plain(row["kind"])
    yield "takes orders", "yes" if row["active"] else "[yellow]no[/yellow]"
    yield "division", plain(row["division"])
    point = row["point"]
    yield "point", f"{point['lat']:.5f}, {point['lon']:.5f} (WGS84)" if point else "unknown: offered orders last"
    yield "channels", ", ".join(plain(channel) for channel in row["channels"])
    yield "ships to", ", ".join(plain(prefix) for prefix in row["ships_to"]) or "everywhere"
    yield "time to answer", _seconds(row["accept_within_s"])
    yield "time to hand over", _seconds(row["ship_within_s"])
    yield "time zone", plain(row["time_zone"])
    yield from _hours(row["hours"])
    yield "cut-off", plain(row["cut_off"]) or "none"
    yield "parcels a day", _limit(row["capacity_per_day"])
    yield "parcels an hour", _limit(row["capacity_per_hour"])
    yield "keeps of every SKU", str(row["safety_stock"])
    for channel, units in row["channel_buffers"].items():
        yield f"further, from {plain(channel)}", str(units)
    yield "events", f"stream {plain(row['events']['stream'])}, consumer {plain(row['events']['consumer'])}"


def _hours(hours: Row | None) -> Iterator[tuple[str, str]]:
    if hours is None:
        yield "open", "always"
        return
    for day in _DAYS:
        yield day, ", ".join(f"{one['opens']} to {one['closes']}" for one in hours[day]) or "closed"
    if hours["closed"]:
        yield "days off", ", ".join(hours["closed"])


def carriers_table(rows: Sequence[Row]) -> Table:
    columns = ("name", "active", "version", Column("service", overflow="fold"), "zones", "from", "days", "cut-off")
    table = Table(Column("carrier", overflow="fold"), *columns)
    for row in rows:
        for number, service in enumerate(row["services"]):
            rates = service["rates"].values()
            days = sorted({rate["days"] for rate in rates})
            head = (plain(row["id"]), plain(row["name"]), "yes" if row["active"] else "no", str(row["version"]))
            table.add_row(
                *(head if number == 0 else ("",) * len(head)),
                plain(service["id"]),
                str(len(service["rates"])),
                f"{min(rate['first_price'] for rate in rates) / 100:.2f}",
                str(days[0]) if len(days) == 1 else f"{days[0]} to {days[-1]}",
                plain(service["cut_off"]),
            )
    return table


def policies_table(rows: Sequence[Row]) -> Table:
    table = Table("policy", "version", "channels", "regions", "rule", "parcels", "radius", "promise", "made (UTC)")
    for row in rows:
        table.add_row(
            plain(row["id"]),
            str(row["version"]),
            ", ".join(plain(channel) for channel in row["channels"]) or "all",
            ", ".join(plain(region) for region in row["regions"]) or "all",
            plain(row["rule"]),
            str(row["max_parcels"]),
            "any" if row["radius_km"] is None else f"{row['radius_km']:g} km",
            _seconds(row["promise_s"]),
            moment(row["at"]),
        )
    return table


def policy_facts(row: Row) -> Iterator[tuple[str, str]]:
    """Every field under its own name: what is printed can be written into a file for `tongqu policy set`."""
    for name, value in row.items():
        if name == "at":
            yield "made", f"{moment(value)} UTC" if value else "built in"
        elif isinstance(value, list):
            yield name, ", ".join(plain(one) for one in value) or "all"
        elif name.endswith("_s"):
            yield name, f"{value} ({_seconds(value)})" if value is not None else "none"
        else:
            yield name, "none" if value is None else plain(value)


def _seconds(value: int) -> str:
    """In the largest unit that leaves little out."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if value >= size:
            return f"{value / size:g} {unit}" if value % size == 0 else f"{value / size:.1f} {unit}"
    return f"{value} s"


def _limit(value: int | None) -> str:
    return "any" if value is None else str(value)
