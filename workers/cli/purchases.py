"""`tongqu purchase`: order of suppliers, approve, receive, and match invoices."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from workers.cli.options import AsJson, Lang, running_api

app = typer.Typer(no_args_is_help=True, help="Buy: purchase orders, receipts, invoices.")

OrderId = Annotated[str, typer.Argument(metavar="ID", help="The purchase order's id, po-….")]
Reason = Annotated[str, typer.Option(help="Why; it is kept with the order.")]


@app.command("list")
def list_orders(
    supplier: Annotated[str | None, typer.Option(help="Only of this supplier.")] = None,
    location: Annotated[str | None, typer.Option(help="Only for this location.")] = None,
    run: Annotated[str | None, typer.Option(help="Only out of this run of replenishment.")] = None,
    state: Annotated[str | None, typer.Option(help="Only in this state, such as approval or sent.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="Most orders shown.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Purchase orders, the newest first, and what each waits for."""
    from workers.cli.console import out, print_json

    page = running_api().get(
        "v1", "purchase-orders", supplier=supplier, location=location, run=run, state=state, limit=limit
    )
    if as_json:
        print_json(page)
        return
    from workers.cli.purchase_tables import orders_table

    out.print(orders_table(page["orders"]))
    if page["next"]:
        out.print("There are more; narrow the list down with --supplier, --location, --run or --state.")


@app.command()
def show(order: OrderId, lang: Lang = "en", as_json: AsJson = False) -> None:
    """How an order stands: lines, receipts, invoices, and what happened."""
    from workers.cli.console import out, print_json

    found = running_api().get("v1", "purchase-orders", order)
    if as_json:
        print_json(found)
        return
    from workers.cli.purchase_tables import story

    for part in story(found, lang):
        out.print(part, highlight=False)


@app.command()
def order(
    supplier: Annotated[str, typer.Argument(help="The supplier's id.")],
    location: Annotated[str, typer.Argument(help="Where the goods are needed.")],
    line: Annotated[
        list[str], typer.Option(help="SKU:units:price in minor units:day, such as tea:24:5200:2026-12-04.")
    ],
    reason: Annotated[str | None, typer.Option(help="Kept with the order.")] = None,
) -> None:
    """Order by hand."""
    body: dict[str, Any] = {"supplier": supplier, "location": location, "lines": [_line(text) for text in line]}
    if reason:
        body["reason"] = reason
    _told(running_api().post("v1", "purchase-orders", body=body).body)


@app.command()
def approve(order: OrderId, note: Annotated[str | None, typer.Option(help="Kept with the order.")] = None) -> None:
    """Approve an order; it is then sent to its supplier."""
    _command(order, "approval", {"note": note} if note else {})


@app.command()
def reject(order: OrderId, reason: Reason) -> None:
    """Do not approve an order."""
    _command(order, "rejection", {"reason": reason})


@app.command()
def answer(
    order: OrderId,
    accept: Annotated[bool, typer.Option("--accept/--refuse", help="Take the counter-offer, or not.")],
    elsewhere: Annotated[bool, typer.Option(help="Refused: order of the next supplier at once.")] = False,
    reason: Annotated[str | None, typer.Option(help="Told to the supplier.")] = None,
) -> None:
    """Answer a supplier's counter-offer."""
    body: dict[str, Any] = {"accept": accept, "elsewhere": elsewhere}
    if reason:
        body["reason"] = reason
    _command(order, "counter-answer", body)


