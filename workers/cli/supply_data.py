"""What runs of `tongqu supply` go by, and the transfers that come of them: parts of that command."""

from pathlib import Path
from typing import Annotated, Any

import typer

from workers.cli.options import AsJson, running_api

policies = typer.Typer(no_args_is_help=True, help="How series are replenished; versioned.")
sourcing = typer.Typer(no_args_is_help=True, help="Which supplier supplies what to where.")
promotions = typer.Typer(no_args_is_help=True, help="What will be sold with a discount, where and when.")
regions = typer.Typer(no_args_is_help=True, help="What is replenished together.")
schedules = typer.Typer(no_args_is_help=True, help="When regions are replenished.")
transfers = typer.Typer(no_args_is_help=True, help="Goods on their way between locations.")

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A file of JSON.")]
Source = Annotated[str | None, typer.Option(help="Only from this supplier or location.")]
Sku = Annotated[str | None, typer.Option(help="Only of this SKU.")]
TransferId = Annotated[str, typer.Argument(metavar="ID", help="The transfer's id, st-….")]


@policies.command("list")
def list_policies(as_json: AsJson = False) -> None:
    """The newest version of each."""
    from workers.cli.console import out, print_json
    from workers.cli.supply_tables import policies_table

    found = running_api().get("v1", "supply", "policies")
    if as_json:
        print_json(found)
    else:
        out.print(policies_table(found["policies"]))


@policies.command("show")
def show_policy(policy: Annotated[str, typer.Argument(metavar="ID[@VERSION]")]) -> None:
    """Every setting, as JSON that can be edited and set again."""
    from workers.cli.console import print_json

    name, _, version = policy.partition("@")
    print_json(running_api().get("v1", "supply", "policies", name, version=version or None))


@policies.command("set")
def set_policy(file: File) -> None:
    """Make a new version out of a file."""
    from workers.cli.console import out, plain
    from workers.cli.files import read_json

    draft = {name: value for name, value in read_json(file).items() if name not in ("version", "at")}
    answer = running_api().post("v1", "supply", "policies", body=draft)
    said = "is in force for runs from now on" if answer.status == 201 else "says the same already; nothing was changed"
    out.print(f"{plain(answer.body['id'])}@{answer.body['version']} {said}")


@sourcing.command("list")
def list_sourcing(
    sku: Sku = None, supplier: Annotated[str | None, typer.Option()] = None, as_json: AsJson = False
) -> None:
    """Who supplies what to where."""
    from workers.cli.console import out, print_json
    from workers.cli.supply_tables import sourcing_table

    page = running_api().get("v1", "supply", "sourcing", sku=sku, supplier=supplier, limit=500)
    if as_json:
        print_json(page)
    else:
        out.print(sourcing_table(page["sourcing"]))


@sourcing.command("load")
def load_sourcing(file: File) -> None:
    """Out of a file: {"sourcing": [...]}, a list, or one JSON object a line."""
    from workers.cli.files import load_file

    raise typer.Exit(load_file(running_api(), file, "sourcing", "supply"))


@promotions.command("list")
def list_promotions(
    day: Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", help="Only those that hold on this day.")] = None,
    sku: Sku = None,
    as_json: AsJson = False,
) -> None:
    """What is planned, and what was."""
    from workers.cli.console import out, print_json
    from workers.cli.supply_tables import promotions_table

    page = running_api().get("v1", "supply", "promotions", day=day, sku=sku, limit=500)
    if as_json:
        print_json(page)
        return
    out.print(promotions_table(page["promotions"]))
    if page["next"]:
        out.print("There are more; narrow the list down.")


@promotions.command("load")
def load_promotions(file: File) -> None:
    """Out of a file: {"promotions": [...]}, a list, or one JSON object a line. The same id again replaces it."""
    from workers.cli.files import load_file

    raise typer.Exit(load_file(running_api(), file, "promotions", "supply"))


@regions.command("list")
def list_regions(as_json: AsJson = False) -> None:
    """Regions with their hubs."""
    from workers.cli.console import out, print_json
    from workers.cli.supply_tables import regions_table

    found = running_api().get("v1", "supply", "regions")
    if as_json:
        print_json(found)
    else:
        out.print(regions_table(found["regions"]))


