"""`tongqu location`, `sku`, `carrier` and `policy`: see master data, and load it from files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from workers.cli.options import AsJson, running_api

locations = typer.Typer(no_args_is_help=True, help="See locations.")
skus = typer.Typer(no_args_is_help=True, help="Describe articles.")
carriers = typer.Typer(no_args_is_help=True, help="See and load carriers.")
policies = typer.Typer(no_args_is_help=True, help="See policies and make new versions.")

File = Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="JSON.")]


@locations.command("list")
def list_locations(
    region: Annotated[str | None, typer.Option(help="Division code or its beginning, such as 33 or BR-SP.")] = None,
    kind: Annotated[str | None, typer.Option(help="store, warehouse or seller.")] = None,
    active: Annotated[bool | None, typer.Option(help="Only those that take orders, or that do not.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Most locations shown.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Locations by id, with their limits."""
    from workers.cli.console import out, print_json
    from workers.cli.tables import locations_table

    asked = None if active is None else str(active).lower()
    page = running_api().get("v1", "locations", region=region, kind=kind, active=asked, limit=limit)
    if as_json:
        print_json(page)
        return
    out.print(locations_table(page["locations"]))
    if page["next"]:
        out.print("There are more; narrow the list down with --region, --kind or --active, or raise --limit.")


@locations.command("show")
def show_location(
    location: Annotated[str, typer.Argument(metavar="ID", help="The location's id.")], as_json: AsJson = False
) -> None:
    """Everything that is known of a location."""
    from workers.cli.tables import location_facts

    _show(running_api().get("v1", "locations", location), as_json, location_facts)


@skus.command("load")
def load_skus(file: File) -> None:
    """Articles out of a file: {"skus": [...]}, a list, or one JSON object a line."""
    _load(file, "skus")


@carriers.command("list")
def list_carriers(as_json: AsJson = False) -> None:
    """Carriers and their services."""
    from workers.cli.console import out, print_json
    from workers.cli.tables import carriers_table

    found = running_api().get("v1", "carriers")
    if as_json:
        print_json(found)
    else:
        out.print(carriers_table(found["carriers"]))


@carriers.command("load")
def load_carriers(file: File) -> None:
    """Carriers out of a file: {"carriers": [...]}, a list, or one JSON object a line."""
    _load(file, "carriers")


@policies.command("list")
def list_policies(as_json: AsJson = False) -> None:
    """The newest version of each policy, and for which orders it holds."""
    from workers.cli.console import out, print_json
    from workers.cli.tables import policies_table

    found = running_api().get("v1", "policies")
    if as_json:
        print_json(found)
    else:
        out.print(policies_table(found["policies"]))


@policies.command("show")
def show_policy(
    policy: Annotated[str, typer.Argument(metavar="ID[@VERSION]", help="Without a version, the newest.")],
    as_json: AsJson = False,
) -> None:
    """Every setting of a policy."""
    from workers.cli.console import CommandFailed
    from workers.cli.tables import policy_facts

    name, _, version = policy.partition("@")
    if version and not version.isdecimal():
        raise CommandFailed(f"{version} is no version; write ID@2, for example.")
    _show(running_api().get("v1", "policies", name, version=version or None), as_json, policy_facts)


@policies.command("set")
def set_policy(file: File) -> None:
    """Make a new version of a policy out of a file. The version is given by the system; old ones stay as they are."""
    from workers.cli.console import CommandFailed, out, plain
    from workers.cli.files import read_json

    draft = read_json(file)
    if not isinstance(draft, dict):
        raise CommandFailed(f"{file} holds no JSON object. Write one policy, such as {{'id': 'default', ...}}.")
    answer = running_api().post(
        "v1", "policies", body={name: value for name, value in draft.items() if name not in _GIVEN}
    )
    said = "is in force" if answer.status == 201 else "says the same already; nothing was changed"
    out.print(f"{plain(answer.body['id'])}@{answer.body['version']} {said}")


_GIVEN = ("version", "at")
"""What `tongqu policy show --json` prints and the system gives: a policy can be saved, edited and set again."""


def _show(found: Mapping[str, Any], as_json: bool, facts: Any) -> None:
    from workers.cli.console import out, print_json

    if as_json:
        print_json(found)
        return
    for name, value in facts(found):
        out.print(f"{name:<24}{value}", soft_wrap=True, highlight=False)


def _load(file: Path, name: str) -> None:
    from workers.cli.files import load_file

    raise typer.Exit(load_file(running_api(), file, name))
