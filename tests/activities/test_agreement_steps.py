"""The steps of an agreement, on a real database and the real provider: repeated, cut off, at once, with bad files."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.agreements.signing import AgreementActivities
from activities.agreements.verifying import NoRoots
from contracts.agreements import (
    Cancel,
    CarryOut,
    Command,
    Offered,
    Remind,
    Resend,
    Send,
    Sign,
    Standing,
    Step,
)
from infra.files import fetch
from infra.signatures import HttpSignaturePort
from tests.conftest import SignatureSandbox
from tests.databases import Databases
from tests.signing import NOW, RETAILER, Office, Signers
from workers.signature_sandbox.authority import Authority


class Broken(Exception):
    """Stands for the end of a process between the provider's answer and the writing."""


@pytest.fixture
async def office(databases: Databases, signatures: SignatureSandbox) -> AsyncIterator[Office]:
    async with databases.lent() as mongo, HttpSignaturePort(signatures.url, signatures.api_key) as port:
        yield Office(mongo, port, signatures)


@pytest.fixture
async def signers() -> AsyncIterator[Signers]:
    async with aiohttp.ClientSession() as session:
        yield Signers(session)


async def done(activity: Callable[..., Awaitable[Standing]], step: Any) -> Standing:
    return await ActivityEnvironment().run(activity, step)


async def cut_off(office: Office, monkeypatch: pytest.MonkeyPatch, activity: Any, step: Any) -> None:
    """Run a step to the point at which it would write."""

    async def breaks(_: Any) -> None:
        raise Broken

    with monkeypatch.context() as patch:
        patch.setattr(office.mongo, "transaction", breaks)
        with pytest.raises(Broken):
            await ActivityEnvironment().run(activity, step)


def step(sign: Sign, number: int, **more: Any) -> dict[str, Any]:
    return {"agreement": sign.agreement, "number": number, "now": NOW + timedelta(hours=number), **more}


def send(sign: Sign, number: int) -> Send:
    return Send(**step(sign, number, expires_s=sign.expires_s))


async def complete(office: Office, signers: Signers) -> Sign:
    """All have signed at the provider, and that is known."""
    sign = await office.draft(sequence="parallel")
    await done(office.activities.send, send(sign, 1))
    for name in ("partner-1", "partner-2"):
        assert await signers.sign(await office.link(sign.agreement, name)) == 200
    await done(office.activities.look, Step(**step(sign, 2)))
    standing = await done(office.activities.send, send(sign, 3))
    assert standing.state == "complete"
    return sign


async def test_drafted_by_many_at_once_it_is_one_agreement(office: Office) -> None:
    first = await office.draft(application="app-many")
    again = await asyncio.gather(*(office.draft(application="app-many") for _ in range(5)))
    assert all(sign == first for sign in again)
    fresh = await asyncio.gather(*(office.draft(application="app-many", number=2) for _ in range(5)))
    assert len({sign.digest for sign in fresh}) == 1 and fresh[0].agreement != first.agreement
    assert await office.mongo.agreements.count_documents({}) == 2
    kept = await office.agreement(first.agreement)
    pdf = await fetch(office.mongo, first.digest)
    assert pdf is not None and (len(pdf), kept.digest) == (kept.size, first.digest)


async def test_what_is_offered_and_what_the_application_wants_is_what_is_agreed(office: Office) -> None:
    sign = await office.draft(offered=Offered(commission_bp=990, term_months=6), countersign="link")
    terms = (await office.agreement(sign.agreement)).terms
    assert (terms.territory, terms.exclusive, terms.categories) == (["3301"], True, ["food"])
    assert (terms.commission_bp, terms.term_months, terms.notice_days) == (990, 6, 60)
    assert [(one.id, one.order, one.way) for one in sign.signers] == [
        ("partner-1", 1, "link"),
        ("partner-2", 2, "link"),
        ("retailer", 3, "link"),
    ]


async def test_without_signatories_the_legal_representative_signs(office: Office) -> None:
    sign = await office.draft(fields={"signatories": None})
    kept = await office.agreement(sign.agreement)
    assert [(one.name, one.role) for one in kept.signers] == [("王芳", "legal_representative"), ("李运营", "retailer")]


async def test_what_an_agreement_must_say_must_be_there(office: Office) -> None:
    with pytest.raises(ApplicationError, match="which company applies") as lacking:
        await office.draft(fields={"company": None})
    assert lacking.value.non_retryable
    with pytest.raises(ApplicationError, match="cannot be renewed"):
        await office.draft(renews="app-none-a1", number=2)


async def test_a_renewal_goes_on_where_the_agreement_before_it_ends(office: Office, signers: Signers) -> None:
    sign = await complete(office, signers)
    signed = await done(office.activities.store, Step(**step(sign, 4)))
    assert signed.state == "signed"
    after = await office.draft(application=sign.application, number=2, renews=sign.agreement)
    terms = (await office.agreement(after.agreement)).terms
    assert (terms.begins, terms.renews, terms.exclusive) == (signed.effective_until, sign.agreement, True)


