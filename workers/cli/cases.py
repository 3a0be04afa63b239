"""`tongqu case`: cases of customer service, seen and worked on."""

from typing import Annotated, Any

import typer

from workers.cli.options import AsJson, running_api

app = typer.Typer(no_args_is_help=True, help="Customer service: cases and queues, and what is promised by whom.")

CaseId = Annotated[str, typer.Argument(metavar="CASE", help="The case's id, case-….")]
Reason = Annotated[str, typer.Option(help="Kept with the case.")]


@app.command("list")
def list_cases(
    state: Annotated[str, typer.Option(help="Such as open, resolved; `live`: not resolved; `all`.")] = "live",
    team: Annotated[str | None, typer.Option(help="Only this team's.")] = None,
    assignee: Annotated[str | None, typer.Option(help="Only this person's.")] = None,
    order: Annotated[str | None, typer.Option(help="Only about this order.")] = None,
    customer: Annotated[str | None, typer.Option(help="Only this customer's.")] = None,
    partner: Annotated[str | None, typer.Option(help="Only those that concern this location or partner.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only of this kind, such as complaint.")] = None,
    breached: Annotated[bool, typer.Option(help="Only those with a broken promise.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=200, help="Most cases shown.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Cases, the oldest first."""
    from workers.cli.console import out, print_json

    asked = {"team": team, "assignee": assignee, "order": order, "customer": customer, "partner": partner, "kind": kind}
    broken = "true" if breached else None
    wanted = None if state == "all" else state
    page = running_api().get("v1", "cases", **asked, state=wanted, breached=broken, limit=limit)
    if as_json:
        print_json(page)
        return
    from workers.cli.case_tables import table

    out.print(table(page["cases"]))
    if page["next"]:
        out.print("There are more; narrow the list down with --team, --assignee, --kind or --breached.")


@app.command()
def show(case: CaseId, as_json: AsJson = False) -> None:
    """How a case stands, what was written in it, and what happened."""
    from workers.cli.console import out, print_json

    api = running_api()
    found = api.get("v1", "cases", case)
    messages = api.get("v1", "cases", case, "messages")["messages"]
    if as_json:
        print_json({**found, "messages": messages})
        return
    from workers.cli.case_tables import story

    for part in story(found, messages):
        out.print(part, highlight=False)


@app.command()
def queues(as_json: AsJson = False) -> None:
    """What is open by team and level: the oldest, what is broken, and who has how much in hand."""
    from workers.cli.console import out, print_json

    found = running_api().get("v1", "cases", "queues")
    if as_json:
        print_json(found)
        return
    from workers.cli.case_tables import queue_tables

    for part in queue_tables(found):
        out.print(part, highlight=False)


@app.command()
def why(case: CaseId, as_json: AsJson = False) -> None:
    """Why it is due when it is due: which hours count."""
    from workers.cli.console import out, print_json

    found = running_api().get("v1", "cases", case, "why")
    if as_json:
        print_json(found)
        return
    from workers.cli.case_tables import deadlines

    for part in deadlines(found):
        out.print(part, highlight=False)


@app.command("open")
def open_case(
    text: Annotated[str | None, typer.Option(help="The customer's words.")] = None,
    kind: Annotated[str | None, typer.Option(help="Left out: the bot finds out.")] = None,
    customer: Annotated[str | None, typer.Option(help="Your own id of the customer.")] = None,
    order: Annotated[str | None, typer.Option(help="The order that it is about.")] = None,
    region: Annotated[str | None, typer.Option(help="Division code; left out: the order's.")] = None,
    priority: Annotated[str | None, typer.Option(help="urgent, high, normal or low.")] = None,
    person: Annotated[bool, typer.Option(help="Straight to people, without the bot.")] = False,
) -> None:
    """Open a case; a live case of the same matter takes it in instead."""
    from workers.cli.console import out

    named = {"text": text, "kind": kind, "customer": customer, "order": order, "region": region, "priority": priority}
    body: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    found = running_api().post("v1", "cases", body={**body, "person": person}).body
    out.print(f"{found['id']} {'has taken it in' if found['merged'] else 'is open'}: {found['state']}")


@app.command()
def say(case: CaseId, text: Annotated[str, typer.Option(help="The customer's words.")]) -> None:
    """Tell what the customer writes."""
    _command(case, "messages", {"text": text})


@app.command()
def reply(
    case: CaseId,
    text: Annotated[str, typer.Option(help="Told to the customer.")],
    wait: Annotated[bool, typer.Option(help="Then it is the customer's turn, and the clocks stand.")] = True,
) -> None:
    """Answer the customer."""
    _command(case, "reply", {"text": text, "wait": wait})


@app.command()
def note(case: CaseId, text: Annotated[str, typer.Option(help="Among colleagues.")]) -> None:
    """Write what customers and partners do not see."""
    _command(case, "notes", {"text": text})


@app.command()
def assign(
    case: CaseId,
    to: Annotated[str | None, typer.Option(help="A person; left out: whom the rules choose.")] = None,
    team: Annotated[str | None, typer.Option(help="A team.")] = None,
) -> None:
    """Give a case to somebody."""
    body = {"assignee": to, "team": team}
    _command(case, "assignment", {name: value for name, value in body.items() if value is not None})


@app.command()
def escalate(case: CaseId, reason: Reason) -> None:
    """Bring a case to the next level of the ladder."""
    _command(case, "escalation", {"reason": reason})


@app.command()
def priority(
    case: CaseId, to: Annotated[str, typer.Option(help="urgent, high, normal or low.")], reason: Reason
) -> None:
    """Change a case's priority; what is not broken is due anew."""
    _command(case, "priority", {"priority": to, "reason": reason})


@app.command()
def ask(
    case: CaseId,
    text: Annotated[str, typer.Option(help="Told to the partner; nothing personal.")],
    partner: Annotated[str | None, typer.Option(help="Left out: the case's.")] = None,
) -> None:
    """Ask the partner that a case concerns."""
    _command(case, "partner-question", {"text": text, **({"partner": partner} if partner else {})})


@app.command()
def compensate(
    case: CaseId,
    amount: Annotated[int, typer.Option(min=1, help="Minor units (fen) of the order's currency.")],
    reason: Reason,
    currency: Annotated[str, typer.Option(help="The order's.")] = "CNY",
) -> None:
    """Give the customer money; above the level's limit it waits for approval."""
    _command(case, "compensations", {"amount": amount, "currency": currency, "reason": reason})


@app.command()
def decide(
    case: CaseId,
    number: Annotated[int, typer.Option(min=1, help="Of the compensation.")],
    approve: Annotated[bool, typer.Option("--approve/--reject", help="What you decide.")],
    reason: Annotated[str | None, typer.Option(help="Kept with the case.")] = None,
) -> None:
    """Approve or reject a compensation that somebody else has offered."""
    _command(case, "decision", {"number": number, "approve": approve, **({"note": reason} if reason else {})})


@app.command()
def correct(
    case: CaseId,
    action: Annotated[str, typer.Option(help="reroute, cancel, reship, refund or take_back.")],
    reason: Reason,
    parcel: Annotated[str | None, typer.Option(help="The parcel that it is about.")] = None,
) -> None:
    """Have the order corrected, by its own commands."""
    _command(case, "corrections", {"action": action, "reason": reason, **({"parcel": parcel} if parcel else {})})


@app.command()
def resolve(
    case: CaseId,
    code: Annotated[
        str, typer.Option(help="solved, answered, compensated, corrected, not_justified or given_up.")
    ] = "solved",
    fault: Annotated[str, typer.Option(help="partner, carrier, retailer, customer or nobody.")] = "nobody",
    text: Annotated[str | None, typer.Option(help="Told to the customer.")] = None,
) -> None:
    """Resolve a case; the customer is asked how it was."""
    _command(case, "resolution", {"code": code, "fault": fault, **({"text": text} if text else {})})


@app.command()
def rate(
    case: CaseId,
    score: Annotated[int, typer.Option(min=1, max=5, help="How satisfied the customer is.")],
    text: Annotated[str | None, typer.Option(help="The customer's words.")] = None,
) -> None:
    """What the customer says of it, once it is resolved; it counts in the partner's score."""
    _command(case, "rating", {"score": score, **({"text": text} if text else {})})


@app.command()
def reopen(case: CaseId, reason: Reason) -> None:
    """Reopen a case that is resolved and not closed."""
    _command(case, "reopening", {"reason": reason})


@app.command()
def merge(case: CaseId, into: Annotated[str, typer.Option(help="The case that goes on.")]) -> None:
    """Merge a case into another."""
    _command(case, "merging", {"into": into})


def _command(case: str, command: str, body: dict[str, Any]) -> None:
    from workers.cli.console import out, plain

    found = running_api().post("v1", "cases", case, command, body=body).body
    whose = f", {plain(found['assignee'])}" if found["assignee"] else ""
    out.print(f"{plain(case)} is {found['state']}{whose}")
