"""Applications and partners as tables at the terminal."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Column, Table

from contracts.money import display
from workers.cli.console import moment, plain

Row = Mapping[str, Any]
_COLOURS = {
    "active": "green",
    "accepted": "green",
    "passed": "green",
    "waived": "cyan",
    "testing": "cyan",
    "suspended": "yellow",
    "returned": "yellow",
    "doubtful": "yellow",
    "missing": "yellow",
    "failed": "red",
    "rejected": "red",
    "terminated": "red",
}
_FACTS = ("kind", "credit_code", "territory", "exclusive", "categories", "price_list", "agreement", "agreement_until")


def _coloured(name: str) -> str:
    colour = _COLOURS.get(name, "blue")
    return f"[{colour}]{plain(name)}[/{colour}]"


def _whole(name: str) -> Column:
    """Of ids, which other commands are given."""
    return Column(name, no_wrap=True, overflow="ignore")


def partners(rows: Sequence[Row]) -> Table:
    reasons = Column("for", overflow="fold")
    table = Table(_whole("partner"), "name", "kind", "state", reasons, "agreement until", "next")
    for row in rows:
        leaves = " (leaving)" if row["terminating"] and row["state"] != "terminated" else ""
        table.add_row(
            plain(row["id"]),
            plain(row["name"]),
            plain(row["kind"]),
            _coloured(row["state"]) + leaves,
            plain(", ".join(row["suspended_for"] if row["state"] == "suspended" else [])),
            moment(row["agreement_until"]),
            plain(row["waits_for"]),
        )
    return table


def applications(rows: Sequence[Row]) -> Table:
    columns = ("company", "kind", "region", "stage", "risk", "approved", "due (UTC)", "waits for")
    table = Table(_whole("application"), *columns)
    for row in rows:
        turn = row["turn"]
        due = moment(turn["due"]) if turn else ""
        table.add_row(
            plain(row["application"]),
            plain(row["company"]),
            plain(row["kind"]),
            plain(row["region"]),
            _coloured(row["stage"]),
            "" if row["risk"] is None else str(row["risk"]),
            f"{len(row['approved_by'])} of {row['reviewers_needed']}",
            f"[red]{due}[/red]" if row["overdue"] else due,
            plain(row["waits_for"]),
        )
    return table


def application_story(row: Row) -> Iterator[RenderableType]:
    """Facts, items with what the checks say, what is wrong, the risk, and who did what."""
    yield f"[bold]{plain(row['application'])}[/bold] {plain(row['company'])}, {_coloured(row['stage'])}"
    yield f"{'requirements':<14}{plain(row['requirements'])}, submitted {row['revision']} times"
    yield f"{'waits for':<14}{plain(row['waits_for'])}"
    if row["reasons"]:
        yield f"{'because':<14}{plain(', '.join(row['reasons']))}"
    if row["agreement"]:
        yield f"{'agreement':<14}{plain(row['agreement'])}; who signed, and why not: tongqu partner agreement show"
    if row["links"]["workflow"]:
        yield f"{'workflow':<14}{plain(row['links']['workflow'])}"
    yield _items(row["items"])
    wrong = [check for check in row["checks"] if check["verdict"] != "passed"]
    if wrong:
        yield _checks(wrong)
    if row["risk_terms"]:
        yield _risk(row["risk_terms"])
    yield _audit(row["audit"])


def _items(items: Sequence[Row]) -> Table:
    table = Table("item", "state", "checks", "may be waived", "comment", "by")
    for item in items:
        barred = "no" if item["must_pass"] else "yes"
        comment, by = plain(item["comment"]), plain(item["by"])
        table.add_row(plain(item["item"]), _coloured(item["state"]), _coloured(item["verdict"]), barred, comment, by)
    return table


def _checks(checks: Sequence[Row]) -> Table:
    table = Table("check", "item", "verdict", "found", "evidence")
    for check in checks:
        evidence = "; ".join(f"{one['source']}: {one['value']}" for one in check["evidence"] if one.get("value"))
        words = f"{check['words']['zh']} {check['words']['en']}"
        table.add_row(
            plain(check["name"]), plain(check["item"]), _coloured(check["verdict"]), plain(words), plain(evidence)
        )
    return table


def _risk(risk: Row) -> Table:
    table = Table("risk", f"{risk['score']} of 100; above {risk['limit']} two reviewers")
    for term in risk["terms"]:
        table.add_row(f"+{term['points']}", plain(f"{term['words']['zh']} {term['words']['en']}"))
    return table


def _audit(lines: Sequence[Row]) -> Table:
    table = Table("at (UTC)", "by", "did", "what", "note")
    for one in lines:
        table.add_row(moment(one["at"]), plain(one["by"]), plain(one["did"]), plain(one["what"]), plain(one["note"]))
    return table


def partner_story(row: Row) -> Iterator[RenderableType]:
    """Facts, what ends when, what is open, and who did what."""
    yield f"[bold]{plain(row['id'])}[/bold] {plain(row['name'])}, {_coloured(row['state'])}"
    if row["suspended_for"] and row["state"] == "suspended":
        yield f"{'because':<16}{plain(', '.join(row['suspended_for']))}"
    yield f"{'next':<16}{plain(row['waits_for'])}"
    for name in _FACTS:
        value = row.get(name)
        if value not in (None, [], False):
            yield f"{name.replace('_', ' '):<16}{plain(', '.join(value) if isinstance(value, list) else value)}"
    yield f"{'access':<16}{plain(_access(row['access'], row['ways']))}"
    if row["links"]["workflow"]:
        yield f"{'workflow':<16}{plain(row['links']['workflow'])}"
    yield _streams(row["ways"]["streams"])
    yield _documents(row["documents"], row["offered"])
    yield f"{'open':<16}{plain(_open(row['open']))}"
    yield _audit(row["audit"])


def _access(access: str, ways: Row) -> str:
    """Keys and credentials may also have been given by hand, without being collected."""
    until = f" until {moment(ways['credentials_until'])}" if ways["credentials"] else ""
    counted = f"{ways['keys']} API keys, {ways['credentials']} credentials for NATS{until}"
    again = access == "revoked" and (ways["keys"] or ways["credentials"])
    return f"{'revoked, and given anew' if again else access.replace('_', ' ')}; {counted}"


def _streams(streams: Sequence[Row]) -> Table:
    table = Table(Column("stream", overflow="fold"), "gets orders", "told up to", "taken in up to", "webhooks")
    for one in streams:
        active = "" if one["active"] is None else "yes" if one["active"] else "[yellow]no[/yellow]"
        taken = "NATS does not answer" if one["taken_in"] is None else str(one["taken_in"])
        behind = one["taken_in"] is None or one["taken_in"] < one["told"]
        hooks = "; ".join(_webhook(hook) for hook in one["webhooks"])
        shown = f"[yellow]{taken}[/yellow]" if behind else taken
        table.add_row(plain(one["stream"]), active, str(one["told"]), shown, plain(hooks))
    return table


def _webhook(hook: Row) -> str:
    words = f"{hook['id']} {hook['state']}"
    if hook["paused_for"]:
        words += f" ({hook['paused_for']})"
    words += f", sent up to {hook['position']}"
    failure = hook["last_failure"]
    if failure and (hook["attempts"] or hook["paused_for"]):
        words += f", failed {hook['attempts']} times, at {moment(failure['at'])}: {failure['detail']}"
        words += f", tried again at {moment(hook['next_at'])}" if hook["next_at"] and not hook["paused_for"] else ""
    return words


def _documents(held: Sequence[Row], offered: Sequence[Row]) -> Table:
    new = {one["requirement"]: one for one in offered}
    table = Table("document", "valid until (UTC)", "new one")
    for one in held:
        offer = new.get(one["requirement"])
        words = f"waits for a reviewer until {moment(offer['due'])}" if offer else ""
        if offer and offer["found"]:
            words += f"; wrong: {', '.join(offer['found'])}"
        table.add_row(plain(one["requirement"]), moment(one["valid_until"]) or "without end", plain(words))
    return table


def _open(still: Row) -> str:
    parts = []
    if still["order_count"]:
        parts.append(f"{still['order_count']} orders ({', '.join(still['orders'][:5])})")
    if still["returns"]:
        parts.append(f"{still['returns']} returns")
    if still["statements"]:
        parts.append(f"statements {', '.join(still['statements'])}")
    if still["purchases"]:
        parts.append(f"purchase orders {', '.join(still['purchases'][:5])}")
    parts += [f"{display(amount, currency)} not settled" for currency, amount in still["unsettled"].items()]
    return "; ".join(parts) or "nothing"
