"""AgreementSigning over weeks on the time-skipping server, with the real provider: signed, late, declined, resent."""

import base64
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.agreements.signing import activities_of
from contracts.agreements import WAKE
from contracts.signatures import EnvelopeView
from infra.files import fetch
from infra.provider import Unanswered
from infra.signatures import HttpSignaturePort
from infra.temporal import sandbox, strict_sandbox
from tests.conftest import SignatureSandbox
from tests.databases import Databases
from tests.signing import Office, Signers
from workflows.catalogue import AGREEMENT_WORKFLOWS


@pytest.fixture
async def signers() -> AsyncIterator[Signers]:
    async with aiohttp.ClientSession() as session:
        yield Signers(session)


@pytest.fixture(params=[100, 0], ids=["in memory", "replayed"])
async def office(
    databases: Databases,
    signatures: SignatureSandbox,
    time_skipping_env: WorkflowEnvironment,
    request: pytest.FixtureRequest,
) -> AsyncIterator[Office]:
    """With `replayed`, every task of a workflow begins with a replay of its history, hundreds of them in one test: in
    the sandbox that workers have, because the strict one loads the workflow anew each time."""
    name = f"sign_{uuid.uuid4().hex[:8]}"
    async with databases.lent() as mongo, HttpSignaturePort(signatures.url, signatures.api_key) as port:
        office = Office(mongo, port, signatures, time_skipping_env, task_queue=name)
        async with Worker(
            time_skipping_env.client,
            task_queue=name,
            workflows=AGREEMENT_WORKFLOWS,
            activities=activities_of(office.activities),
            workflow_runner=strict_sandbox() if request.param else sandbox(),
            max_cached_workflows=request.param,
        ):
            yield office


