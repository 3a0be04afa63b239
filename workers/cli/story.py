"""The whole story of one order, as tables: where it stands, its parcels, its money, why it went where, and when."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table

from contracts.divisions import UnknownDivision, name_of
from contracts.money import display
from workers.cli.console import moment, plain, stage

Row = Mapping[str, Any]


def story(order: Row) -> Iterator[RenderableType]:
    yield _head(order)
    yield _lines(order)
    if order["parcels"]:
        yield _parcels(order["parcels"])
    for decision in order["decisions"]:
        yield _decision(decision)
    yield _timeline(order["timeline"])


def _head(order: Row) -> Table:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_row("order", f"[bold]{plain(order['id'])}[/bold]")
    table.add_row("stage", stage(order["stage"]) + (", held" if order["held"] else ""))
    table.add_row("reason", plain(order["reason"]))
    if order["attention"]:
        attention = order["attention"]
        table.add_row("[red]attention[/red]", f"[red]{plain(attention['code'])}[/red]: {plain(attention['detail'])}")
        table.add_row("", f"tongqu order retry|reroute|release|cancel {plain(order['id'])} --reason …")
    if order["cancellation"]:
        asked = order["cancellation"]
        table.add_row("cancellation", f"{asked['outcome']}: {plain(asked['reason'])}, by {plain(asked['by'])}")
    table.add_row("placed", f"{moment(order['placed_at'])} UTC over {plain(order['channel'])}")
    table.add_row("ended", moment(order["closed_at"]))
    table.add_row("next deadline", moment(order["due"]))
    table.add_row("to", f"{plain(order['division'])} {_division(order['division'])}")
    table.add_row("not asked again", ", ".join(plain(place) for place in order["excluded"]))
    table.add_row("payment", _payment(order))
    table.add_row("workflow", plain(order["links"]["workflow"] or "none yet: it waits for a batch"))
    return _without_empty(table)


def _without_empty(table: Table) -> Table:
    kept = Table(show_header=False, box=None, pad_edge=False)
    names, values = (list(column.cells) for column in table.columns)
    for name, value in zip(names, values, strict=True):
        if value:
            kept.add_row(name, value)
    return kept


def _division(code: str) -> str:
    try:
        return plain(name_of(code))
    except UnknownDivision:
        return ""


def _payment(order: Row) -> str:
    pay, currency = order["payment"], order["currency"]
    sums = [f"{name} {display(pay[name], currency)}" for name in ("authorised", "captured", "refunded") if pay[name]]
    return f"{display(order['total'], currency)} {pay['method']}" + (f": {', '.join(sums)}" if sums else "")


def _lines(order: Row) -> Table:
    table = Table("line", "sku", "units", "unit price", "share of total", title="lines", title_justify="left")
    for line in order["lines"]:
        price, amount = (display(line[name], order["currency"]) for name in ("unit_price", "amount"))
        table.add_row(str(line["line"]), plain(line["sku"]), str(line["quantity"]), price, amount)
    return table


def _parcels(parcels: Sequence[Row]) -> Table:
    table = Table("parcel", "from", "km", "state", "items", "until", "note", title="parcels", title_justify="left")
    for parcel in parcels:
        items = ", ".join(f"{item['quantity']} × {plain(item['sku'])}" for item in parcel["items"])
        note = ", ".join(plain(parcel[name]) for name in ("reason", "tracking") if parcel.get(name))
        table.add_row(
            plain(parcel["id"].rsplit(".", 1)[-1]),
            plain(parcel["location"]),
            _km(parcel["distance_km"]),
            stage(parcel["state"]),
            items,
            moment(parcel["due"]),
            note,
        )
    return table


def _decision(decision: Row) -> Table:
    """Candidates in the order in which they were considered, and how many others were ruled out for which reason."""
    ruled_out = ", ".join(f"{count} {reason}" for reason, count in decision["ruled_out"].items()) or "none"
    title = f"decision {decision['attempt']} at {moment(decision['at'])}: {plain(decision['reason'])}"
    caption = (
        f"ruled out: {ruled_out}; policy {plain(decision['policy'])}, "
        f"stock version {decision['stock_version']} + {decision['stock_rows']} rows"
        + ("" if decision["exact"] else "; the search was cut short")
    )
    table = Table(
        "candidate", "km", "ships", "", title=title, caption=caption, title_justify="left", caption_justify="left"
    )
    for candidate in decision["candidates"]:
        table.add_row(
            plain(candidate["location"]),
            _km(candidate["distance_km"]),
            "all" if candidate["ships_all"] else "a part",
            "[green]chosen[/green]" if candidate["chosen"] else "",
        )
    return table


def _timeline(entries: Sequence[Row]) -> Table:
    table = Table("UTC", "what", "parcel", "location", "by", "reason", title="timeline", title_justify="left")
    for entry in entries:
        parcel = plain(entry.get("parcel")).rsplit(".", 1)[-1]
        rest = (plain(entry.get(name)) for name in ("location", "by", "reason"))
        table.add_row(moment(entry["at"]), plain(entry["what"]), parcel, *rest)
    return table


def _km(distance: float | None) -> str:
    return "?" if distance is None else f"{distance:,.1f}"


def summaries(orders: Sequence[Row]) -> Table:
    """Orders in a list, one line each."""
    table = Table("order", "stage", "placed (UTC)", "to", "total", "attempts", "attention")
    for order in orders:
        attention = order["attention"]
        table.add_row(
            plain(order["id"]),
            stage(order["stage"]),
            moment(order["placed_at"]),
            plain(order["division"]),
            display(order["total"], order["currency"]),
            str(order["attempt"]),
            f"[red]{plain(attention['code'])}[/red]" if attention else "",
        )
    return table
