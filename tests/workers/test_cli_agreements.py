"""`tongqu partner agreement` on a running system, whose provider calls the gateway back."""

import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from contracts.agreements import TASK_QUEUE, WORKFLOW, Sign, signing_id
from infra.keyring import keyring
from infra.sealing import Sealing
from infra.signatures import HttpSignaturePort
from infra.temporal import connect
from tests.conftest import SignatureSandbox
from tests.signing import Office, Signers
from tests.workers.desk import Desk
from workers.gateway.applicants import new_application_id

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
async def office(desk: Desk) -> AsyncIterator[Office]:
    """Drafts; all else is done by the system's own processes."""
    settings = desk.system.settings
    sandbox = SignatureSandbox(
        url=settings.require("signature_url"),
        api_key=settings.require("signature_key"),
        callback_secret=settings.require("signature_secret"),
        roots=Path(settings.require("signature_roots")),
    )
    async with HttpSignaturePort(sandbox.url, sandbox.api_key) as port:
        yield Office(desk.mongo, port, sandbox, sealing=Sealing(keyring(settings)))


@pytest.fixture
async def signers() -> AsyncIterator[Signers]:
    async with aiohttp.ClientSession() as session:
        yield Signers(session)


async def begin(desk: Desk, office: Office, **changes: Any) -> Sign:
    client = await connect(desk.system.settings)
    sign = await office.draft(application=new_application_id(), now=datetime.now(UTC), **changes)
    await client.start_workflow(WORKFLOW, sign, id=signing_id(sign.agreement), task_queue=TASK_QUEUE)
    return sign


async def test_an_agreement_is_shown_and_written_to_a_file(
    desk: Desk, office: Office, signers: Signers, tmp_path: Path
) -> None:
    sign = await begin(desk, office)
    link = await office.link(sign.agreement, "partner-1")
    said = await desk.tongqu("partner", "agreement", "show", sign.agreement)
    assert said.status == 0
    for words in (sign.agreement, "out", "partner-1", "王芳", "sent", sign.digest):
        assert words in said.out, (words, said.out)
    assert link not in said.out
    assert await signers.sign(link) == 200
    # Nobody but the provider says so.
    assert await signers.sign(await office.link(sign.agreement, "partner-2")) == 200
    kept = await office.stands(sign.agreement, "signed")
    file = tmp_path / "agreement.pdf"
    said = await desk.tongqu("partner", "agreement", "pdf", sign.agreement, "--file", file)
    assert said.status == 0, said.out
    assert hashlib.sha256(file.read_bytes()).hexdigest() == kept.signed_digest
    said = await desk.tongqu("partner", "agreement", "pdf", sign.agreement, "--draft", "--file", file)
    assert hashlib.sha256(file.read_bytes()).hexdigest() == sign.digest
    shown = (await desk.tongqu("partner", "agreement", "show", sign.agreement, "--json")).json
    assert (shown["state"], shown["size"]) == ("signed", len(file.read_bytes()))


async def test_a_new_link_is_sent_and_an_agreement_withdrawn(desk: Desk, office: Office, signers: Signers) -> None:
    sign = await begin(desk, office)
    old = await office.link(sign.agreement, "partner-1")
    said = await desk.tongqu("partner", "agreement", "resend", sign.agreement, "partner-1")
    assert said.status == 0 and "new link" in said.out, said.out
    assert await signers.sign(old) == 404
    refused = await desk.tongqu("partner", "agreement", "resend", sign.agreement, "partner-2")
    assert refused.status == 1 and "not_its_turn" in refused.out
    said = await desk.tongqu("partner", "agreement", "cancel", sign.agreement, "--reason", "条件变了")
    assert said.status == 0 and "cancelled" in said.out, said.out
    told = await desk.tongqu("partner", "agreement", "show", sign.agreement)
    assert "条件变了" in told.out
    late = await desk.tongqu("partner", "agreement", "cancel", sign.agreement, "--reason", "x")
    assert late.status == 1 and "agreement_over" in late.out
