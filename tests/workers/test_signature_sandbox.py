"""The sandbox signature provider as a process: what it does once, what it refuses, and what it knows after a kill."""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import stat
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import typst
from aiohttp import web

from activities.agreements.verifying import roots_of, verify
from contracts.agreement_record import Signer
from contracts.signatures import EnvelopeSigner, LinkAsked
from infra.embedded.ports import HOST, free_port
from infra.processes import Process
from infra.provider import Unanswered
from infra.signatures import AlreadyAnswered, CallbackForged, HttpSignaturePort, read_callback, sign_callback
from tests.conftest import SignatureSandbox
from tests.gateway.running import fresh
from tests.signing import Signers
from tests.support import eventually

SOON = datetime(2090, 1, 1, tzinfo=UTC)
PDF = typst.compile(b"#set document(date: none)\nhello", format="pdf", pdf_tags=False)
PEOPLE = [
    EnvelopeSigner(id="one", role="legal_representative", order=1, way="link", name="王芳", organisation="茶庄"),
    EnvelopeSigner(id="two", role="second", order=1, way="link", name="赵敏", organisation="茶庄"),
    EnvelopeSigner(id="seal", role="retailer", order=2, way="seal", name="李运营", organisation="零售"),
]


@pytest.fixture
async def port(signatures: SignatureSandbox) -> AsyncIterator[HttpSignaturePort]:
    async with HttpSignaturePort(signatures.url, signatures.api_key) as port:
        yield port


@pytest.fixture
async def signers() -> AsyncIterator[Signers]:
    async with aiohttp.ClientSession() as session:
        yield Signers(session)


async def envelope(port: HttpSignaturePort, people: list[EnvelopeSigner] = PEOPLE) -> str:
    name = fresh("envelope")
    await port.create(name, "合作协议 Agreement", PDF, people)
    return name


async def link(port: HttpSignaturePort, name: str, signer: str, number: int = 1, until: datetime = SOON) -> str:
    made = await port.link(name, LinkAsked(signer=signer, expires_at=until), f"{name}:{signer}:{number}")
    return made.url


async def states(port: HttpSignaturePort, name: str) -> dict[str, str]:
    view = await port.view(name)
    return {"envelope": view.state} | {one.id: one.state for one in view.signers}


async def test_all_sign_and_the_file_holds(
    port: HttpSignaturePort, signers: Signers, signatures: SignatureSandbox
) -> None:
    name = await envelope(port)
    one, two = await link(port, name, "one"), await link(port, name, "two")
    page = (await signers.open(one))[1].decode()
    assert "王芳" in page and "我已阅读并同意签署" in page and "没有法律效力" in page
    assert (await states(port, name))["one"] == "sent"
    assert await signers.open(one, "/document") == (200, PDF)
    assert (await states(port, name))["one"] == "seen"
    assert [await signers.sign(two), await signers.sign(one)] == [200, 200]
    view = await port.seal(name, "seal", f"{name}:seal")
    assert view.state == "complete"
    kept = [Signer.model_validate(person.model_dump()) for person in PEOPLE]
    roots = roots_of(signatures.roots.read_bytes())
    signed = await port.document(name)
    now = datetime.now(UTC)
    found = await asyncio.to_thread(verify, signed, hashlib.sha256(PDF).hexdigest(), len(PDF), kept, roots, now)
    assert found.findings == []


async def test_the_same_request_twice_is_done_once(port: HttpSignaturePort) -> None:
    name = await envelope(port)
    before = await port.view(name)
    assert await port.create(name, "合作协议 Agreement", PDF, PEOPLE) == before
    first = await link(port, name, "one")
    version = (await port.view(name)).version
    assert await link(port, name, "one") == first
    assert (await port.view(name)).version == version
    with pytest.raises(Unanswered, match="key-reused"):
        await port.create(name, "another title", PDF, PEOPLE)
    with pytest.raises(Unanswered, match="key-reused"):
        await link(port, name, "one", until=SOON - timedelta(days=1))