@regions.command("set")
def set_region(file: File) -> None:
    """Describe a region out of a file; its schedule runs as its cron says."""
    from workers.cli.console import out, plain
    from workers.cli.files import read_json

    draft = {name: value for name, value in read_json(file).items() if name != "version"}
    found = running_api().put("v1", "supply", "regions", body=draft)
    when = f"runs at {found['cron']}, {found['time_zone']}" if found["cron"] else "runs when it is asked to"
    out.print(f"{plain(found['id'])}: version {found['version']}, {when}")


@schedules.command("list")
def list_schedules(as_json: AsJson = False) -> None:
    """When each region runs next."""
    from workers.cli.console import out, print_json
    from workers.cli.supply_tables import schedules_table

    found = running_api().get("v1", "supply", "schedules")
    if as_json:
        print_json(found)
    else:
        out.print(schedules_table(found["schedules"]))


@schedules.command()
def pause(region: Annotated[str, typer.Argument()]) -> None:
    """Leave out a region's runs until it is resumed."""
    _switch(region, "pause", "is paused")


@schedules.command()
def resume(region: Annotated[str, typer.Argument()]) -> None:
    """Run again at the next time."""
    _switch(region, "resume", "runs again")


def _switch(region: str, command: str, said: str) -> None:
    from workers.cli.console import out, plain

    running_api().post("v1", "supply", "schedules", region, command, body={})
    out.print(f"{plain(region)} {said}")


@transfers.command("list")
def list_transfers(
    state: Annotated[str | None, typer.Option(help="approved, shipped, received or cancelled.")] = None,
    source: Source = None,
    destination: Annotated[str | None, typer.Option(help="Only to this location.")] = None,
    as_json: AsJson = False,
) -> None:
    """Transfers, the newest first."""
    from workers.cli.console import print_json, print_whole
    from workers.cli.supply_tables import transfers_table

    page = running_api().get("v1", "supply", "transfers", state=state, source=source, destination=destination)
    if as_json:
        print_json(page)
    else:
        print_whole(transfers_table(page["transfers"]))


@transfers.command("show")
def show_transfer(transfer: TransferId, as_json: AsJson = False) -> None:
    """What was asked for, held, shipped, received, damaged and lost of each SKU."""
    from workers.cli.console import out, plain, print_json
    from workers.cli.supply_tables import transfer_table

    found = running_api().get("v1", "supply", "transfers", transfer)
    if as_json:
        print_json(found)
        return
    out.print(f"{plain(found['source'])} to {plain(found['destination'])}, {found['state']} {plain(found['reason'])}")
    out.print(transfer_table(found["lines"]))
    if found["references"]:
        out.print(f"receipts: {plain(', '.join(found['references']))}", highlight=False)


@transfers.command()
def ship(transfer: TransferId) -> None:
    """All that is held has left the source."""
    _move(transfer, "shipment", {})


@transfers.command()
def receive(
    transfer: TransferId,
    reference: Annotated[str, typer.Option(help="Of the delivery note; the same again changes nothing.")],
    line: Annotated[
        list[str] | None, typer.Option(help="SKU:units[:damaged]; left out: all that is under way.")
    ] = None,
) -> None:
    """Goods have arrived."""
    body: dict[str, Any] = {"reference": reference}
    if line:
        body["lines"] = [_came(one) for one in line]
    _move(transfer, "receipt", body)


def _came(words: str) -> dict[str, Any]:
    from workers.cli.console import CommandFailed

    sku, *units = words.split(":")
    if not sku or len(units) not in (1, 2) or not all(one.isdecimal() for one in units):
        raise CommandFailed(f"{words} is not SKU:units or SKU:units:damaged, such as tea-250:23:1.")
    return {"sku": sku, "units": int(units[0]), "damaged": int(units[1]) if len(units) > 1 else 0}


@transfers.command("cancel")
def cancel_transfer(transfer: TransferId, reason: Annotated[str, typer.Option()]) -> None:
    """Before it is shipped."""
    _move(transfer, "cancellation", {"reason": reason})


@transfers.command()
def lose(transfer: TransferId, reason: Annotated[str, typer.Option()]) -> None:
    """What is still under way will not arrive."""
    _move(transfer, "loss", {"reason": reason})


def _move(transfer: str, command: str, body: dict[str, Any]) -> None:
    from workers.cli.console import out, plain
    from workers.cli.supply_tables import under_way

    found = running_api().post("v1", "supply", "transfers", transfer, command, body=body).body
    left = under_way(found)
    out.print(f"{plain(transfer)} is {found['state']}" + (f"; {left} units are under way" if left else ""))
