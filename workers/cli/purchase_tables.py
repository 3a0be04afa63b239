"""Purchase orders and suppliers' scores at the terminal."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Column, Table

from activities.buying.history import VendorHistory
from contracts.money import display
from workers.cli.console import moment, plain
from workers.cli.options import reasons_of

Row = Mapping[str, Any]
_COLOURS = {
    **dict.fromkeys(("approval", "countered"), "yellow"),
    **dict.fromkeys(("sent", "confirmed", "received"), "cyan"),
    "closed": "green",
    **dict.fromkeys(("declined", "silent", "expired", "rejected", "cancelled"), "red"),
}
_RATES = {
    "lines": "lines on time and in full",
    "units": "units there at their day",
    "deliveries": "deliveries without fault",
    "answers": "orders answered",
    "acceptance": "orders accepted",
    "invoices": "invoices that matched",
    "service": "cases that were not its fault",
    "satisfaction": "customers' ratings after cases",
}


def _state(name: str) -> str:
    return f"[{_COLOURS.get(name, 'white')}]{plain(name)}[/]"


def orders_table(rows: Sequence[Row]) -> Table:
    table = Table(Column("order", overflow="fold"), "state", "supplier", "location", "value", "open", "waits for")
    for row in rows:
        table.add_row(
            plain(row["id"]),
            _state(row["state"]),
            plain(row["supplier"]),
            plain(row["location"]),
            display(row["total"], row["currency"]),
            str(row["open_units"]),
            plain(row["waits_for"]),
        )
    return table


def story(row: Row, lang: str = "en") -> Iterator[RenderableType]:
    """Facts, lines, receipts, invoices, and what happened."""
    yield f"[bold]{plain(row['id'])}[/bold] {_state(row['state'])} {plain(row['why'])}"
    yield f"{plain(row['supplier'])} to {plain(row['location'])}, {display(row['total'], row['currency'])}"
    yield f"waits for {plain(row['waits_for'])}"
    if row["predecessor"]:
        yield f"in place of {plain(row['predecessor'])}"
    for successor in row["successors"]:
        yield f"the rest is bought with {plain(successor)}"
    for reason in reasons_of(row, lang):
        yield f"  {plain(reason)}"
    lines = Table("line", "SKU", "ordered", "confirmed", "received", "damaged", "cancelled", "price", "promised", "now")
    for line in row["lines"]:
        units = (line[name] for name in ("ordered", "confirmed", "received", "damaged", "cancelled"))
        price = display(line["unit_price"], row["currency"])
        days = (plain(line["promised"] or line["due"]), plain(line["expected"]))
        lines.add_row(str(line["line"]), plain(line["sku"]), *(plain(one) for one in units), price, *days)
    yield lines
    yield from _offer(row)
    came = {receipt["reference"] for receipt in row["receipts"]}
    yield from _notices([one for one in row["notices"] if one["reference"] not in came])
    for receipt in row["receipts"]:
        what = ", ".join(_came(line) for line in receipt["lines"])
        yield f"{moment(receipt['at'])} delivery {plain(receipt['reference'])}: {what}"
    for invoice in row["invoices"]:
        total = display(invoice["total"], row["currency"])
        yield f"{moment(invoice['at'])} invoice {plain(invoice['number'])} of {total}: {plain(invoice['state'])}"
        for wrong in invoice["mismatches"]:
            yield _wrong(wrong, row["currency"])
    for entry in row["timeline"]:
        yield f"{moment(entry['at'])} {plain(entry['what'])} by {plain(entry['by'])} {plain(entry['note'])}"


def _wrong(wrong: Row, currency: str) -> str:
    said, right = wrong["invoiced"], wrong["right"]
    if wrong["code"] == "price":
        said, right = display(said, currency), display(right, currency)
    much = display(wrong["amount"], currency)
    return f"  line {wrong['line']}: {wrong['code'].replace('_', ' ')} {said}, {right} would be right; {much} too much"


def _offer(row: Row) -> Iterator[RenderableType]:
    """What the supplier would do instead, beside what was ordered; while that waits for an answer."""
    offer = row["counter"]
    if offer is None or row["state"] != "countered":
        return
    note = f": {plain(offer['note'])}" if offer["note"] else ""
    ordered = {line["line"]: line for line in row["lines"]}
    table = Table("line", "SKU", "units", "price", "day", title=f"offered instead, {moment(offer['at'])}{note}")
    for line in offer["lines"]:
        before = ordered[line["line"]]
        units = before["ordered"] if before["confirmed"] is None else before["confirmed"]
        was, now = (display(one["unit_price"], row["currency"]) for one in (before, line))
        changed = (_changed(units, line["quantity"]), _changed(was, now))
        day = _changed(before["expected"] or before["promised"] or before["due"], line["due"])
        table.add_row(str(line["line"]), plain(before["sku"]), *changed, day)
    yield table
    yield f"tongqu purchase answer {plain(row['id'])} --accept, or --refuse with --elsewhere and --reason"


def _changed(was: object, now: object) -> str:
    return plain(now) if was == now else f"{plain(was)} → {plain(now)}"


def _notices(notices: Sequence[Row]) -> Iterator[str]:
    for one in notices:
        units = ", ".join(f"{count} of line {line}" for line, count in one["units"].items())
        day = f", expected {one['expected']}" if one["expected"] else ""
        tracking = f", tracking {plain(one['tracking'])}" if one["tracking"] else ""
        yield f"{moment(one['at'])} on its way under {plain(one['reference'])}: {units}{day}{tracking}"


def differing(row: Row, reference: str) -> Iterator[str]:
    """What of a delivery is not in the stock, and what becomes of it."""
    after = {"damaged": "still owed", "excess": "not ordered: to be fetched", "wrong": "never ordered: to be fetched"}
    for receipt in row["receipts"]:
        for line in receipt["lines"] if receipt["reference"] == reference else ():
            for name, words in after.items():
                if line[name]:
                    yield f"{plain(line['sku'])}: {line[name]} {name}, {words}"


def _came(line: Row) -> str:
    parts = [f"{line[name]} {name}" for name in ("good", "damaged", "excess", "wrong") if line[name]]
    when = f", {abs(line['days'])} working days {'late' if line['days'] > 0 else 'early'}" if line["days"] else ""
    return f"{plain(line['sku'])} {', '.join(parts)}{when}"


def _rate(rate: Row) -> tuple[str, str, str]:
    if rate["value"] is None:
        return "no data", "", ""
    between = "" if rate["low"] is None else f"{rate['low']:.1%} – {rate['high']:.1%}"
    return f"{rate['value']:.1%}", f"{rate['hits']} of {rate['n']}", between


def score_table(score: Row) -> Table:
    value = "no data" if score["value"] is None else f"{score['value']} of 100"
    few = "" if score["comparable"] or score["value"] is None else ", of too few lines and cases to be compared"
    title = f"{plain(score['supplier'])}: {value}{few}"
    table = Table("", "rate", "of", "95 %", title=title, caption=f"{score['since']} to {score['until']}")
    for name, words in _RATES.items():
        table.add_row(words, *_rate(score[name]))
    for why, count in score["left_out"].items():
        table.add_row(f"lines left out: {why.replace('_', ' ')}", str(count), "", "")
    return table


def lines_table(rows: Sequence[Row]) -> Table:
    table = Table(Column("order", overflow="fold"), "line", "SKU", "day", "wanted", "by then", "until now", "verdict")
    for row in rows:
        verdict = row["verdict"] or f"left out: {row['left_out']}"
        dispute = f" (objection {row['dispute']})" if row["dispute"] else ""
        counts = (str(row[name]) for name in ("wanted", "arrived_by_day", "arrived"))
        names = (plain(row["order"]), str(row["line"]), plain(row["sku"]), plain(row["day"]))
        table.add_row(*names, *counts, plain(verdict.replace("_", " ") + dispute))
    return table


def disputes_table(rows: Sequence[Row]) -> Table:
    columns = ("line", "state", "reason", "answer", Column("waits for", overflow="fold"))
    table = Table("at (UTC)", Column("supplier", overflow="fold"), Column("order", overflow="fold"), *columns)
    for row in rows:
        names = (moment(row["at"]), plain(row["supplier"]), plain(row["order"]), str(row["line"]))
        answer = "nobody answered in time" if row["why"] == "not_answered" else plain(row["answer"])
        table.add_row(*names, plain(row["state"]), plain(row["reason"]), answer, plain(row["waits_for"]))
    return table


def approvers_table(rows: Sequence[Row], levels: Sequence[Row]) -> Table:
    """`levels`: of the terms in force."""
    reach = {row["role"]: row["up_to"] for row in levels[:-1]} | {levels[-1]["role"]: None}
    table = Table("key", "roles, and how far each goes", "never more than")
    for row in rows:
        roles = [f"{plain(role)} ({_limit(reach[role]) if role in reach else 'no level'})" for role in row["roles"]]
        table.add_row(plain(row["name"]), ", ".join(roles), _limit(row["up_to"]) if row["up_to"] is not None else "")
    return table


def _limit(up_to: int | None) -> str:
    return "any value" if up_to is None else display(up_to, "CNY")


def lead_times_table(rows: Sequence[Row]) -> Table:
    table = Table("supplier", "location", "mean (working days)", "deviation", "lines")
    for row in rows:
        where = plain(row["location"]) or "all"
        table.add_row(plain(row["supplier"]), where, f"{row['mean']:.1f}", f"{row['deviation']:.1f}", str(row["n"]))
    return table


def history_table(rows: Sequence[VendorHistory]) -> Table:
    table = Table("vendor", "rows", "lead time (working days)", "deviation", "n", "on time", "of", "95 %")
    for row in rows:
        lead = row.lead_time
        days = (f"{lead.mean:.1f}", f"{lead.deviation:.1f}", str(lead.n)) if lead else ("no data", "", "0")
        table.add_row(plain(row.vendor), str(row.rows), *days, *_rate(row.on_time.model_dump()))
    return table


def dirty_table(rows: Sequence[tuple[str, str, int, list[str]]]) -> Table:
    table = Table("field", "why", "rows", "such as (row: value)")
    for column, why, count, examples in rows:
        table.add_row(plain(column), plain(why.replace("_", " ")), str(count), plain("; ".join(examples)))
    return table
