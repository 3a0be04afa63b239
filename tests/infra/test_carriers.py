"""The carrier port against the real sandbox process: keys, declines, voids, troubles and crashes."""

import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from contracts.carriers import LABELS_PER_REQUEST, LabelInstruction
from infra.carriers import HttpCarrierPort
from infra.embedded.ports import HOST, free_port
from infra.processes import Process

numbers = itertools.count(1)


class Sandbox:
    """One sandbox process on a port; started again, it keeps its port and its file."""

    def __init__(self, folder: Path, *options: str) -> None:
        port = free_port()
        self.url = f"http://{HOST}:{port}"
        self._arguments = ("--port", str(port), "--db", str(folder / "labels.db"), *options)
        self._log = folder / "carriers.log"
        self.process = self._made()

    def _made(self) -> Process:
        return Process.of_module("carriers", "workers.carrier_sandbox", *self._arguments, log=self._log)

    async def start(self) -> None:
        self.process = self._made()
        self.process.start()
        await self.process.wait_ready(self._healthy, 30.0)

    async def _healthy(self) -> bool:
        async with aiohttp.ClientSession() as session, session.get(f"{self.url}/healthz") as answer:
            return answer.status == 200

    async def get(self, path: str) -> Any:
        async with aiohttp.ClientSession() as session, session.get(f"{self.url}{path}") as answer:
            return await answer.json()


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    made = Sandbox(tmp_path)
    await made.start()
    yield made
    await made.process.stop()


@pytest.fixture
async def port(sandbox: Sandbox) -> AsyncIterator[HttpCarrierPort]:
    async with HttpCarrierPort(sandbox.url) as made:
        yield made


def label(fate: str = "ok", *, key: str | None = None, **changes: Any) -> LabelInstruction:
    parcel = f"order-fate-{fate}-{next(numbers)}.p1"
    fields = {
        "key": key or f"{parcel}:label:1",
        "parcel": parcel,
        "service": "qinglu/economy",
        "origin": "330106",
        "destination": "110105",
        "weight_g": 1_200,
    }
    return LabelInstruction.model_validate({**fields, **changes})


def void(of: LabelInstruction) -> LabelInstruction:
    return of.model_copy(update={"operation": "void"})


async def test_a_label_has_a_number_a_price_and_a_page(sandbox: Sandbox, port: HttpCarrierPort) -> None:
    [outcome] = await port.perform_all([label()])
    assert (outcome.status, outcome.price) == ("done", 1_050)
    assert outcome.tracking is not None and outcome.label_url is not None
    page = await sandbox.get(outcome.label_url.removeprefix(sandbox.url))
    assert page["number"] == outcome.tracking


async def test_the_same_key_is_the_same_label_also_after_a_crash(sandbox: Sandbox, port: HttpCarrierPort) -> None:
    asked = label()
    [first] = await port.perform_all([asked])
    sandbox.process.kill()
    await sandbox.process.wait(10.0)
    [down] = await port.perform_all([asked])
    assert (down.status, down.code) == ("failed", "unreachable")
    await sandbox.start()
    [again] = await port.perform_all([asked])
    assert again == first
    assert (await sandbox.get("/v1/totals"))["labels"] == 1


async def test_a_key_is_not_lent_to_another_parcel(port: HttpCarrierPort) -> None:
    asked = label()
    await port.perform_all([asked])
    [other] = await port.perform_all([label(key=asked.key)])
    assert (other.status, other.code) == ("declined", "key-reused")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"service": "qinglu/rocket"}, "unknown-service"),
        ({"service": "baixiang/today"}, "not-served"),
        ({"weight_g": 60_001}, "not-served"),
    ],
)
async def test_what_cannot_be_carried_is_declined(port: HttpCarrierPort, changes: dict[str, Any], code: str) -> None:
    [outcome] = await port.perform_all([label(**changes)])
    assert (outcome.status, outcome.code) == ("declined", code)


async def test_a_first_label_may_be_declined_and_the_next_one_booked(port: HttpCarrierPort) -> None:
    first = label("declined")
    second = first.model_copy(update={"key": f"{first.parcel}:label:2", "service": "yunque/express"})
    never = label("unserved")
    assert [o.status for o in await port.perform_all([first, second, first, never])] == [
        "declined",
        "done",
        "declined",
        "declined",
    ]


async def test_a_carrier_in_trouble_is_asked_again_under_the_same_key(port: HttpCarrierPort) -> None:
    asked = label("flaky")
    statuses = [(await port.perform_all([asked]))[0].status for _ in range(4)]
    assert statuses == ["failed", "failed", "done", "done"]


async def test_a_void_can_be_repeated_and_ends_the_key(sandbox: Sandbox, port: HttpCarrierPort) -> None:
    asked = label()
    [booked] = await port.perform_all([asked])
    for _ in range(2):
        [voided] = await port.perform_all([void(asked)])
        assert (voided.status, voided.tracking) == ("done", booked.tracking)
    [late] = await port.perform_all([asked])
    assert (late.status, late.code) == ("declined", "voided")
    assert await sandbox.get("/v1/totals") == {"labels": 1, "voided": 1, "waiting": 0, "told": 0, "given_up": 0}


async def test_a_void_that_comes_before_its_booking_prevents_it(port: HttpCarrierPort) -> None:
    asked = label()
    [voided] = await port.perform_all([void(asked)])
    [booked] = await port.perform_all([asked])
    assert (voided.status, booked.status, booked.code) == ("done", "declined", "voided")


async def test_what_is_on_its_way_cannot_be_called_back(tmp_path: Path) -> None:
    quick = Sandbox(tmp_path, "--day-s", "0.001")
    await quick.start()
    try:
        async with HttpCarrierPort(quick.url) as port:
            asked = label()
            await port.perform_all([asked])
            [voided] = await port.perform_all([void(asked)])
            assert (voided.status, voided.code) == ("declined", "already-collected")
    finally:
        await quick.process.stop()


async def test_more_than_one_request_holds_are_answered_in_their_order(port: HttpCarrierPort) -> None:
    asked = [label() for _ in range(LABELS_PER_REQUEST + 5)]
    outcomes = await port.perform_all(asked)
    assert [outcome.key for outcome in outcomes] == [one.key for one in asked]
    assert len({outcome.tracking for outcome in outcomes}) == len(asked)


async def test_an_answer_that_is_none_is_a_failure_and_no_exception() -> None:
    async with HttpCarrierPort(f"http://{HOST}:{free_port()}") as nobody:
        [outcome] = await nobody.perform_all([label()])
    assert (outcome.status, outcome.code) == ("failed", "unreachable")
