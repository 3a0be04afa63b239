"""The bank port against the real sandbox process: keys, refusals, trouble that passes, crashes, the statement."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from contracts.banking import DepositOrder, DepositOutcome
from infra.bank import HttpBank
from infra.embedded.ports import HOST, free_port
from infra.processes import Process

pytestmark = pytest.mark.timeout(300)
numbers = itertools.count(10_000_000)


class Sandbox:
    """One bank on a port and a file of its own; started again, it keeps both."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        self._folder = folder
        self.process: Process

    async def start(self) -> None:
        arguments = ("--port", str(self.port), "--db", str(self._folder / "bank.db"), "--slow-ms", "400")
        log = self._folder / "bank.log"
        self.process = Process.of_module("bank", "workers.bank_sandbox", *arguments, log=log)
        self.process.start()
        await self.process.wait_ready(self._healthy, 60)

    async def _healthy(self) -> bool:
        async with aiohttp.ClientSession() as session, session.get(f"{self.url}/healthz") as answer:
            return answer.status == 200

    async def get(self, path: str) -> Any:
        async with aiohttp.ClientSession() as session, session.get(self.url + path) as answer:
            assert answer.status == 200
            return orjson.loads(await answer.read())

    async def statement(self, number: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = (await self.get(f"/v1/accounts/{number}/statement"))["entries"]
        return entries


@pytest.fixture(scope="module")
async def sandbox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sandbox]:
    sandbox = Sandbox(tmp_path_factory.mktemp("bank"))
    await sandbox.start()
    yield sandbox
    await sandbox.process.stop()


@pytest.fixture
async def bank(sandbox: Sandbox) -> AsyncIterator[HttpBank]:
    async with HttpBank(sandbox.url) as bank:
        yield bank


def order(ending: str = "9999", **changes: Any) -> DepositOrder:
    number = f"6222{next(numbers)}{ending}"
    made = {
        "key": f"{number}:1",
        "holder": "甲",
        "bank": "某银行",
        "number": number,
        "amount": 37,
        "remark": "账户验证",
    }
    return DepositOrder.model_validate({**made, **changes})


async def test_a_deposit_is_on_the_statement_once(bank: HttpBank, sandbox: Sandbox) -> None:
    wanted = order()
    answers = await asyncio.gather(*(bank.deposit(wanted) for _ in range(5)))
    assert {answer.status for answer in answers} == {"paid"}
    assert len({answer.reference for answer in answers}) == 1
    [entry] = await sandbox.statement(wanted.number)
    assert (entry["amount"], entry["remark"], entry["reference"]) == (37, "账户验证", answers[0].reference)


async def test_a_key_is_good_for_one_deposit(bank: HttpBank, sandbox: Sandbox) -> None:
    wanted = order()
    await bank.deposit(wanted)
    other = await bank.deposit(wanted.model_copy(update={"amount": 38}))
    assert (other.status, other.code) == ("failed", "key-reused-with-other-body")
    assert [entry["amount"] for entry in await sandbox.statement(wanted.number)] == [37]


@pytest.mark.parametrize(
    ("ending", "code"), [("0001", "account-unknown"), ("0002", "holder-differs"), ("0003", "account-closed")]
)
async def test_accounts_that_are_refused(bank: HttpBank, sandbox: Sandbox, ending: str, code: str) -> None:
    wanted = order(ending)
    first, again = await bank.deposit(wanted), await bank.deposit(wanted)
    assert first == again == DepositOutcome(key=wanted.key, status="refused", code=code, detail=first.detail)
    assert wanted.number not in (first.detail or "")
    assert await sandbox.statement(wanted.number) == []


async def test_trouble_that_passes(bank: HttpBank, sandbox: Sandbox) -> None:
    wanted = order("0004")
    outcomes = [(await bank.deposit(wanted)).status for _ in range(4)]
    assert outcomes == ["failed", "failed", "paid", "paid"]
    assert len(await sandbox.statement(wanted.number)) == 1


async def test_an_answer_that_is_not_waited_for(sandbox: Sandbox) -> None:
    """Whether it was paid is unknown; asked again under the same key, it is answered and was paid once."""
    wanted = order("0005")
    async with HttpBank(sandbox.url, timeout_s=0.1) as hasty, HttpBank(sandbox.url) as patient:
        assert (await hasty.deposit(wanted)).code == "timeout"
        assert (await patient.deposit(wanted)).status == "paid"
    assert len(await sandbox.statement(wanted.number)) == 1


async def test_nobody_answers() -> None:
    async with HttpBank(f"http://{HOST}:{free_port()}") as bank:
        outcome = await bank.deposit(order())
    assert (outcome.status, outcome.code) == ("failed", "unreachable")


@pytest.mark.parametrize("amount", [0, 100, -1])
async def test_amounts_are_small(sandbox: Sandbox, amount: int) -> None:
    wanted = order()
    body = {**wanted.model_dump(exclude={"key"}), "amount": amount}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{sandbox.url}/v1/deposits", json=body, headers={"Idempotency-Key": wanted.key}) as answer,
    ):
        problem = await answer.json(content_type=None)
    assert (answer.status, problem["code"]) == (422, "invalid-request")
    assert wanted.number not in str(problem)


async def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    """Killed in the middle of many deposits: what was answered is there, nothing is there twice."""
    sandbox = Sandbox(tmp_path)
    await sandbox.start()
    wanted = [order() for _ in range(60)]
    answered: dict[str, str] = {}

    async def send(bank: HttpBank, one: DepositOrder) -> None:
        outcome = await bank.deposit(one)
        if outcome.status == "paid":
            assert outcome.reference is not None
            answered[one.key] = outcome.reference
            if len(answered) == 10:
                sandbox.process.kill()

    try:
        async with HttpBank(sandbox.url, connections=4) as bank:
            await asyncio.gather(*(send(bank, one) for one in wanted))
        assert 10 <= len(answered) < 60
        await sandbox.start()
        async with HttpBank(sandbox.url) as bank:
            again = {one.key: (await bank.deposit(one)).reference for one in wanted}
        assert {key: again[key] for key in answered} == answered
        assert (await sandbox.get("/v1/totals"))["deposits"] == 60
    finally:
        await sandbox.process.stop()
