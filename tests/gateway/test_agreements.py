"""Agreements over HTTP, on the real Temporal server with the real provider: seen, signed, resent, withdrawn."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from temporalio.client import Client
from temporalio.worker import Worker

from activities.agreements.signing import activities_of
from activities.agreements.verifying import roots_of, verify
from contracts.agreements import TASK_QUEUE, WORKFLOW, Sign, signing_id
from infra.applications import Applications
from infra.files import fetch
from infra.keyring import keyring
from infra.keys import Scope, create_key, hash_key
from infra.mongo import Mongo
from infra.sealing import Sealing
from infra.settings import Settings
from infra.signatures import HttpSignaturePort, sign_callback
from infra.temporal import connect, sandbox
from tests.conftest import SignatureSandbox
from tests.gateway.running import Api, running
from tests.signing import Office, Signers, application
from workers.gateway.applicants import new_application_id, new_token
from workflows.catalogue import AGREEMENT_WORKFLOWS


@pytest.fixture
async def signed_api(
    gateway_settings: Settings, mongo: Mongo, key: str, signatures: SignatureSandbox
) -> AsyncIterator[Api]:
    """A gateway that knows the secret of the provider's callbacks."""
    settings = gateway_settings.model_copy(update={"signature_secret": signatures.callback_secret})
    async with running(settings, key) as api:
        yield api


@pytest.fixture
async def office(gateway_settings: Settings, mongo: Mongo, signatures: SignatureSandbox) -> AsyncIterator[Office]:
    client = await connect(gateway_settings)
    async with HttpSignaturePort(signatures.url, signatures.api_key) as port:
        office = Office(mongo, port, signatures, sealing=Sealing(keyring(gateway_settings)))
        async with Worker(
            client,
            task_queue=TASK_QUEUE,
            workflows=AGREEMENT_WORKFLOWS,
            activities=activities_of(office.activities),
            workflow_runner=sandbox(),
        ):
            yield office


@pytest.fixture
async def signers() -> AsyncIterator[Signers]:
    async with aiohttp.ClientSession() as session:
        yield Signers(session)


async def begin(office: Office, settings: Settings, **changes: Any) -> Sign:
    """Drafted a moment ago, as the application's workflow does it, and sent."""
    client: Client = await connect(settings)
    sign = await office.draft(application=new_application_id(), now=datetime.now(UTC), **changes)
    await client.start_workflow(WORKFLOW, sign, id=signing_id(sign.agreement), task_queue=TASK_QUEUE)
    return sign


async def call_back(api: Api, secret: str, agreement: str) -> int:
    body = json.dumps({"envelope": agreement})
    signed: dict[str, Any] = sign_callback(secret, "callback-1", datetime.now(UTC), body)
    headers = {name.replace("-", "_"): value for name, value in signed.items()}
    return (await api.post("/v1/signatures/callbacks", data=body, Authorization="", **headers)).status


async def test_an_agreement_from_its_draft_to_the_signed_file(
    signed_api: Api, office: Office, signers: Signers, signatures: SignatureSandbox, gateway_settings: Settings
) -> None:
    sign = await begin(office, gateway_settings)
    path = f"/v1/agreements/{sign.agreement}"
    first = await office.link(sign.agreement, "partner-1")
    seen = (await signed_api.get(path, status=200)).body
    assert (seen["state"], seen["digest"], seen["terms"]["territory"]) == ("out", sign.digest, ["3301"])
    assert [(one["id"], one["state"]) for one in seen["signers"]][:2] == [
        ("partner-1", "sent"),
        ("partner-2", "waiting"),
    ]
    # Who operates can send a link, and not sign by one.
    assert all(one["link"] is None for one in seen["signers"])
    assert first not in json.dumps(seen) and "wang@example.com" not in json.dumps(seen)
    draft = await signed_api.get(f"{path}/pdf", status=200)
    assert draft.headers["ETag"] == f'"{sign.digest}"'
    assert draft.headers["Content-Type"] == "application/pdf"
    early = await signed_api.get(f"{path}/pdf?file=signed", status=404)
    assert early.code == "not_signed_yet"
    assert await signers.sign(first) == 200
    assert await call_back(signed_api, signatures.callback_secret, sign.agreement) == 204
    assert await signers.sign(await office.link(sign.agreement, "partner-2")) == 200
    assert await call_back(signed_api, signatures.callback_secret, sign.agreement) == 204
    kept = await office.stands(sign.agreement, "signed")
    whole = (await signed_api.get(path, status=200)).body
    assert whole["evidence"]["findings"] == [] and whole["effective_until"] > whole["effective_from"]
    signed = await signed_api.get(f"{path}/pdf", status=200)
    assert signed.headers["ETag"] == f'"{kept.signed_digest}"'
    assert kept.signed_digest is not None
    pdf = await fetch(office.mongo, kept.signed_digest)
    assert pdf is not None and hashlib.sha256(pdf).hexdigest() == whole["signed_digest"]
    roots = roots_of(signatures.roots.read_bytes())
    found = await asyncio.to_thread(verify, pdf, sign.digest, kept.size, kept.signers, roots, datetime.now(UTC))
    assert found.findings == []
    late = await signed_api.post(f"{path}/cancel", {"reason": "doch nicht"}, status=409)
    assert late.code == "agreement_over"
    audit = [row["did"] async for row in office.mongo.audit.find({"subject": sign.application})]
    assert audit.count("saw_agreement") == 2 and audit.count("saw_agreement_pdf") == 3