@app.command()
def approvers(
    set_to: Annotated[
        Path | None, typer.Option("--set", exists=True, dir_okay=False, help="JSON: all of them, instead of those.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Who may approve up to what; who is not named may approve nothing that needs a role."""
    from workers.cli.console import CommandFailed, out, print_json

    api = running_api()
    if set_to is not None:
        try:
            body = json.loads(set_to.read_text(encoding="utf-8"))
        except ValueError as error:
            raise CommandFailed(f"{set_to} is no JSON: {error}") from error
        found = api.put("v1", "purchase-approvers", body=body)
    else:
        found = api.get("v1", "purchase-approvers")
    if as_json:
        print_json(found)
        return
    from workers.cli.purchase_tables import approvers_table

    out.print(approvers_table(found["approvers"], api.get("v1", "purchase-terms")["terms"]["levels"]))


@app.command()
def receive(
    order: OrderId,
    reference: Annotated[str, typer.Option(help="Number of the delivery note; each counts once.")],
    item: Annotated[list[str], typer.Option(help="SKU:good units, or SKU:good units:damaged; repeat it for more.")],
) -> None:
    """Take goods in."""
    from workers.cli.console import out
    from workers.cli.purchase_tables import differing

    found = _command(order, "receipts", {"reference": reference, "items": [_item(text) for text in item]})
    for words in differing(found, reference):
        out.print(words, highlight=False, soft_wrap=True)


@app.command()
def invoice(
    order: OrderId,
    number: Annotated[str, typer.Option(help="Number of the invoice.")],
    line: Annotated[list[str], typer.Option(help="Line:units:price in minor units; repeat it for more.")],
) -> None:
    """Take an invoice in; it is compared with order and receipts."""
    lines = []
    for text in line:
        number_of, units, price = _numbers(text, 3, "1:24:5200")
        lines.append({"line": number_of, "quantity": units, "unit_price": price})
    total = sum(one["quantity"] * one["unit_price"] for one in lines)
    _command(order, "invoices", {"number": number, "total": total, "lines": lines})


@app.command()
def decide(
    order: OrderId,
    number: Annotated[str, typer.Option(help="Number of the invoice that does not match.")],
    accept: Annotated[bool, typer.Option("--accept/--refuse", help="Pay it all the same, or send it back.")],
    reason: Reason,
) -> None:
    """Decide about an invoice that does not match."""
    _command(order, "invoice-decisions", {"number": number, "accept": accept, "reason": reason})


@app.command()
def cancel(
    order: OrderId,
    reason: Reason,
    line: Annotated[list[int] | None, typer.Option(help="Only this line; repeat it for more.")] = None,
) -> None:
    """Cancel what is still open."""
    body: dict[str, Any] = {"reason": reason}
    if line:
        body["lines"] = line
    _command(order, "cancellation", body)


def _command(order: str, command: str, body: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = running_api().post("v1", "purchase-orders", order, command, body=body).body
    _told(found)
    return found


def _told(found: dict[str, Any]) -> None:
    from workers.cli.console import out, plain

    open_units = f", {found['open_units']} units open" if found["open_units"] else ""
    out.print(f"{plain(found['id'])} is {found['state']}{open_units}; it waits for {plain(found['waits_for'])}.")


def _line(text: str) -> dict[str, Any]:
    parts = text.rsplit(":", 3)
    if len(parts) != 4 or not (parts[1].isdecimal() and parts[2].isdecimal()):
        raise typer.BadParameter(f"{text!r} is no line; write SKU:units:price:day, such as tea:24:5200:2026-12-04")
    return {"sku": parts[0], "quantity": int(parts[1]), "unit_price": int(parts[2]), "due": parts[3]}


def _item(text: str) -> dict[str, Any]:
    sku, _, rest = text.partition(":")
    units = rest.split(":")
    if not sku or len(units) > 2 or not all(one.isdecimal() for one in units):
        raise typer.BadParameter(f"{text!r} is no item; write SKU:good or SKU:good:damaged, such as tea:20:4")
    return {"sku": sku, "quantity": int(units[0]), "damaged": int(units[1]) if len(units) == 2 else 0}


def _numbers(text: str, count: int, example: str) -> list[int]:
    parts = text.split(":")
    if len(parts) != count or not all(one.isdecimal() for one in parts):
        raise typer.BadParameter(f"{text!r} is not understood; write numbers such as {example}")
    return [int(one) for one in parts]