async def test_a_step_that_was_cut_off_asks_the_provider_for_the_same(
    office: Office, signers: Signers, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign = await office.draft()
    await cut_off(office, monkeypatch, office.activities.send, send(sign, 1))
    before = await office.port.view(sign.agreement)
    await done(office.activities.send, send(sign, 1))
    assert await office.port.view(sign.agreement) == before
    link = await office.link(sign.agreement, "partner-1")
    resend = CarryOut(**step(sign, 2), command=Command(by="desk", resend=Resend(signer="partner-1")))
    await cut_off(office, monkeypatch, office.activities.carry_out, resend)
    await done(office.activities.carry_out, resend)
    new = await office.link(sign.agreement, "partner-1", sends=2)
    assert await signers.sign(link) == 404
    assert (await signers.open(new, "/document"))[0] == 200
    # Once more, as when its answer was lost: nothing is done again.
    assert (await done(office.activities.carry_out, resend)).signers[0].sends == 2
    cancel = CarryOut(**step(sign, 3), command=Command(by="desk", cancel=Cancel(reason="x")))
    await cut_off(office, monkeypatch, office.activities.carry_out, cancel)
    assert (await done(office.activities.carry_out, cancel)).state == "cancelled"
    told = [event["type"] for event in await office.told()]
    assert told == ["agreement.sent.v1", "agreement.sent.v1", "agreement.cancelled.v1"]
    audit = [row["did"] async for row in office.mongo.audit.find({}).sort("at", 1)]
    assert audit == ["resent_agreement:partner-1", "cancelled_agreement"]


async def test_an_end_that_was_cut_off_is_the_same_end(
    office: Office, signers: Signers, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign = await office.draft()
    await done(office.activities.send, send(sign, 1))
    late = Step(agreement=sign.agreement, number=2, now=NOW + timedelta(days=30))
    await cut_off(office, monkeypatch, office.activities.expire, late)
    # A look comes before the second try, as when a workflow was started anew in between.
    assert (await done(office.activities.look, late)).state == "expired"
    again = late.model_copy(update={"number": 3})
    assert (await done(office.activities.expire, again)).state == "expired"
    assert [event["type"] for event in await office.told()] == ["agreement.sent.v1", "agreement.expired.v1"]


async def test_who_signs_while_its_link_is_made_anew_has_signed(office: Office, signers: Signers) -> None:
    sign = await office.draft()
    await done(office.activities.send, send(sign, 1))
    assert await signers.sign(await office.link(sign.agreement, "partner-1")) == 200
    resend = CarryOut(**step(sign, 2), command=Command(by="desk", resend=Resend(signer="partner-1")))
    with pytest.raises(ApplicationError) as refused:
        await ActivityEnvironment().run(office.activities.carry_out, resend)
    assert refused.value.type == "not_its_turn" and refused.value.non_retryable
    assert (await done(office.activities.look, Step(**step(sign, 2)))).signers[0].state == "signed"


async def test_a_reminder_reaches_only_who_has_not_answered(office: Office, signers: Signers) -> None:
    sign = await office.draft(sequence="parallel")
    await done(office.activities.send, send(sign, 1))
    assert await signers.sign(await office.link(sign.agreement, "partner-1")) == 200
    remind = Remind(**step(sign, 2, reminder=2))
    await done(office.activities.remind, remind)
    await done(office.activities.remind, remind)
    kept = await office.agreement(sign.agreement)
    assert [notice.to for notice in kept.notices if notice.kind == "reminded"] == ["partner-2"]
    assert kept.reminders == 1


async def test_a_file_that_leads_to_no_root_of_ours_is_doubtful_until_it_does(
    office: Office, signers: Signers, tmp_path: Path
) -> None:
    sign = await complete(office, signers)
    Authority(tmp_path)

    def with_roots(roots: Path | None) -> AgreementActivities:
        return AgreementActivities(office.kept, office.port, RETAILER, roots, office.find)

    with pytest.raises(NoRoots):
        await ActivityEnvironment().run(with_roots(tmp_path / "nothing.pem").store, Step(**step(sign, 4)))
    strange = await done(with_roots(tmp_path / "ca.pem").store, Step(**step(sign, 4)))
    assert (strange.state, strange.signed_digest) == ("doubtful", None)
    doubtful = (await office.told())[-1]
    assert doubtful["type"] == "agreement.doubtful.v1"
    assert "certificate_untrusted" in doubtful["data"]["findings"]
    good = await done(office.activities.store, Step(**step(sign, 5)))
    assert good.state == "signed" and good.signed_digest is not None
    assert (await office.told())[-1]["type"] == "agreement.signed.v1"
