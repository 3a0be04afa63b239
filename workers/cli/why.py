"""`tongqu order why` at the terminal: a decision in words and tables."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Column, Table

from contracts.money import display
from workers.cli.console import moment, plain
from workers.picture.words import REASONS, VERDICTS, say

Row = Mapping[str, Any]
_COLOURS = {"chosen": "green", "could_ship_all": "cyan", "could_ship_some": "yellow", "ruled_out": "red"}
_TERMS = ("freight", "handling", "lateness", "scarcity")


def explained(why: Row) -> Iterator[str | Table]:
    """In the markup of the terminal."""
    number = f"decision {why['decision']} of {why['decisions']}"
    yield f"[bold]{plain(why['order'])}[/bold], {number}, {moment(why['at'])} UTC"
    yield f"{why['outcome']}: {plain(why['reason'])}\n"
    yield from _outcome(why)
    if why["candidates"]:
        yield _candidates(why)
    if why["ruled_out"]:
        yield _ruled_out(why)
    if why["excluded"]:
        yield f"not asked again: {', '.join(plain(place) for place in why['excluded'])}"
    if why["exchanged_with"]:
        yield f"goods were exchanged with {', '.join(plain(order) for order in why['exchanged_with'])}"
    seen = f"stock version {why['stock_version']} and {why['stock_rows']} rows, network {why['network_version']}"
    yield f"policy {plain(why['policy'])}; {seen}; {_quality(why)}"
    if why["location"]:
        yield from _recomputed(why, why["location"])


def _outcome(why: Row) -> Iterator[str]:
    winner, runner_up = why["winner"], why["runner_up"]
    if winner:
        for part in winner["parts"]:
            items = ", ".join(f"{item['quantity']} × {plain(item['sku'])}" for item in part["items"])
            carried = f", carried by {plain(part['service'])}" if part["service"] else ""
            expected = f", expected {moment(part['promised_at'])} UTC" if part["promised_at"] else ""
            place = f"{plain(part['location'])}, {km(part['distance_km'])} km"
            yield f"[green]winner[/green]     {place}: {items}{carried}{expected}"
        if winner["total"] is not None:
            yield f"           {_money(why, winner['total'])}: {_terms(why, winner['terms'])}"
    if runner_up:
        by = f", {_money(why, runner_up['by'])} more" if runner_up["by"] is not None else ""
        yield f"[cyan]runner-up[/cyan]  {', '.join(plain(place) for place in runner_up['locations'])}{by}"
    yield ""


def _candidates(why: Row) -> Table:
    columns = (Column(name, justify="right") for name in ("km", *_TERMS, "total"))
    table = Table(Column("candidate", overflow="fold"), "verdict", *columns, title="candidates", title_justify="left")
    for one in why["candidates"]:
        terms = one["terms"]
        costs = [_money(why, terms[name]) if terms else "" for name in _TERMS]
        table.add_row(
            plain(one["location"]),
            _verdict(one["verdict"]),
            km(one["distance_km"]),
            *costs,
            "" if one["total"] is None else _money(why, one["total"]),
        )
    return table


def _ruled_out(why: Row) -> Table:
    columns = (Column("locations", justify="right"), "reason", Column("nearest of them", overflow="fold"))
    table = Table(*columns, title="ruled out", title_justify="left")
    for reason in why["ruled_out"]:
        nearest = ", ".join(f"{plain(one['location'])} ({km(one['distance_km'])} km)" for one in reason["nearest"])
        table.add_row(str(reason["count"]), _reason(reason["reason"]), nearest)
    return table


def _recomputed(why: Row, one: Row) -> Iterator[str]:
    reason = f": {_reason(one['reason'])}" if one["reason"] else ""
    verdict = f"{_verdict(one['verdict'])}{reason}, {km(one['distance_km'])} km"
    yield f"\n[bold]{plain(one['location'])}[/bold], reckoned anew: {verdict}"
    wanted = ", ".join(
        f"{units} × {plain(sku)}, had {one['available'].get(sku, 0)}" for sku, units in one["wanted"].items()
    )
    kept_back = f"; of each {one['kept_back']} stay on the shelf" if one["kept_back"] else ""
    yield f"wanted: {wanted}{kept_back}"
    if one["total"] is not None:
        above = one["above_winner"]
        more = f", {_money(why, above)} above the winner" if above is not None and above > 0 else ""
        yield f"{_money(why, one['total'])}{more}: {_terms(why, one['terms'])}"
    if one["same"] is None:
        yield "[yellow]The whole decision comes out otherwise without the scarcity prices of that moment.[/yellow]"
    elif not one["same"]:
        cause = (
            "locations, carriers, articles or policies were changed since"
            if one["network_changed"]
            else "the network is as it was: please report this"
        )
        yield f"[yellow]The whole decision does not come out the same when it is reckoned anew; {cause}.[/yellow]"
    elif one["network_changed"]:
        yield "The network was changed since; the whole decision still comes out the same."
    else:
        yield "The whole decision, reckoned anew, comes out the same."


def _verdict(verdict: str) -> str:
    return f"[{_COLOURS[verdict]}]{say(VERDICTS, verdict, 'en')}[/{_COLOURS[verdict]}]"


def _reason(code: str) -> str:
    words = say(REASONS, code, "en")
    return plain(code) if words == code else f"{plain(code)}: {words}"


def _terms(why: Row, terms: Row) -> str:
    return ", ".join(f"{name} {_money(why, terms[name])}" for name in _TERMS if terms[name])


def _quality(why: Row) -> str:
    if why["exact"]:
        return "proven to be the best"
    return "the search was cut short" + (
        "" if why["gap"] is None else f", at most {_money(why, why['gap'])} above the best"
    )


def _money(why: Row, amount: float) -> str:
    return display(round(amount), why["currency"])


def km(distance: float | None) -> str:
    return "?" if distance is None else f"{distance:,.1f}"