async def test_a_new_link_and_the_withdrawal_over_http(
    signed_api: Api, office: Office, signers: Signers, gateway_settings: Settings
) -> None:
    sign = await begin(office, gateway_settings)
    path = f"/v1/agreements/{sign.agreement}"
    old = await office.link(sign.agreement, "partner-1")
    asked = {"signer": "partner-1"}
    again = [await signed_api.post(f"{path}/resend", asked, status=200, Idempotency_Key="once") for _ in range(2)]
    assert [answer.body["signers"][0]["sends"] for answer in again] == [2, 2]
    assert await signers.sign(old) == 404
    new = await office.link(sign.agreement, "partner-1", sends=2)
    wrong = await signed_api.post(f"{path}/resend", {"signer": "partner-2"}, status=409)
    assert wrong.code == "not_its_turn"
    assert (await signed_api.post(f"{path}/resend", {"signer": "x"}, status=422)).code == "unknown_signer"
    assert (await signed_api.post(f"{path}/resend", {}, status=422)).faults
    gone = await signed_api.post(f"{path}/cancel", {"reason": "佣金需要重新商定"}, status=200)
    assert (gone.body["state"], gone.body["cancelled_by"]) == ("cancelled", "tests")
    assert any("佣金需要重新商定" in notice["words"]["zh"] for notice in gone.body["notices"])
    assert await signers.sign(new) == 410


async def test_the_partners_side_sees_its_own_links(
    signed_api: Api, office: Office, signers: Signers, gateway_settings: Settings, mongo: Mongo
) -> None:
    name, token = new_application_id(), new_token()
    made = application(name).model_copy(update={"token_hash": hash_key(token)})
    await Applications(mongo, Sealing(keyring(gateway_settings))).insert(made)
    applicant = signed_api.with_key(token)
    none = await applicant.get(f"/v1/applications/{name}/agreement", status=404)
    assert none.code == "no_agreement"
    client: Client = await connect(gateway_settings)
    sign = await office.draft(application=name, now=datetime.now(UTC), countersign="link")
    await client.start_workflow(WORKFLOW, sign, id=signing_id(sign.agreement), task_queue=TASK_QUEUE)
    link = await office.link(sign.agreement, "partner-1")
    seen = (await applicant.get(f"/v1/applications/{name}/agreement", status=200)).body
    assert seen["signers"][0]["link"] == link
    assert {notice["to"] for notice in seen["notices"]} == {"partner-1"}
    pdf = await applicant.get(f"/v1/applications/{name}/agreement/pdf", status=200)
    assert pdf.headers["ETag"] == f'"{sign.digest}"'
    stranger = signed_api.with_key(new_token())
    assert (await stranger.get(f"/v1/applications/{name}/agreement")).status == 404
    assert (await applicant.get(f"/v1/agreements/{sign.agreement}")).status == 401
    # The retailer's own signer has its link from the retailer's side, and from there only.
    assert await signers.sign(link) == 200
    await client.get_workflow_handle(signing_id(sign.agreement)).signal("wake")
    assert await signers.sign(await office.link(sign.agreement, "partner-2")) == 200
    await client.get_workflow_handle(signing_id(sign.agreement)).signal("wake")
    own = await office.link(sign.agreement, "retailer")
    theirs = (await applicant.get(f"/v1/applications/{name}/agreement", status=200)).body
    assert own not in json.dumps(theirs)
    ours = (await signed_api.get(f"/v1/agreements/{sign.agreement}", status=200)).body
    assert ours["signers"][-1]["link"] == own
    await signed_api.post(f"/v1/agreements/{sign.agreement}/cancel", {"reason": "test"}, status=200)


async def test_a_forged_callback_wakes_nobody(signed_api: Api, api: Api, signatures: SignatureSandbox) -> None:
    assert await call_back(signed_api, "d3Jvbmcgc2VjcmV0IHdyb25nIHNlY3JldA==", "app-1-a1") == 401
    # A gateway that knows no secret believes nobody.
    assert await call_back(api, signatures.callback_secret, "app-1-a1") == 401
    # One for an envelope of which nobody has heard is taken, and changes nothing.
    assert await call_back(signed_api, signatures.callback_secret, "app-nobody-a1") == 204


async def test_what_is_not_there_and_who_may_not(signed_api: Api, mongo: Mongo) -> None:
    path, why = "/v1/agreements/nothing", {"reason": "x"}
    for answer in (await signed_api.get(path), await signed_api.get(f"{path}/pdf")):
        assert answer.code == "unknown_agreement"
    assert (await signed_api.post(f"{path}/cancel", why, status=404)).code == "unknown_agreement"
    reader = signed_api.with_key(await create_key(mongo, "reader", [Scope.ORDERS_READ]))
    partner = signed_api.with_key(await create_key(mongo, "partner-x", [Scope.PARTNER], partner="partner-x"))
    for stranger in (reader, partner):
        assert (await stranger.get(path, status=403)).code == "scope_missing"
        assert (await stranger.post(f"{path}/cancel", why, status=403)).code == "scope_missing"
    assert (await partner.get("/v1/partner/agreement", status=404)).code == "no_agreement"
    assert (await reader.get("/v1/partner/agreement", status=403)).code == "scope_missing"
