"""Tables of `tongqu supply`."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.table import Column, Table

from contracts.money import display
from workers.cli.console import moment, plain

Row = Mapping[str, Any]
_BAR = 20


def _right(*names: str) -> list[Column]:
    return [Column(name, justify="right") for name in names]


def runs_table(rows: Iterable[Row]) -> Table:
    table = Table("run", "state", "started", *_right("series", "transfers", "purchases"), "undecided")
    for row in rows:
        progress = row["progress"] or {}
        counts = (f"{row['series']}", f"{progress.get('transfers', 0)}", f"{progress.get('purchases', 0)}")
        undecided = str(row["proposals"].get("proposed", 0))
        table.add_row(plain(row["id"]), row["state"], moment(row["started_at"]), *counts, undecided)
    return table


def run_facts(row: Row) -> Iterator[tuple[str, str]]:
    progress, report = row["progress"] or {}, row["transfer_report"]
    whole = max(progress.get("chunks", 0), 1)
    share = (progress.get("chunks_forecast", 0) * 0.8 + progress.get("chunks_proposed", 0) * 0.15) / whole
    share = 1.0 if row["state"] == "done" else share
    full = round(share * _BAR)
    yield "run", plain(row["id"])
    yield "state", row["state"] + (f": {plain(row['why'])}" if row["why"] else "")
    yield "progress", f"{'█' * full}{'░' * (_BAR - full)} {share:.0%} {progress.get('phase', '')}"
    yield "series", f"{row['series']} in {row['chunks']} chunks"
    yield "proposals", ", ".join(f"{count} {state}" for state, count in sorted(row["proposals"].items())) or "none"
    if report:
        saved, freight = display(int(report["saved"]), "CNY"), display(int(report["freight"]), "CNY")
        yield "transfers", f"{report['units']} units, freight {freight}, save {saved}"
        cost = display(int(report["rounds_cost"]), "CNY")
        yield "rounds", f"{report['rounds']}, {report['rounds_km']} km, {cost}"
    if row["workflow_link"]:
        yield "workflow", plain(row["workflow_link"])


def proposals_table(rows: Iterable[Row]) -> Table:
    """Ids stand whole: `why` and `change` are given them."""
    columns = _right("units", "value", "demand", "position", "up to")
    table = Table(
        Column("id", no_wrap=True, overflow="ignore"),
        "kind",
        Column("from", overflow="fold"),
        Column("to", overflow="fold"),
        "sku",
        *columns,
        "state",
    )
    for row in rows:
        why = row["explanation"]
        numbers = (f"{why['demand_mean']:.1f}", f"{position(why['position'])}", f"{why['order_up_to']:.0f}")
        table.add_row(
            plain(row["id"]),
            row["kind"],
            plain(row["source"]),
            plain(row["location"]),
            plain(row["sku"]),
            str(row["quantity"]),
            display(row["value"], row["currency"]),
            *numbers,
            row["state"],
        )
    return table


def position(row: Row) -> int:
    coming = row["on_hand"] + row["purchases"] + row["transfers_in"]
    return int(coming - row["reserved"] - row["backorders"] - row["transfers_out"])


def policies_table(rows: Iterable[Row]) -> Table:
    table = Table("policy", "holds for", "aims at", *_right("review days", "multiple", "minimum", "capacity"))
    for row in rows:
        holds = [*row["classes"], *row["categories"], *row["regions"]]
        aim = f"{row['service']['kind']} {row['service']['value']:.0%}"
        aim = "newsvendor" if row["one_season"] else aim if row["service"]["kind"] != "cost" else "least cost"
        numbers = (row["review_days"], row["order_multiple"], row["minimum_quantity"], row["shelf_capacity"] or "")
        name = f"{plain(row['id'])}@{row['version']}"
        table.add_row(name, plain(", ".join(holds) or "all others"), aim, *(str(one) for one in numbers))
    return table


def sourcing_table(rows: Iterable[Row]) -> Table:
    table = Table("supplier", "sku", "for", *_right("price", "minimum", "multiple", "days"), "active")
    for row in rows:
        numbers = (display(row["price"], row["currency"]), row["minimum"], row["multiple"], row["lead_days"])
        where = row["locations"] or "everywhere"
        active = "yes" if row["active"] else "no"
        table.add_row(plain(row["supplier"]), plain(row["sku"]), where, *(str(one) for one in numbers), active)
    return table


def promotions_table(rows: Iterable[Row]) -> Table:
    table = Table("promotion", "first day", "last day", "of", "for", *_right("strength"), "active")
    for row in rows:
        what = ", ".join([*row["skus"], *row["categories"]])
        where = ", ".join([*row["locations"], *row["divisions"]]) or "everywhere"
        name = f"{plain(row['promotion'])}@{row['version']}"
        active = "yes" if row["active"] else "no"
        days = (row["first_day"], row["last_day"])
        table.add_row(name, *days, plain(what), plain(where), f"{row['strength']:.0%}", active)
    return table


def regions_table(rows: Iterable[Row]) -> Table:
    table = Table("region", "name", "divisions", "hubs", "cron")
    for row in rows:
        parts = (", ".join(row["divisions"]) or "everywhere", ", ".join(row["hubs"]), row["cron"] or "when asked")
        table.add_row(plain(row["id"]), plain(row["name"]), *(plain(part) for part in parts))
    return table


def schedules_table(rows: Iterable[Row]) -> Table:
    table = Table("region", "cron", "time zone", "paused", "next")
    for row in rows:
        following = ", ".join(moment(one) for one in row["next"][:3])
        paused = "yes" if row["paused"] else "no"
        table.add_row(plain(row["region"]), row["cron"] or "when asked", row["time_zone"], paused, following)
    return table


def under_way(transfer: Row) -> int:
    """Units that left and did not arrive yet."""
    return sum(one["shipped"] - one["received"] - one["damaged"] - one["lost"] for one in transfer["lines"])


def transfer_table(lines: Iterable[Row]) -> Table:
    columns = ("asked", "held", "shipped", "received", "damaged", "lost")
    table = Table("SKU", *_right(*columns))
    for line in lines:
        table.add_row(plain(line["sku"]), *(str(line[name]) for name in columns))
    return table


def transfers_table(rows: Iterable[Row]) -> Table:
    transfer = Column("transfer", no_wrap=True)
    table = Table(transfer, "from", "to", "state", *_right("units", "under way"), "ship by", "arrive by")
    for row in rows:
        units = str(sum(one["asked"] for one in row["lines"]))
        ends = (plain(row["source"]), plain(row["destination"]))
        table.add_row(
            plain(row["id"]),
            *ends,
            row["state"],
            units,
            str(under_way(row)),
            moment(row["ship_by"]),
            moment(row["arrive_by"]),
        )
    return table
