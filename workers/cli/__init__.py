"""The `tongqu` command. What a command needs is imported when it runs, so that help is there at once."""

import sys
from typing import Annotated

import typer
from rich.text import Text

from workers.cli import (
    bot,
    bus,
    cases,
    check,
    importing,
    keys,
    letters,
    masterdata,
    orders,
    partner,
    service,
    settlements,
    status,
    versions,
    whatif,
)
from workers.cli.console import CommandFailed, err

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Tongqu: orders, partners and stock of many regions as durable processes.",
)
app.add_typer(orders.app, name="order")
app.add_typer(masterdata.locations, name="location")
app.add_typer(masterdata.skus, name="sku")
app.add_typer(masterdata.carriers, name="carrier")
app.add_typer(masterdata.policies, name="policy")
app.add_typer(importing.app, name="import")
app.add_typer(settlements.app, name="settlement")
app.add_typer(partner.app, name="partner")
service.mount(cases.app)
app.add_typer(cases.app, name="case")
app.add_typer(bot.app, name="bot")
app.add_typer(keys.app, name="key")
app.add_typer(bus.app, name="bus")
app.add_typer(letters.app, name="dlq")
app.add_typer(versions.app, name="version")
app.command()(status.status)
app.command()(status.refusals)
app.command()(check.check)
app.command("what-if")(whatif.what_if)

_IN_THEIR_WORDS = {
    "AlreadyRunning",
    "BusNotTold",
    "KeysIncomplete",
    "NatsRefused",
    "NatsUnreachable",
    "NotConfigured",
    "ProcessFailed",
    "ProgramNotFound",
    "Refusal",
    "RequestRefused",
    "ServerTooOld",
    "StreamUnreadable",
    "VersionUnknown",
    "WeightsUnreadable",
}
"""Errors that say themselves what is wrong and what to do; by name, so that none is imported for it."""
_IN_OUR_WORDS = {
    "NotFoundError": "A stream is missing in NATS. Make it with `tongqu provision`.",
    "ServerSelectionTimeoutError": "MongoDB cannot be reached. Is the system running? Start it with `tongqu up`.",
}


@app.command()
def demo(
    orders: Annotated[int, typer.Option(min=1, help="Orders to place.")] = 2000,
    seed: Annotated[int, typer.Option(help="The same seed makes the same orders.")] = 7,
) -> None:
    """The whole way of 2,000 orders on this machine: start, place, answer, deliver, report, check."""
    from workers.demo import demo as run_demo

    raise typer.Exit(run_demo(orders, seed))


@app.command()
def provision() -> None:
    """Make indexes, streams, consumers and search attributes on the servers of the settings. Safe to run again."""
    import asyncio

    from infra.provision import provision as make_everything
    from infra.settings import Settings
    from workers.cli.console import out

    asyncio.run(make_everything(Settings()))
    out.print("provisioned")


@app.command()
def up(
    stores: Annotated[bool, typer.Option(help="Let the example store agent answer for the stores.")] = True,
) -> None:
    """Start the whole system on this machine and stay until Ctrl-C."""
    from workers.up import up as run_up

    raise typer.Exit(run_up(stores))


def main() -> None:
    """What goes wrong in a way that was foreseen is said in a sentence; anything else keeps its traceback."""
    try:
        app()
    except Exception as error:
        words = _words(error)
        if words is None:
            raise
        err.print(Text(words, style="red"))
        sys.exit(1)


def _words(error: Exception) -> str | None:
    name = type(error).__name__
    if isinstance(error, CommandFailed) or name in _IN_THEIR_WORDS:
        return str(error)
    return _IN_OUR_WORDS.get(name)