def _payloads(value: Any) -> Iterator[bytes]:
    """The data of all payloads of a history."""
    if isinstance(value, dict):
        if isinstance(value.get("data"), str):
            yield base64.b64decode(value["data"])
        for inner in value.values():
            yield from _payloads(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _payloads(inner)


async def test_two_sign_one_after_the_other_and_the_retailer_countersigns(office: Office, signers: Signers) -> None:
    sign, signing = await office.begin()
    first = await office.link(sign.agreement, "partner-1")
    assert (await office.agreement(sign.agreement)).signer("partner-2").state == "waiting"
    await office.pass_time(days=2)
    status, document = await signers.open(first, "/document")
    known = await office.agreement(sign.agreement)
    assert status == 200 and await fetch(office.mongo, known.digest) == document
    assert await signers.sign(first) == 200
    await signing.signal(WAKE)
    second = await office.link(sign.agreement, "partner-2")
    await office.pass_time(days=4)
    assert await signers.sign(second) == 200
    # Nobody calls back: it is found out all the same.
    signed = await signing.result()
    assert (signed.outcome, signed.digest) == ("signed", sign.digest)
    kept = await office.agreement(sign.agreement)
    assert kept.evidence is not None and kept.evidence.findings == []
    assert [one.signer for one in kept.evidence.signatures] == ["partner-1", "partner-2", "retailer"]
    assert signed.signed_digest is not None
    pdf = await fetch(office.mongo, signed.signed_digest)
    assert pdf is not None and pdf.startswith(document)
    assert signed.effective_until == kept.effective_until
    events = [(event["type"], event["data"].get("asked"), event["data"].get("again")) for event in await office.told()]
    assert events == [
        ("agreement.sent.v1", ["partner-1"], False),
        ("agreement.sent.v1", ["partner-2"], False),
        ("agreement.sent.v1", ["partner-2"], True),
        ("agreement.signed.v1", None, None),
    ]
    assert [n.to for n in kept.notices if n.kind == "signed"] == ["partner-1", "partner-2", "retailer"]
    assert all(signer.link is None for signer in kept.signers)


async def test_who_is_silent_is_reminded_and_in_the_end_the_time_is_over(office: Office, signers: Signers) -> None:
    sign, signing = await office.begin(sequence="parallel")
    links = [await office.link(sign.agreement, name) for name in ("partner-1", "partner-2")]
    assert await signers.sign(links[1]) == 200
    await signing.signal(WAKE)
    signed = await signing.result()
    assert signed.outcome == "expired"
    kept = await office.agreement(sign.agreement)
    states = {signer.id: signer.state for signer in kept.signers}
    assert states == {"partner-1": "expired", "partner-2": "signed", "retailer": "expired"}
    reminded = [n for n in kept.notices if n.kind == "reminded"]
    assert kept.reminders == 4 and {n.to for n in reminded} == {"partner-1"}
    days = [(n.at - kept.sent_at).days for n in reminded if kept.sent_at]
    assert days == [3, 6, 9, 12]
    assert [n.to for n in kept.notices if n.kind == "expired"] == ["partner-1", "partner-2", "retailer"]
    # The provider takes nothing any more.
    assert await signers.sign(links[0]) == 410
    assert (await office.told())[-1]["type"] == "agreement.expired.v1"


async def test_one_declines_and_the_others_are_told_why(office: Office, signers: Signers) -> None:
    sign, signing = await office.begin(sequence="parallel")
    links = [await office.link(sign.agreement, name) for name in ("partner-1", "partner-2")]
    assert await signers.decline(links[1], "佣金太高") == 200
    await signing.signal(WAKE)
    signed = await signing.result()
    assert (signed.outcome, signed.declined_by) == ("declined", "partner-2")
    kept = await office.agreement(sign.agreement)
    told = {n.to: n.words for n in kept.notices if n.kind == "declined"}
    assert set(told) == {"partner-1", "retailer"}
    assert "赵敏" in told["retailer"].zh and "佣金太高" in told["retailer"].en
    assert await signers.sign(links[0]) == 410
    last = (await office.told())[-1]
    assert (last["type"], last["data"]["declined_by"]) == ("agreement.declined.v1", "partner-2")
    # Why, and who that is, is nobody's business but the agreement's.
    assert not any("佣金太高" in str(event) or "赵敏" in str(event) for event in await office.told())
    said = b" ".join(_payloads(json.loads((await signing.fetch_history()).to_json())))
    assert sign.digest.encode() in said
    for personal in ("赵敏", "王芳", "example.com", "佣金太高", links[0], "13800138000"):
        assert personal.encode() not in said


async def test_a_new_link_kills_the_old_one(office: Office, signers: Signers) -> None:
    sign, signing = await office.begin()
    old = await office.link(sign.agreement, "partner-1")
    standing = await office.resend(signing, "partner-1")
    assert standing.signers[0].sends == 2
    new = await office.link(sign.agreement, "partner-1", sends=2)
    assert new != old
    assert await signers.sign(old) == 404
    assert (await signers.open(old))[0] == 404
    assert await signers.sign(new) == 200
    assert await signers.sign(new) == 410
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await office.resend(signing, "partner-1")
    assert isinstance(refused.value.cause, ApplicationError)
    assert refused.value.cause.type == "not_its_turn"
    with pytest.raises(WorkflowUpdateFailedError) as unknown:
        await office.resend(signing, "nobody")
    assert isinstance(unknown.value.cause, ApplicationError)
    assert unknown.value.cause.type == "unknown_signer"
    await office.link(sign.agreement, "partner-2")
    await office.cancel(signing)
    assert (await signing.result()).outcome == "cancelled"


async def test_what_is_withdrawn_is_dead_at_the_provider(office: Office, signers: Signers) -> None:
    sign, signing = await office.begin()
    link = await office.link(sign.agreement, "partner-1")
    await office.cancel(signing)
    assert (await signing.result()).outcome == "cancelled"
    assert await signers.sign(link) == 410
    kept = await office.agreement(sign.agreement)
    assert (kept.cancelled_by, kept.cancel_reason) == ("desk", "改变主意")


async def test_a_provider_that_is_gone_keeps_nobody_from_waiting_for_it(
    office: Office, signers: Signers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked at again later; what needs it waits for it, and is done when it is back."""
    sign, signing = await office.begin()
    link = await office.link(sign.agreement, "partner-1")
    tried: list[str] = []

    async def gone(envelope: str) -> EnvelopeView:
        tried.append(envelope)
        raise Unanswered("unreachable", "nobody there")

    with monkeypatch.context() as patch:
        patch.setattr(office.port, "view", gone)
        await office.pass_time(days=1)
        assert len(tried) >= 10
        assert (await office.cancel(signing)).state == "cancelled"
    assert (await signing.result()).outcome == "cancelled"
    assert await signers.sign(link) == 410


async def test_an_agreement_for_which_nobody_waits_any_more_is_withdrawn(office: Office, signers: Signers) -> None:
    sign, signing = await office.begin()
    link = await office.link(sign.agreement, "partner-1")
    await signing.cancel()
    assert (await signing.result()).outcome == "cancelled"
    assert await signers.sign(link) == 410


async def test_one_that_has_ended_finds_itself_at_its_end(office: Office, signers: Signers) -> None:
    sign, signing = await office.begin()
    await office.link(sign.agreement, "partner-1")
    await office.cancel(signing)
    first = await signing.result()
    again = await office.have_signed(sign)
    assert await again.result() == first


async def test_the_ui_says_what_is_waited_for(office: Office, signers: Signers) -> None:
    sign, signing = await office.begin()
    await office.link(sign.agreement, "partner-1")
    standing = await signing.query("standing")
    assert standing["signers"][0]["state"] == "sent"
    details = (await signing.query("__temporal_workflow_metadata")).current_details
    assert "the signature of partner-1 until" in details and sign.digest in details
    await office.cancel(signing)
    await signing.result()
