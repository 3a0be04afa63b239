"""The payment gateway against the real sandbox process: keys, money rules, troubles, crashes, bulk."""

import asyncio
import itertools
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from contracts.payments import (
    IDEMPOTENCY_HEADER,
    IN_PROGRESS,
    REPLAYED_HEADER,
    RESOURCES,
    PaymentInstruction,
    PaymentOperation,
    PaymentOutcome,
)
from infra.payments import HttpPaymentGateway
from infra.provider import NotOpen

ROOT = Path(__file__).resolve().parents[2]
SLOW_MS = 1500
OPERATIONS: dict[str, PaymentOperation] = {operation: operation for operation in RESOURCES}
numbers = itertools.count(1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Sandbox:
    """One sandbox process on a free port; started again, it keeps its port and its file."""

    def __init__(self, folder: Path, *options: str) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._log = folder / "sandbox.log"
        self._command = [sys.executable, "-m", "workers.payment_sandbox", "--port", str(port)]
        self._command += ["--db", str(folder / "sandbox.db"), "--slow-ms", str(SLOW_MS), *options]

    def __enter__(self) -> "Sandbox":
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(self._command, cwd=ROOT, stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while not self._healthy():
            assert self.process.poll() is None and time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(timeout=10)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(timeout=10)

    def _healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    async def ask(self, method: str, path: str, body: Any = None, key: str = "") -> tuple[int, Any, Any]:
        """HTTP status, headers and body of the answer."""
        headers = {IDEMPOTENCY_HEADER: key} if key else {}
        async with (
            aiohttp.ClientSession(self.url) as session,
            session.request(method, path, json=body, headers=headers) as response,
        ):
            return response.status, response.headers, await response.json(content_type=None)

    async def totals(self) -> list[dict[str, Any]]:
        _, _, body = await self.ask("GET", "/v1/totals")
        return list(body["totals"])


@dataclass(frozen=True)
class Till:
    """One order at the provider."""

    sandbox: Sandbox
    gateway: HttpPaymentGateway
    order: str

    def instruct(self, operation: PaymentOperation, amount: int, **fields: Any) -> PaymentInstruction:
        given = {"key": f"key-{next(numbers)}", "order": self.order, "currency": "CNY", **fields}
        return PaymentInstruction(operation=operation, amount=amount, **given)

    async def do(self, operation: PaymentOperation, amount: int, **fields: Any) -> PaymentOutcome:
        return await self.gateway.perform(self.instruct(operation, amount, **fields))

    async def authorise(self, amount: int) -> str:
        outcome = await self.do("authorise", amount, token="tok_visa")
        assert outcome.status == "done" and outcome.reference, outcome
        return outcome.reference

    async def sums(self) -> tuple[int, int, int, int]:
        """Authorised, captured, refunded, voided."""
        _, _, found = await self.sandbox.ask("GET", f"/v1/orders/{self.order}")
        return found["authorised"], found["captured"], found["refunded"], found["voided"]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(tmp_path_factory.mktemp("payments")) as running:
        yield running


@pytest.fixture
async def till(sandbox: Sandbox) -> AsyncIterator[Till]:
    async with HttpPaymentGateway(sandbox.url) as gateway:
        yield Till(sandbox, gateway, f"order-{next(numbers)}")


@pytest.fixture
async def own_till(tmp_path: Path) -> AsyncIterator[Till]:
    """At a provider that nobody else uses, for tests that kill it."""
    with Sandbox(tmp_path) as running:
        async with HttpPaymentGateway(running.url) as gateway:
            yield Till(running, gateway, "order-1")


def refused(outcome: PaymentOutcome) -> str | None:
    assert outcome.status == "declined" and outcome.reference is None and outcome.detail, outcome
    return outcome.code


def statuses(outcomes: Sequence[PaymentOutcome]) -> list[str]:
    return [outcome.status for outcome in outcomes]


async def test_the_same_capture_twice_moves_the_money_once(till: Till) -> None:
    capture = till.instruct("capture", 700, reference=await till.authorise(1000))
    first = await till.gateway.perform(capture)
    assert first.status == "done"
    assert await till.gateway.perform(capture) == first
    assert await till.gateway.perform_all([capture, capture]) == [first, first]
    assert await till.sums() == (1000, 700, 0, 0)


@pytest.mark.parametrize(("path", "status"), [("/v1/authorisations", 200), ("/v1/captures", 409)])
async def test_a_replayed_answer_says_so_be_it_yes_or_no(till: Till, path: str, status: int) -> None:
    body = {"order": till.order, "amount": 5, "currency": "CNY", "reference": "pay-unknown"}
    first, headers, answer = await till.sandbox.ask("POST", path, body, key=till.order)
    again, replayed_headers, replay = await till.sandbox.ask("POST", path, body, key=till.order)
    assert (first, again) == (status, status) and answer == replay
    assert REPLAYED_HEADER not in headers and replayed_headers[REPLAYED_HEADER] == "true"


@pytest.mark.parametrize("change", [{"amount": 701}, {"currency": "BRL"}, {"order": "order-x"}])
async def test_a_key_is_refused_with_another_body(till: Till, change: dict[str, Any]) -> None:
    capture = till.instruct("capture", 700, reference=await till.authorise(2000))
    other = capture.model_copy(update=change)
    assert (await till.gateway.perform(capture)).status == "done"
    outcomes = [await till.gateway.perform(other), *await till.gateway.perform_all([other])]
    assert [refused(outcome) for outcome in outcomes] == ["key-reused-with-other-body"] * 2
    body = other.model_dump(exclude={"key", "operation"})
    status, _, _ = await till.sandbox.ask("POST", "/v1/captures", body, key=capture.key)
    assert status == 422
    assert await till.sums() == (2000, 700, 0, 0)


async def test_captures_at_the_same_time_share_one_authorisation(till: Till) -> None:
    reference = await till.authorise(1000)
    outcomes = await asyncio.gather(*(till.do("capture", 100, reference=reference) for _ in range(25)))
    assert sorted(statuses(outcomes)) == ["declined"] * 15 + ["done"] * 10
    assert await till.sums() == (1000, 1000, 0, 0)


@pytest.mark.parametrize(
    ("steps", "sums"),
    [
        ("capture 600, capture 401 over-capture, capture 400, capture 1 over-capture", (1000, 1000, 0, 0)),
        ("capture 300, void 1000 over-void, void 500 void-of-part, void 700", (1000, 300, 0, 700)),
        ("capture 300, void 700, capture 1 already-voided, refund 300", (1000, 300, 300, 700)),
        ("void 1000, void 1000 already-voided, capture 1 already-voided", (1000, 0, 0, 1000)),
        ("capture 1000, void 1000 over-void", (1000, 1000, 0, 0)),
        (
            "refund 1 over-refund, capture 900, refund 500, refund 401 over-refund, refund 400",
            (1000, 900, 900, 0),
        ),
    ],
)
async def test_no_step_moves_more_than_is_left(till: Till, steps: str, sums: tuple[int, ...]) -> None:
    reference = await till.authorise(1000)
    for step in steps.split(", "):
        operation, amount, *refusal = step.split()
        outcome = await till.do(OPERATIONS[operation], int(amount), reference=reference)
        assert [refused(outcome)] == refusal if refusal else outcome.status == "done", (step, outcome)
    assert await till.sums() == sums


async def test_a_reference_serves_only_its_own_order_and_currency(till: Till) -> None:
    reference = await till.authorise(1000)
    wrong = {
        till.instruct("capture", 1, reference=reference, order="order-of-somebody-else"): "other-order",
        till.instruct("capture", 1, reference=reference, currency="BRL"): "other-currency",
        till.instruct("authorise", 1, currency="BRL"): "other-currency",
        till.instruct("capture", 1, reference="pay-unknown"): "unknown-payment",
        till.instruct("capture", 1): "unknown-payment",
    }
    outcomes = await till.gateway.perform_all(list(wrong))
    assert [refused(outcome) for outcome in outcomes] == list(wrong.values())
    assert await till.sums() == (1000, 0, 0, 0)


async def test_a_prepaid_order_is_refunded_up_to_what_was_declared(till: Till) -> None:
    assert refused(await till.do("refund", 10)) == "unknown-payment"
    declared = {"order": till.order, "amount": 1000, "currency": "CNY"}
    _, _, first = await till.sandbox.ask("POST", "/v1/prepaid", declared)
    assert (await till.sandbox.ask("POST", "/v1/prepaid", [declared]))[2] == first
    status, _, problem = await till.sandbox.ask("POST", "/v1/prepaid", {**declared, "amount": 1001})
    assert (status, problem["code"]) == (409, "already-paid")
    outcomes = [await till.do("refund", amount) for amount in (600, 401, 400)]
    assert statuses(outcomes) == ["done", "declined", "done"]
    assert [outcomes[0].reference] == first["references"]
    assert await till.sums() == (1000, 1000, 1000, 0)


async def test_a_token_can_decline(till: Till) -> None:
    declined = till.instruct("authorise", 10, token="tok_decline_stolen")
    outcomes = [await till.gateway.perform(declined), *await till.gateway.perform_all([declined])]
    assert [refused(outcome) for outcome in outcomes] == ["card-declined"] * 2
    body = declined.model_dump(exclude={"key", "operation"})
    status, _, _ = await till.sandbox.ask("POST", "/v1/authorisations", body, key=declined.key)
    assert status == 402
    assert (await till.sandbox.ask("GET", f"/v1/orders/{till.order}"))[0] == 404


@pytest.mark.parametrize("bulk", [False, True])
async def test_a_flaky_card_comes_good_under_the_same_key(till: Till, bulk: bool) -> None:
    flaky = till.instruct("authorise", 800, token="tok_flaky")
    sound = till.instruct("authorise", 50)
    perform, perform_all = till.gateway.perform, till.gateway.perform_all
    outcomes = [(await perform_all([flaky, sound]))[0] if bulk else await perform(flaky) for _ in range(4)]
    assert statuses(outcomes) == ["failed", "failed", "done", "done"]
    assert outcomes[0].code == "unavailable" and outcomes[2] == outcomes[3]
    assert await till.sums() == (850 if bulk else 800, 0, 0, 0)


async def test_an_answer_that_came_too_late_is_had_by_asking_again(till: Till) -> None:
    slow = till.instruct("authorise", 800, token="tok_slow")
    async with HttpPaymentGateway(till.sandbox.url, timeout_s=SLOW_MS / 5000) as impatient:
        late = await impatient.perform(slow)
    assert (late.status, late.code) == ("failed", "timeout")
    meanwhile = [await till.gateway.perform(slow), *await till.gateway.perform_all([slow])]
    assert [(outcome.status, outcome.code) for outcome in meanwhile] == [("failed", IN_PROGRESS)] * 2
    deadline = time.monotonic() + 10
    while (outcome := await till.gateway.perform(slow)).code == IN_PROGRESS:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    assert outcome.status == "done"
    assert await till.sums() == (800, 0, 0, 0)


async def test_a_slow_answer_does_not_hold_up_others(till: Till) -> None:
    slow = asyncio.create_task(till.do("authorise", 1, token="tok_slow"))
    for _ in range(5):
        await till.authorise(1)
    assert not slow.done()
    assert (await slow).status == "done"


async def test_a_provider_that_is_down_is_an_outcome_and_no_exception(till: Till) -> None:
    instructions = [till.instruct("authorise", 10) for _ in range(3)]
    async with HttpPaymentGateway(f"http://127.0.0.1:{free_port()}") as gateway:
        outcomes = [await gateway.perform(instructions[0]), *await gateway.perform_all(instructions)]
    assert {(outcome.status, outcome.code) for outcome in outcomes} == {("failed", "unreachable")}
    assert [outcome.key for outcome in outcomes[1:]] == [instruction.key for instruction in instructions]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"HTTP/1.1 409 Conflict", "http-409"),
        (b"HTTP/1.1 502 Bad Gateway", "http-502"),
        (b"HTTP/1.1 307 Elsewhere\r\nLocation: /v1/x", "http-307"),
        (b"HTTP/1.1 200 OK", "unreadable-answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 900", "unreachable"),
        (b"no HTTP at all", "unreachable"),
    ],
)
@pytest.mark.parametrize("body", [b"<html>", b'{"key":"x","status":"done"}', b'{"outcomes":[]}'])
async def test_what_a_proxy_says_is_never_final(till: Till, answer: bytes, body: bytes, code: str) -> None:
    async def broken_proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer + b"\r\nConnection: close\r\n\r\n" + body)
        await writer.drain()
        writer.close()

    instruction = till.instruct("authorise", 10)
    async with await asyncio.start_server(broken_proxy, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with HttpPaymentGateway(url) as gateway:
            outcomes = [await gateway.perform(instruction), *await gateway.perform_all([instruction])]
    assert [(outcome.status, outcome.code) for outcome in outcomes] == [("failed", code)] * 2


async def test_a_gateway_that_is_not_open_says_so(till: Till) -> None:
    await till.gateway.close()
    with pytest.raises(NotOpen):
        await till.do("authorise", 10)


async def test_a_killed_provider_keeps_its_payments_and_its_keys(own_till: Till) -> None:
    till = own_till
    reference = await till.authorise(1000)
    capture = till.instruct("capture", 600, reference=reference)
    flaky = till.instruct("authorise", 5, token="tok_flaky")
    before = await till.gateway.perform(capture)
    assert (await till.gateway.perform(flaky)).status == "failed"
    till.sandbox.kill()
    assert (await till.gateway.perform(capture)).status == "failed"
    with till.sandbox:
        assert await till.gateway.perform(capture) == before
        assert statuses([await till.gateway.perform(flaky) for _ in range(2)]) == ["failed", "done"]
        assert refused(await till.do("capture", 401, reference=reference)) == "over-capture"
        assert (await till.do("void", 400, reference=reference)).status == "done"
        assert await till.sums() == (1005, 600, 0, 400)


async def test_nothing_is_lost_or_doubled_when_it_is_killed_under_load(own_till: Till) -> None:
    till = own_till
    authorise = [till.instruct("authorise", 10, order=f"order-{n}") for n in range(3000)]
    load = asyncio.create_task(till.gateway.perform_all(authorise))
    # With the second request written, the answer to the first has been read.
    while sum(total["payments"] for total in await till.sandbox.totals()) < 400:
        assert not load.done()
    till.sandbox.kill()
    first = await load
    told = {outcome.key: outcome for outcome in first if outcome.status == "done"}
    assert 200 <= len(told) < len(authorise)
    with till.sandbox:
        second = await till.gateway.perform_all(authorise)
        [total] = await till.sandbox.totals()
    assert set(statuses(second)) == {"done"}
    assert all(outcome == told[outcome.key] for outcome in second if outcome.key in told)
    assert (total["payments"], total["authorised"]) == (3000, 30_000)


async def test_a_thousand_instructions_in_bulk_get_an_answer_each(till: Till) -> None:
    orders = [f"{till.order}-{n}" for n in range(1000)]
    authorise = [till.instruct("authorise", 100, order=order) for order in orders]
    authorise[500] = authorise[500].model_copy(update={"token": "tok_decline"})
    held = await till.gateway.perform_all(authorise)
    assert [outcome.key for outcome in held] == [instruction.key for instruction in authorise]
    assert [n for n, outcome in enumerate(held) if outcome.status != "done"] == [500]
    capture = [
        till.instruct("capture", 60, reference=outcome.reference or "pay-none", order=order)
        for order, outcome in zip(orders, held, strict=True)
    ]
    taken = await till.gateway.perform_all(capture)
    assert [n for n, outcome in enumerate(taken) if outcome.status != "done"] == [500]
    _, _, last = await till.sandbox.ask("GET", f"/v1/orders/{orders[-1]}")
    assert (last["authorised"], last["captured"]) == (100, 60)
    assert await till.gateway.perform_all([]) == []


async def test_chance_depends_on_seed_and_key_alone(till: Till, tmp_path: Path) -> None:
    authorise = [till.instruct("authorise", 1, key=f"key-{n}") for n in range(400)]
    runs = []
    for name, seed in (("a", "7"), ("b", "7"), ("c", "8")):
        folder = tmp_path / name
        folder.mkdir()
        with Sandbox(folder, "--decline-rate", "0.2", "--fail-rate", "0.3", "--seed", seed) as chance:
            async with HttpPaymentGateway(chance.url) as gateway:
                runs.append(statuses(await gateway.perform_all(authorise)))
                for _ in range(30):
                    last = statuses(await gateway.perform_all(authorise))
        assert 80 < runs[-1].count("failed") < 160
        assert 40 < last.count("declined") < 120 and last.count("failed") == 0
    assert runs[0] == runs[1] != runs[2]


GOOD: dict[str, Any] = {"order": "o", "amount": 1, "currency": "CNY"}


@pytest.mark.parametrize(
    ("path", "body", "key", "status"),
    [
        ("/v1/captures", {**GOOD, "amount": -1}, "k", 422),
        ("/v1/captures", {**GOOD, "currency": "yuan"}, "k", 422),
        ("/v1/captures", [GOOD], "k", 422),
        ("/v1/captures", GOOD, "", 422),
        ("/v1/instructions", {"instructions": []}, "", 422),
        ("/v1/nowhere", GOOD, "k", 404),
        ("/v1/totals", GOOD, "k", 405),
    ],
)
async def test_a_wrong_request_gets_a_problem(till: Till, path: str, body: Any, key: str, status: int) -> None:
    answered, headers, problem = await till.sandbox.ask("POST", path, body, key)
    assert answered == problem["status"] == status
    assert headers["Content-Type"] == "application/problem+json"
    assert problem["code"] == ("invalid-request" if status == 422 else f"http-{status}") and problem["detail"]
