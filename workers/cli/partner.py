"""`tongqu partner`: applications to become a partner, what reviewers decide, and partners themselves."""

from pathlib import Path
from typing import Annotated, Any

import typer

from workers.cli import agreements
from workers.cli.options import AsJson, running_api

app = typer.Typer(no_args_is_help=True, help="Applications, reviews and partners.")
app.add_typer(agreements.app, name="agreement")

PartnerId = Annotated[str, typer.Argument(metavar="ID", help="The partner's id, partner-….")]
ApplicationId = Annotated[str, typer.Argument(metavar="APPLICATION", help="The application's id, app-….")]
Reason = Annotated[str, typer.Option(help="Why; the partner is told.")]


@app.command("list")
def list_partners(
    state: Annotated[str | None, typer.Option(help="Only in this state, such as active or suspended.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only of this kind, such as franchise.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="Most partners shown.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Partners, with what comes next for each."""
    from workers.cli.console import out, print_json, print_whole

    page = running_api().get("v1", "partners", state=state, kind=kind, limit=limit)
    if as_json:
        print_json(page)
        return
    from workers.cli.partner_tables import partners

    print_whole(partners(page["partners"]))
    if page["next"]:
        out.print("There are more; narrow the list down with --state or --kind.")


@app.command()
def queue(
    stage: Annotated[str | None, typer.Option(help="Left out: what waits for reviewers; else draft, bank, …")] = None,
    kind: Annotated[str | None, typer.Option(help="Only of this kind.")] = None,
    region: Annotated[str | None, typer.Option(help="Only of this region, such as 33.")] = None,
    overdue: Annotated[bool, typer.Option(help="Only what is late.")] = False,
    company: Annotated[str | None, typer.Option(help="Credit code or part of the name; at whatever stage.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="Most applications shown.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Applications that wait, what is due first at the top."""
    from workers.cli.console import out, print_json, print_whole

    late = "true" if overdue else None
    wanted = {"stage": stage, "kind": kind, "region": region, "overdue": late, "company": company}
    page = running_api().get("v1", "reviews", limit=limit, **wanted)
    if as_json:
        print_json(page)
        return
    from workers.cli.partner_tables import applications

    print_whole(applications(page["reviews"]))
    if page["next"]:
        out.print("There are more; narrow the list down with --kind, --region, --overdue or --company.")


@app.command()
def score(partner: PartnerId, as_json: AsJson = False) -> None:
    """What customers' cases, and deliveries where it supplies, say of a partner or a location; of a year."""
    from workers.cli.console import out, print_json

    found = running_api().get("v1", "partners", partner, "score")
    if as_json:
        print_json(found["score"])
        return
    from workers.cli.purchase_tables import score_table

    out.print(score_table(found["score"]))


@app.command()
def show(
    partner: Annotated[str, typer.Argument(metavar="ID", help="A partner's id, or an application's (app-…).")],
    as_json: AsJson = False,
) -> None:
    """A partner, or an application with its items, checks and decisions. It is written down that you looked."""
    from workers.cli.console import out, print_json

    application = partner.startswith("app-")
    found = running_api().get("v1", "reviews" if application else "partners", partner)
    if as_json:
        print_json(found)
        return
    from workers.cli.partner_tables import application_story, partner_story

    for part in application_story(found) if application else partner_story(found):
        out.print(part, highlight=False)


@app.command("file")
def see_file(
    partner: Annotated[str, typer.Argument(metavar="ID", help="A partner's id, or an application's (app-…).")],
    item: Annotated[str, typer.Argument(help="The document, such as business_licence.")],
    to: Annotated[Path, typer.Option("--out", help="New file, for you only.")],
    held: Annotated[
        bool, typer.Option("--held", help="Of a partner: the one that counts, also where a new one waits.")
    ] = False,
) -> None:
    """Write a document that was sent in to a file, to look at it. It is written down that you did."""
    from infra.filetypes import media_type_of
    from workers.cli.console import out, plain
    from workers.cli.private import private_file

    api = running_api()
    with private_file(to) as file:
        if partner.startswith("app-"):
            content = api.content("v1", "reviews", partner, "documents", item)
        else:
            content = api.content("v1", "partners", partner, "documents", item, held="true" if held else None)
        file.write(content)
    out.print(f"{plain(to)}: {len(content)} bytes, {media_type_of(content)}")


@app.command()
def review(
    application: ApplicationId,
    item: Annotated[
        str, typer.Argument(help="The item, such as business_licence; or `passed`: all whose checks have passed.")
    ],
    decision: Annotated[str, typer.Argument(help="accept, return or waive.")],
    comment: Annotated[str | None, typer.Option(help="Needed to return or to waive; the applicant reads it.")] = None,
) -> None:
    """Accept, return or waive an item of an application, or all that wait and whose checks have passed."""
    from workers.cli.console import CommandFailed, out, plain

    api = running_api()
    items = [item]
    if item == "passed":
        seen = api.get("v1", "reviews", application)["items"]
        items = [one["item"] for one in seen if one["state"] == "supplied" and one["verdict"] == "passed"]
        if not items:
            raise CommandFailed("No item waits whose checks have passed; see `tongqu partner show`.")
    for one in items:
        body = {"item": one, "decision": decision, **({"comment": comment} if comment else {})}
        standing = api.post("v1", "applications", application, "review", body=body).body["standing"]
    left = [one["item"] for one in standing["items"] if one["state"] not in ("accepted", "waived")]
    out.print(f"{plain(item)}: {plain(decision)}. Undecided: {plain(', '.join(left)) or 'none'}")


@app.command()
def decide(
    application: ApplicationId,
    decision: Annotated[str, typer.Argument(help="approve, return (what was returned goes back) or reject.")],
    reason: Annotated[str | None, typer.Option(help="Needed to reject; the applicant reads it.")] = None,
) -> None:
    """Decide about a whole application."""
    from workers.cli.console import out, plain

    body = {"decision": decision, **({"reason": reason} if reason else {})}
    standing = running_api().post("v1", "applications", application, "decide", body=body).body["standing"]
    by = f", approved by {plain(', '.join(standing['approved_by']))}" if standing["approved_by"] else ""
    more = standing["reviewers_needed"] - len(standing["approved_by"])
    waits = f"; {more} more reviewer must approve" if standing["stage"] == "review" and by and more > 0 else ""
    out.print(f"{plain(application)} is at the stage {plain(standing['stage'])}{by}{waits}")


@app.command()
def document(
    partner: PartnerId,
    requirement: Annotated[str, typer.Argument(help="What it is for, such as business_licence.")],
    decision: Annotated[str, typer.Argument(help="accept or return.")],
    comment: Annotated[str | None, typer.Option(help="Needed to return; the partner reads it.")] = None,
) -> None:
    """Accept or return a new document that a partner has sent in place of one that ends."""
    body = {"requirement": requirement, "decision": decision, **({"comment": comment} if comment else {})}
    _command(partner, "review", body)


@app.command()
def suspend(partner: PartnerId, reason: Reason) -> None:
    """No new orders for a partner; those it has, it finishes."""
    _command(partner, "suspend", {"reason": reason})


@app.command()
def resume(partner: PartnerId, note: Annotated[str | None, typer.Option(help="Kept in the audit.")] = None) -> None:
    """End a suspension that an operator has begun."""
    _command(partner, "resume", {"note": note} if note else {})


@app.command()
def terminate(
    partner: PartnerId,
    reason: Reason,
    when_done: Annotated[
        bool, typer.Option("--when-done", help="No new orders from now on; it goes when nothing is open any more.")
    ] = False,
) -> None:
    """Let a partner go. There is no way back; its keys and credentials end."""
    _command(partner, "terminate", {"reason": reason, "when_done": when_done})


@app.command()
def renew(partner: PartnerId) -> None:
    """Draft the next agreement and ask its signers."""
    _command(partner, "renew", {})


@app.command()
def credentials(
    partner: PartnerId,
    rotate: Annotated[Path | None, typer.Option(help="Make new ones, and write them to this file.")] = None,
    overlap_s: Annotated[float, typer.Option(min=0, help="So long the old ones count beside the new ones.")] = 3600,
    revoke: Annotated[bool, typer.Option("--revoke", help="Take all keys and credentials back at once.")] = False,
    key: Annotated[bool, typer.Option("--key", help="Make a further API key; it is shown once.")] = False,
) -> None:
    """New credentials for the bus, a further API key, or the end of all of them."""
    from workers.cli.console import CommandFailed, out, plain
    from workers.cli.private import private_file

    if (rotate is not None) + revoke + key != 1:
        raise CommandFailed("Choose one of --rotate FILE, --revoke and --key.")
    api = running_api()
    if rotate is not None:
        with private_file(rotate) as file:
            made = api.post("v1", "partners", partner, "credentials", "rotate", body={"overlap_s": overlap_s}).body
            file.write(made["creds"].encode())
        out.print(f"{plain(rotate)}: counts until {made['expires_at']}; its inbox is {plain(made['inbox'])}")
    elif revoke:
        ended = api.post("v1", "partners", partner, "credentials", "revoke", body={}).body
        out.print(
            f"{ended['keys']} keys, {ended['webhooks']} webhooks and all credentials ended at {ended['revoked_at']}"
        )
    else:
        made = api.post("v1", "partners", partner, "keys", body={}).body
        out.print(made["key"], highlight=False, soft_wrap=True)


@app.command("revoke-token")
def revoke_token(application: Annotated[str, typer.Argument(help="The application's id.")]) -> None:
    """End the token of an application that others have seen. Nobody gets another: an applicant begins anew."""
    from workers.cli.console import out

    ended = running_api().post("v1", "applications", application, "token", "revoke", body={}).body
    out.print(f"the token ended at {ended['revoked_at']}")


def _command(partner: str, command: str, body: dict[str, Any]) -> None:
    from workers.cli.console import out, plain

    found = running_api().post("v1", "partners", partner, command, body=body).body
    leaves = ", leaving" if found["terminating"] and found["state"] != "terminated" else ""
    held = found["suspended_for"] if found["state"] == "suspended" else []
    why = f" for {plain(', '.join(held))}" if held else ""
    out.print(f"{plain(partner)} is {found['state']}{leaves}{why}; next: {plain(found['waits_for'])}")