async def test_nobody_signs_before_its_turn_or_in_another_way(port: HttpSignaturePort, signers: Signers) -> None:
    name = await envelope(port)
    with pytest.raises(Unanswered, match="Others sign before"):
        await port.seal(name, "seal", f"{name}:seal")
    with pytest.raises(Unanswered, match="signs by seal"):
        await link(port, name, "seal")
    with pytest.raises(Unanswered, match="signs by link"):
        await port.seal(name, "one", f"{name}:one")
    assert await signers.sign(await link(port, name, "one")) == 200
    with pytest.raises(AlreadyAnswered):
        await link(port, name, "one", 2)
    with pytest.raises(AlreadyAnswered):
        await port.remind(name, "one", f"{name}:reminder")


async def test_a_link_is_good_for_one_answer_in_its_time(port: HttpSignaturePort, signers: Signers) -> None:
    name = await envelope(port)
    late = await link(port, name, "one", until=datetime(2020, 1, 1, tzinfo=UTC))
    assert [await signers.sign(late), (await signers.open(late))[0], (await signers.open(late, "/document"))[0]] == [
        410
    ] * 3
    good = await link(port, name, "one", 2)
    assert await signers.sign(late) == 404
    assert await signers.decline(good, " ") == 422
    assert await signers.sign(good) == 200
    assert [await signers.sign(good), await signers.decline(good, "doch nicht")] == [410, 410]
    stranger = f"{good.rsplit('/', 1)[0]}/{'x' * 43}"
    assert [await signers.sign(stranger), (await signers.open(stranger, "/document"))[0]] == [404, 404]


async def test_who_declines_ends_it_for_all(port: HttpSignaturePort, signers: Signers) -> None:
    name = await envelope(port)
    one, two = await link(port, name, "one"), await link(port, name, "two")
    assert await signers.decline(two, "不同意第四条") == 200
    view = await port.view(name)
    assert view.state == "declined"
    assert {s.id: s.reason for s in view.signers}["two"] == "不同意第四条"
    assert await signers.sign(one) == 410
    closed = await port.void(name, "too late")
    assert closed is not None and closed.state == "declined"


async def test_what_is_void_takes_no_signature_and_what_is_unknown_cannot_be_closed(
    port: HttpSignaturePort, signers: Signers
) -> None:
    name = await envelope(port)
    one = await link(port, name, "one")
    closed = await port.void(name, "withdrawn")
    assert closed is not None and closed.state == "void"
    assert await signers.sign(one) == 410
    assert await port.void(fresh("nothing"), "withdrawn") is None
    with pytest.raises(Unanswered, match="no such envelope"):
        await port.view(fresh("nothing"))


async def test_without_the_key_nothing_is_told(signatures: SignatureSandbox, port: HttpSignaturePort) -> None:
    name = await envelope(port)
    asked: list[tuple[str, str]] = [
        ("GET", f"/v1/envelopes/{name}"),
        ("GET", f"/v1/envelopes/{name}/document"),
        *(("POST", f"/v1/envelopes/{name}/{what}") for what in ("links", "seals", "reminders", "void")),
        ("POST", "/v1/envelopes"),
    ]
    async with aiohttp.ClientSession(signatures.url) as session:
        for key in ("", "Bearer ", "Bearer wrong", f"Basic {signatures.api_key}"):
            for method, path in asked:
                async with session.request(method, path, headers={"Authorization": key}, json={}) as answer:
                    assert answer.status == 401, (method, path, key)
    assert (await port.view(name)).state == "open"


async def test_a_document_that_is_not_what_its_sum_says_is_refused(signatures: SignatureSandbox) -> None:
    body = {"id": fresh("envelope"), "title": "x", "document": base64.b64encode(PDF).decode(), "sha256": "0" * 64}
    people = [person.model_dump() for person in PEOPLE]
    headers = {"Authorization": f"Bearer {signatures.api_key}", "Idempotency-Key": "x"}
    async with (
        aiohttp.ClientSession(signatures.url) as session,
        session.post("/v1/envelopes", json={**body, "signers": people}, headers=headers) as answer,
    ):
        assert (answer.status, (await answer.json())["code"]) == (422, "wrong-sum")


# Callbacks.


