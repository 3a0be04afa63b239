"""What an operator reads of a partner that telephones."""

import io
from typing import Any

import pytest
from rich.console import Console

from workers.cli.agreements import story
from workers.cli.console import print_whole
from workers.cli.partner_tables import applications, partner_story, partners

HOOK = {
    "id": "wh-1",
    "url": "https://shop.example/",
    "state": "paused",
    "paused_for": "failing",
    "position": 4,
    "attempts": 9,
    "next_at": None,
    "last_failure": {"at": "2026-11-23T15:00:00Z", "status": 500, "detail": "it answered 500"},
}


def stream(name: str, **more: Any) -> dict[str, Any]:
    return {"stream": name, "told": 4, "taken_in": 4, "active": None, "webhooks": [], **more}


def read(parts: Any) -> str:
    text = io.StringIO()
    console = Console(width=250, file=text)
    for part in parts:
        console.print(part)
    return text.getvalue()


def shown(**more: Any) -> str:
    row = {
        "id": "partner-1",
        "name": "明月",
        "state": "active",
        "suspended_for": [],
        "waits_for": "nothing",
        "access": "collected",
        "ways": {"streams": [stream("partner-1")], "keys": 1, "credentials": 0, "credentials_until": None},
        "links": {"workflow": None},
        "documents": [],
        "offered": [],
        "open": {"order_count": 0, "returns": 0, "statements": [], "purchases": [], "unsettled": {}},
        "audit": [],
        **more,
    }
    return read(partner_story(row))


def test_how_far_it_has_heard_is_read_off_a_table() -> None:
    streams = [
        stream("partner-1", taken_in=None),
        stream("partner-1-1", told=7, taken_in=4, active=False, webhooks=[HOOK]),
    ]
    said = shown(ways={"streams": streams, "keys": 1, "credentials": 0, "credentials_until": None})
    first, second = (line for line in said.splitlines() if line.startswith("│ partner-1"))
    assert [cell.strip() for cell in first.split("│")[1:-1]] == ["partner-1", "", "4", "NATS does not answer", ""]
    assert [cell.strip() for cell in second.split("│")[1:5]] == ["partner-1-1", "no", "7", "4"]
    assert "wh-1 paused (failing), sent up to 4, failed 9 times, at 2026-11-23 15:00:00: it answered 500" in second


def test_what_works_of_its_access_is_counted() -> None:
    none = {"streams": [], "keys": 0, "credentials": 0, "credentials_until": None}
    assert "revoked; 0 API keys, 0 credentials for NATS" in shown(access="revoked", ways=none)
    until = {**none, "credentials": 1, "credentials_until": "2027-11-23T15:00:00Z"}
    said = shown(access="revoked", ways=until)
    assert "revoked, and given anew; 0 API keys, 1 credentials for NATS until 2027-11-23 15:00:00" in said


def test_open_purchase_orders_are_told() -> None:
    still = {"order_count": 0, "returns": 0, "statements": [], "purchases": ["po-1"], "unsettled": {}}
    assert "purchase orders po-1" in shown(open=still)


def test_why_a_signer_declined_stands_beside_it() -> None:
    signer = {
        "id": "partner-1",
        "role": "legal_representative",
        "name": "王芳",
        "state": "declined",
        "sends": 2,
        "answered_at": "2026-11-23T15:14:05Z",
        "reason": "commission too high",
        "link": None,
    }
    agreement = {
        "id": "app-1-a1",
        "state": "declined",
        "template": "franchise@1",
        "expires_at": "2026-12-07T15:13:11Z",
        "signers": [signer],
        "evidence": None,
        "declined_by": "partner-1",
        "cancel_reason": None,
        "effective_from": None,
        "effective_until": None,
        "digest": None,
        "signed_digest": None,
    }
    said = read(story(agreement))
    assert "commission too high" in said and "declined by: partner-1" in said


@pytest.mark.parametrize("width", [80, 160, 250])
def test_ids_stand_whole_however_narrow_it_is(width: int) -> None:
    """Other commands are given them."""
    partner, application = "partner-01m859a5q3s0j6xax3", "app-01m859a5q3s0j6xax3"
    reason = "document_expired:food_licence"
    text = io.StringIO()
    row: dict[str, Any] = {"id": partner, "name": "杭州西湖明月百货有限公司", "kind": "franchise", "state": "suspended"}
    row |= {"terminating": False, "suspended_for": [reason], "agreement_until": "2028-11-24T16:00:00Z"}
    row |= {"waits_for": "2028-09-25 16:00 UTC, 60 days before the end of agreement"}
    print_whole(partners([row]), Console(width=width, file=text))
    waits: dict[str, Any] = {
        "application": application,
        "company": "杭州西湖明月百货有限公司",
        "kind": "franchise",
        "region": "330106",
    }
    waits |= {"stage": "review", "risk": 5, "approved_by": [], "reviewers_needed": 1, "overdue": False, "turn": None}
    waits |= {"waits_for": "a reviewer until 2026-11-25 10:30 UTC; reminded at 2026-11-24 10:30 UTC"}
    print_whole(applications([waits]), Console(width=width, file=text))
    said = text.getvalue()
    assert partner in said and application in said
