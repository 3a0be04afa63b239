"""`tongqu case policy`, `calendar`, `team`, `rota` and `deadline`: what customer service goes by."""

from pathlib import Path
from typing import Annotated, Any

import typer

from workers.cli.options import AsJson, running_api

policies = typer.Typer(no_args_is_help=True, help="What is promised, and the ladder: see and make new versions.")
calendars = typer.Typer(no_args_is_help=True, help="Working calendars: see and make new versions.")
teams = typer.Typer(no_args_is_help=True, help="Teams and what they can do: see and make new versions.")
rotas = typer.Typer(no_args_is_help=True, help="Who is on duty when: see and make new versions.")

File = Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="JSON.")]
Id = Annotated[str, typer.Argument(metavar="ID[@VERSION]", help="Without a version, the newest.")]
_GIVEN = ("version", "at")
"""What `show` prints and the system gives: what it prints can be edited and set again."""


def mount(app: typer.Typer) -> None:
    """As commands of `tongqu case`."""
    app.add_typer(policies, name="policy")
    app.add_typer(calendars, name="calendar")
    app.add_typer(teams, name="team")
    app.add_typer(rotas, name="rota")
    app.command("deadline")(deadline)


@policies.command("list")
def list_policies(as_json: AsJson = False) -> None:
    """The newest version of each, and where it holds."""
    _list("policies", as_json)


@policies.command("show")
def show_policy(policy: Id) -> None:
    """All of it, as JSON that can be edited and set again."""
    _show("policies", policy)


@policies.command("set")
def set_policy(file: File) -> None:
    """Make a new version out of a file. Open cases go by it from then on."""
    _set("policies", file, "id")


@calendars.command("list")
def list_calendars(as_json: AsJson = False) -> None:
    """The newest version of each."""
    _list("calendars", as_json)


@calendars.command("show")
def show_calendar(calendar: Id) -> None:
    """All of it, as JSON that can be edited and set again."""
    _show("calendars", calendar)


@calendars.command("set")
def set_calendar(file: File) -> None:
    """Make a new version out of a file. Open cases are reckoned anew."""
    _set("calendars", file, "id")


@teams.command("list")
def list_teams(as_json: AsJson = False) -> None:
    """By level, region and what they know."""
    _list("teams", as_json)


@teams.command("show")
def show_team(team: Id) -> None:
    """All of it, as JSON that can be edited and set again."""
    _show("teams", team)


@teams.command("set")
def set_team(file: File) -> None:
    """Make a new version out of a file."""
    _set("teams", file, "id")


@rotas.command("list")
def list_rotas(as_json: AsJson = False) -> None:
    """One for each team that has any."""
    _list("rotas", as_json)


@rotas.command("show")
def show_rota(team: Id) -> None:
    """All of it, as JSON that can be edited and set again."""
    _show("rotas", team)


@rotas.command("set")
def set_rota(file: File) -> None:
    """Make a new version out of a file. One that must cover every minute and does not is refused."""
    _set("rotas", file, "team")


@rotas.command("now")
def duty(
    team: Annotated[str | None, typer.Option(help="Only this team.")] = None,
    at: Annotated[str | None, typer.Option(help="Such as 2026-02-14T10:00:00+08:00; now, when left out.")] = None,
    as_json: AsJson = False,
) -> None:
    """Who is on duty, who comes next, and where nobody is there within four weeks."""
    from workers.cli.console import out, print_json
    from workers.cli.service_tables import duty_table

    found = running_api().get("v1", "service", "duty", team=team, at=at)
    if as_json:
        print_json(found)
    else:
        out.print(duty_table(found["teams"]))


def deadline(
    region: Annotated[str, typer.Option(help="Division code, such as 330106.")],
    priority: Annotated[str, typer.Option(help="urgent, high, normal or low.")] = "normal",
    tier: Annotated[str, typer.Option(help="Of the customer.")] = "standard",
    at: Annotated[str | None, typer.Option(help="When the case comes to people; now, when left out.")] = None,
    english: Annotated[bool, typer.Option(help="Explained in English.")] = False,
    as_json: AsJson = False,
) -> None:
    """What a case would be promised, and which hours count."""
    from workers.cli.console import out, plain, print_json

    found = running_api().get("v1", "service", "deadlines", region=region, priority=priority, tier=tier, at=at)
    if as_json:
        print_json(found)
        return
    out.print(f"policy {plain(found['policy'])}, calendar {plain(found['calendar'])}", highlight=False)
    for one in found["deadlines"]:
        out.print(plain(one["words"]["en" if english else "zh"]), soft_wrap=True, highlight=False)


def _list(what: str, as_json: bool) -> None:
    from workers.cli.console import out, print_json
    from workers.cli.service_tables import TABLES

    found = running_api().get("v1", "service", what)
    if as_json:
        print_json(found)
    else:
        out.print(TABLES[what](found[what]))


def _show(what: str, pinned: str) -> None:
    from workers.cli.console import CommandFailed, print_json

    name, _, version = pinned.partition("@")
    if version and not version.isdecimal():
        raise CommandFailed(f"{version} is no version; write ID@2, for example.")
    print_json(running_api().get("v1", "service", what, name, version=version or None))


def _set(what: str, file: Path, key: str) -> None:
    from workers.cli.console import CommandFailed, out, plain
    from workers.cli.files import read_json

    draft = read_json(file)
    if not isinstance(draft, dict):
        raise CommandFailed(f"{file} holds no JSON object. Write one, as `show` prints it.")
    body: dict[str, Any] = {name: value for name, value in draft.items() if name not in _GIVEN}
    answer = running_api().post("v1", "service", what, body=body)
    said = "counts now" if answer.status == 201 else "says the same already; nothing was changed"
    out.print(f"{plain(answer.body[key])}@{answer.body['version']} {said}", highlight=False)
