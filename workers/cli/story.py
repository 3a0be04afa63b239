"""The whole story of one order: where it stands, its parcels, its money, why it went where, and when."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Column, Table

from contracts.divisions import UnknownDivision, name_of
from contracts.money import display
from workers.cli.console import moment, plain, stage

Row = Mapping[str, Any]


def headline(order: Row) -> Iterator[tuple[str, str]]:
    """What is to be known first, by name; in the markup of the terminal."""
    yield "order", f"[bold]{plain(order['id'])}[/bold]"
    yield "stage", stage(order["stage"]) + (", held" if order["held"] else "")
    if order["reason"]:
        yield "reason", plain(order["reason"])
    if order["attention"]:
        attention = order["attention"]
        yield "attention", f"[red]{plain(attention['code'])}[/red]: {plain(attention['detail'])}"
        yield "", f"tongqu order retry|reroute|release|cancel {plain(order['id'])} --reason …"
    if order["cancellation"]:
        asked = order["cancellation"]
        yield "cancellation", f"{asked['outcome']}: {plain(asked['reason'])}, by {plain(asked['by'])}"
    yield "placed", f"{moment(order['placed_at'])} UTC over {plain(order['channel'])}"
    if order["closed_at"]:
        yield "ended", f"{moment(order['closed_at'])} UTC"
    if order.get("hold_until") and order["stage"] == "paying":
        yield "goods held", f"until {moment(order['hold_until'])} UTC, for the payment"
    if order["due"]:
        yield "next deadline", f"{moment(order['due'])} UTC"
    yield "to", f"{plain(order['division'])} {_division(order['division'])}"
    if order["excluded"]:
        yield "not asked again", ", ".join(plain(place) for place in order["excluded"])
    yield "payment", _payment(order)
    yield "workflow", plain(order["links"]["workflow"] or "none yet: it waits for a batch")


def story(order: Row) -> Iterator[str | Table]:
    """All the rest, as tables and words between them."""
    yield _lines(order)
    if order["parcels"]:
        yield _parcels(order["parcels"])
        yield from (_scans(parcel) for parcel in order["parcels"] if parcel.get("scans"))
    for decision in order["decisions"]:
        yield from _decision(decision)
    yield _timeline(order["timeline"])


def _division(code: str) -> str:
    try:
        return plain(name_of(code))
    except UnknownDivision:
        return ""


def _payment(order: Row) -> str:
    pay, currency = order["payment"], order["currency"]
    sums = [f"{name} {display(pay[name], currency)}" for name in ("authorised", "captured", "refunded") if pay[name]]
    return f"{display(order['total'], currency)} {pay['method']}" + (f": {', '.join(sums)}" if sums else "")


def _whole(header: str) -> Column:
    """A column whose values are to be copied: they are folded, never cut."""
    return Column(header, overflow="fold")


def _lines(order: Row) -> Table:
    table = Table("line", _whole("sku"), "units", "unit price", "share of total", title="lines", title_justify="left")
    for line in order["lines"]:
        price, amount = (display(line[name], order["currency"]) for name in ("unit_price", "amount"))
        table.add_row(str(line["line"]), plain(line["sku"]), str(line["quantity"]), price, amount)
    return table


def _parcels(parcels: Sequence[Row]) -> Table:
    columns = (_whole("parcel"), _whole("from"), "km", "state", _whole("items"), "until (UTC)", _whole("note"))
    table = Table(*columns, title="parcels", title_justify="left")
    for parcel in parcels:
        items = ", ".join(f"{item['quantity']} × {plain(item['sku'])}" for item in parcel["items"])
        asked = parcel["request"].replace("_", " ") if parcel.get("request", "none") != "none" else None
        back = sum(item.get("returned", 0) for item in parcel["items"])
        unpaid = f"{back} not paid" if back else None
        notes = [parcel.get("reason"), asked, unpaid, parcel.get("service"), parcel.get("tracking")]
        note = ", ".join(plain(words) for words in notes if words)
        table.add_row(
            plain(parcel["id"]),
            plain(parcel["location"]),
            _km(parcel["distance_km"]),
            stage(parcel["state"]),
            items,
            moment(parcel["due"]),
            note,
        )
    return table


def _scans(parcel: Row) -> Table:
    """What its carrier has reported, in the order in which it happened."""
    table = Table("at (UTC)", "state", "carrier", _whole("place"), title=f"way of {plain(parcel['id'])}")
    table.title_justify = "left"
    for scan in parcel["scans"]:
        table.add_row(moment(scan["at"]), plain(scan["state"]), plain(scan["carrier"]), plain(scan["place"] or ""))
    return table


def _decision(decision: Row) -> Iterator[str | Table]:
    """The best candidates, and how many other locations were ruled out for which reason."""
    at = moment(decision["at"])
    yield f"[italic]decision {decision['attempt']}[/italic] at {at} UTC: {plain(decision['reason'])}"
    if decision["candidates"]:
        table = Table(_whole("candidate"), "km", "ships", "")
        for candidate in decision["candidates"]:
            ships = "all" if candidate["ships_all"] else "a part"
            chosen = "[green]chosen[/green]" if candidate["chosen"] else ""
            table.add_row(plain(candidate["location"]), _km(candidate["distance_km"]), ships, chosen)
        yield table
    ruled_out = ", ".join(f"{count} {reason}" for reason, count in decision["ruled_out"].items()) or "none"
    seen = f"stock version {decision['stock_version']} and {decision['stock_rows']} rows"
    cut = "" if decision["exact"] else "; the search was cut short"
    yield f"ruled out: {ruled_out}; policy {plain(decision['policy'])}, {seen}{cut}\n"


def _timeline(entries: Sequence[Row]) -> Table:
    columns = (Column("UTC", no_wrap=True), Column("what", no_wrap=True), "parcel", _whole("location"), _whole("by"))
    table = Table(*columns, "reason", title="timeline", title_justify="left")
    for entry in entries:
        parcel = plain(entry.get("parcel")).rsplit(".", 1)[-1]
        itself = entry.get("by") is not None and entry.get("by") == entry.get("location")
        by = "itself" if itself else entry.get("by")
        told = (plain(value) for value in (entry.get("location"), by, entry.get("reason")))
        table.add_row(moment(entry["at"]), plain(entry["what"]), parcel, *told)
    return table


def _km(distance: float | None) -> str:
    return "?" if distance is None else f"{distance:,.1f}"


def summaries(orders: Sequence[Row]) -> Table:
    """Orders in a list, one line each."""
    placed = Column("placed (UTC)", no_wrap=True)
    table = Table(_whole("order"), "stage", placed, "to", "total", "attempts", _whole("attention"))
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