def test_a_callback_is_believed_only_with_its_signature_and_in_its_time() -> None:
    secret = base64.b64encode(os.urandom(32)).decode()
    body = '{"envelope":"app-1-a1"}'
    now = datetime.now(UTC)
    good = sign_callback(secret, "callback-1", now, body)
    assert read_callback(secret, good, body.encode()).envelope == "app-1-a1"
    # The scheme, by its words and without the library: HMAC-SHA256 over id, time and body.
    signed = f"callback-1.{int(now.timestamp())}.{body}".encode()
    mac = base64.b64encode(hmac.new(base64.b64decode(secret), signed, hashlib.sha256).digest()).decode()
    assert good["webhook-signature"] == f"v1,{mac}"
    other = base64.b64encode(os.urandom(32)).decode()
    old = sign_callback(secret, "callback-1", now - timedelta(minutes=6), body)
    forged: list[tuple[str, dict[str, str], bytes]] = [
        (other, good, body.encode()),
        (secret, good, body.replace("a1", "a2").encode()),
        (secret, {**good, "webhook-id": "callback-2"}, body.encode()),
        (secret, old, body.encode()),
        (secret, {**good, "webhook-timestamp": str(int(time.time()) + 1000)}, body.encode()),
        (secret, {**good, "webhook-timestamp": "soon"}, body.encode()),
        (secret, {**good, "webhook-signature": "v1"}, body.encode()),
        (secret, {**good, "webhook-signature": "v1,ÿ"}, body.encode()),
        (secret, {}, body.encode()),
        (secret, good, b"\xff"),
        (secret, sign_callback(secret, "x", now, "[]"), b"[]"),
    ]
    for key, headers, content in forged:
        with pytest.raises(CallbackForged):
            read_callback(key, headers, content)


@pytest.fixture
async def gateway() -> AsyncIterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """An address that is called back: it fails the first time, and keeps what it hears."""
    heard: list[tuple[dict[str, str], bytes]] = []

    async def hear(request: web.Request) -> web.Response:
        heard.append((dict(request.headers), await request.read()))
        return web.Response(status=503 if len(heard) == 1 else 204)

    app = web.Application()
    app.router.add_post("/v1/signatures/callbacks", hear)
    runner = web.AppRunner(app)
    await runner.setup()
    at = free_port()
    await web.TCPSite(runner, HOST, at).start()
    yield f"http://{HOST}:{at}", heard
    await runner.cleanup()


async def test_it_calls_back_until_it_is_heard_and_forgets_nothing_when_it_is_killed(
    tmp_path: Path, signers: Signers, gateway: tuple[str, list[tuple[dict[str, str], bytes]]]
) -> None:
    url, heard = gateway
    secret = base64.b64encode(os.urandom(32)).decode()
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"api_key": "key", "callback_secret": secret}))
    at = free_port()
    arguments = ("--port", str(at), "--db", str(tmp_path / "db"), "--authority", str(tmp_path), "--keys", str(keys))
    sandbox = Process.of_module(
        "signatures", "workers.signature_sandbox", *arguments, "--gateway", url, log=tmp_path / "log"
    )

    async def ready() -> bool:
        async with aiohttp.ClientSession() as session, session.get(f"http://{HOST}:{at}/healthz") as answer:
            return answer.status == 200

    sandbox.start()
    try:
        await sandbox.wait_ready(ready, 60)
        async with HttpSignaturePort(f"http://{HOST}:{at}", "key") as port:
            name = await envelope(port, PEOPLE[:1])
            one = await link(port, name, "one")
            await eventually(lambda: len(heard) >= 2, timeout=30)
            headers, body = heard[1]
            assert read_callback(secret, headers, body).envelope == name
            root = (tmp_path / "ca.pem").read_bytes()
            assert await signers.sign(one) == 200
            before: Any = await port.view(name)
            signed = await port.document(name)
            sandbox.kill()
            sandbox.start()
            await sandbox.wait_ready(ready, 60)
            assert await port.view(name) == before and before.state == "complete"
            assert await port.document(name) == signed
            assert (tmp_path / "ca.pem").read_bytes() == root
            assert await link(port, name, "one") == one
        for file in ("ca.key", "tsa.key"):
            assert stat.S_IMODE((tmp_path / file).stat().st_mode) == 0o600
    finally:
        await sandbox.stop()
