"""`tongqu order`: see orders, and act on them with a reason that is kept."""

from pathlib import Path
from typing import Annotated, Any

import typer

from workers.cli.options import AsJson, running_api

app = typer.Typer(no_args_is_help=True, help="See orders and act on them.")

OrderId = Annotated[str, typer.Argument(metavar="ID", help="The order's id.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is kept with the order.")]
Wait = Annotated[int, typer.Option("--wait", min=0, max=30, metavar="S", help="Seconds to wait for the outcome.")]


@app.command()
def show(order: OrderId, as_json: AsJson = False) -> None:
    """The whole story of an order: stage, parcels, payment, decisions, timeline, link to the Temporal UI."""
    from workers.cli.console import out, print_json

    found = running_api().get("v1", "orders", order)
    if as_json:
        print_json(found)
        return
    from workers.cli.story import headline, story

    for name, value in headline(found):
        out.print(f"{name:<16}{value}", soft_wrap=True, highlight=False)
    out.print()
    for part in story(found):
        out.print(part, highlight=False)


@app.command()
def why(
    order: OrderId,
    decision: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Counted from 1; the newest when left out.")
    ] = None,
    location: Annotated[
        str | None, typer.Option(metavar="L", help="Reckon the verdict on this location anew, on the stock seen then.")
    ] = None,
    html: Annotated[Path | None, typer.Option(dir_okay=False, metavar="FILE", help="Write a picture of it.")] = None,
    lang: Annotated[str, typer.Option(help="Language of the picture: en or zh.")] = "en",
    as_json: AsJson = False,
) -> None:
    """Why the order goes where it goes: winner, runner-up, candidates with their costs, and who was ruled out."""
    from workers.cli.console import out, plain, print_json
    from workers.cli.why import explained

    if html is not None:
        html.write_text(
            running_api().text("v1", "orders", order, "why.html", decision=decision, lang=lang), encoding="utf-8"
        )
        out.print(f"written to {plain(html)}", soft_wrap=True)
        return
    found = running_api().get("v1", "orders", order, "why", decision=decision, location=location)
    if as_json:
        print_json(found)
        return
    for part in explained(found):
        out.print(part, highlight=False)


@app.command("list")
def list_orders(
    stage: Annotated[str | None, typer.Option(help="Only orders in this stage.")] = None,
    region: Annotated[str | None, typer.Option(help="Division code or its beginning, such as 33 or BR-SP.")] = None,
    channel: Annotated[str | None, typer.Option(help="Only orders of this channel.")] = None,
    location: Annotated[str | None, typer.Option(help="Only orders with a parcel at this location.")] = None,
    attention: Annotated[bool, typer.Option("--attention", help="Only orders that a person must look at.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=200, help="Most orders shown.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Orders, the newest first."""
    from workers.cli.console import out, print_json

    asked = {"stage": stage, "region": region, "channel": channel, "location": location, "limit": limit}
    page = running_api().get("v1", "orders", **asked, attention="true" if attention else None)
    if as_json:
        print_json(page)
        return
    from workers.cli.story import summaries

    out.print(summaries(page["orders"]))
    if page["next"]:
        out.print("There are more; narrow the list down with --stage, --region, --channel or --location.")


@app.command()
def cancel(
    order: OrderId,
    reason: Reason,
    force: Annotated[bool, typer.Option("--force", help="Do not ask the stores that have accepted.")] = False,
    wait: Wait = 10,
) -> None:
    """Cancel what has not been shipped, and give its money back. Stores that have accepted are asked first."""
    _command(order, "cancellation", reason, wait, **({"force": True} if force else {}))


@app.command()
def pay(
    order: OrderId,
    amount: Annotated[int, typer.Option(min=0, help="What was paid, in minor units (fen).")],
    reference: Annotated[str, typer.Option(help="Your own id of the payment; the same one counts once.")],
    wait: Wait = 10,
) -> None:
    """Report the payment of an order that awaits it."""
    _send(order, "payment", {"amount": amount, "reference": reference}, wait)


@app.command()
def address(
    order: OrderId,
    division: Annotated[str, typer.Option(help="GB/T 2260 or ISO 3166-2:BR code of the new address.")],
    lat: Annotated[float, typer.Option(help="Latitude in degrees.")],
    lon: Annotated[float, typer.Option(help="Longitude in degrees.")],
    datum: Annotated[str, typer.Option(help="Of the point: WGS84, GCJ02 or BD09.")] = "WGS84",
    line: Annotated[str | None, typer.Option("--address", help="The address in words.")] = None,
    name: Annotated[str | None, typer.Option(help="Who receives it.")] = None,
    wait: Wait = 10,
) -> None:
    """Send an order to another address, as long as nothing of it has been shipped."""
    words = {key: value for key, value in (("name", name), ("address", line)) if value is not None}
    point = {"lat": lat, "lon": lon, "datum": datum}
    _send(order, "address", {"ship_to": {**words, "division": division, "point": point}}, wait)


@app.command("return")
def open_return(
    order: OrderId,
    parcel: Annotated[str, typer.Option(help="The parcel's id.")],
    reason: Annotated[str, typer.Option(help="Such as changed_mind, damaged, refused_at_door, lost.")],
    units: Annotated[
        list[str] | None, typer.Option(help="line=units, such as 1=2; again for further lines; without it, all of it.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Send what was lost once more.")] = False,
) -> None:
    """Goods come back, or never arrived: open a return."""
    from workers.cli.console import CommandFailed, out, plain

    body: dict[str, Any] = {"parcel": parcel, "reason": reason, "wish": "replacement" if replace else "refund"}
    try:
        named = {line: int(number) for line, _, number in (pair.partition("=") for pair in units or [])}
    except ValueError as error:
        raise CommandFailed("--units: name them as line=units, such as 1=2.") from error
    answer = running_api().post(
        "v1", "orders", order, "returns", body={**body, **({"quantities": named} if named else {})}
    )
    state = answer.body.get("state", "taken down")
    out.print(f"return {plain(answer.body['id'])} of {plain(order)}: {plain(state)}")


@app.command()
def retry(order: OrderId, reason: Reason, wait: Wait = 10) -> None:
    """Clear what holds the order up and let every store be asked once more."""
    _command(order, "retry", reason, wait)


@app.command()
def reroute(
    order: OrderId,
    reason: Reason,
    parcel: Annotated[str | None, typer.Option(help="Only this parcel; without it, all that are unshipped.")] = None,
    wait: Wait = 10,
) -> None:
    """Take parcels away from their stores and look for others."""
    _command(order, "reroute", reason, wait, **({"parcel": parcel} if parcel else {}))


@app.command()
def release(order: OrderId, reason: Reason, wait: Wait = 10) -> None:
    """Give the reserved goods back and hold the order until it is retried or cancelled."""
    _command(order, "release", reason, wait)


def _command(order: str, command: str, reason: str, wait_s: int, **more: object) -> None:
    _send(order, command, {"reason": reason, **more}, wait_s)


def _send(order: str, command: str, body: dict[str, Any], wait_s: int) -> None:
    from workers.cli.console import out, plain, stage

    answer = running_api().post("v1", "orders", order, command, body=body, wait_s=wait_s)
    if answer.status == 200:
        outcome = answer.body.get("cancellation") if command == "cancellation" else None
        words = f", cancellation: {outcome['outcome']}" if outcome else ""
        out.print(f"{plain(order)} is {stage(answer.body['stage'])}{words}")
    else:
        out.print(f"Taken down. The outcome is not known yet: tongqu order show {plain(order)}")
