"""A thousand applicants over HTTP: each begins, supplies everything, submits, and names the amount of its deposit."""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar

import aiohttp
import orjson

from bench.applicants import facts, forms
from contracts.partnership import PartnerKind

KIND: PartnerKind = "supplier"
REGION, CATEGORIES = "330106", ("household", "clothing")
Made = TypeVar("Made")
_PDF = (
    b"%PDF-1.4\n%%%%\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj\n"
)


@dataclass(slots=True)
class Applicant:
    number: int
    id: str
    token: str
    items: list[dict[str, Any]] = field(repr=False)
    spoilt: str | None = None
    """Which fault it has, if any."""


def one_page(mark: str) -> bytes:
    """A PDF of one empty page and as many bytes as a small scan has; its mark makes it a file of its own."""
    body = _PDF + b"% " + mark.encode().ljust(60_000, b".") + b"\n"
    places = [body.index(b"%d 0 obj" % number) for number in (1, 2, 3)]
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return (
        body + b"xref\n0 4\n0000000000 65535 f \n" + table + b"trailer<</Size 4/Root 1 0 R>>\nstartxref\n"
        b"%d\n%%%%EOF\n" % len(body)
    )


class Applicants:
    """Calls the gateway. Whoever is told to come back later does; every other refusal ends the measurement."""

    def __init__(self, session: aiohttp.ClientSession, gateway: str, bank: str) -> None:
        self._session = session
        self._gateway = gateway
        self._bank = bank
        self.sent_again: Counter[str] = Counter()
        """Requests that were answered \"not now\", by code."""

    async def call(
        self, method: str, path: str, token: str | None, body: Any = None, *, content: bytes | None = None
    ) -> Any:
        headers = {"Content-Type": "application/json" if content is None else "application/pdf"}
        if method == "POST" and token is not None:
            headers["Idempotency-Key"] = uuid.uuid4().hex
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        data = content if content is not None else orjson.dumps(body) if body is not None else None
        while True:
            async with self._session.request(method, self._gateway + path, data=data, headers=headers) as answer:
                known = orjson.loads(await answer.read())
            if answer.status in (200, 201):
                return known
            if answer.status not in (429, 503):
                raise RuntimeError(f"{method} {path} was answered {answer.status}: {known}")
            # As it is told to: the same request again, under the same key.
            self.sent_again[known["code"]] += 1
            await asyncio.sleep(known["retry_after"])

    async def begin(self, number: int, spoilt: str | None) -> Applicant:
        asked = {"kind": KIND, "region": REGION, "categories": list(CATEGORIES)}
        begun = await self.call("POST", "/v1/applications", None, asked)
        return Applicant(number, begun["id"], begun["token"], begun["application"]["items"], spoilt)

    async def supply(self, one: Applicant, today: date) -> None:
        """Forms, declarations, files and facts; with the fault that the applicant has."""
        given = forms(one.number)
        sent = {item["id"]: given[item["id"]] for item in one.items if item["kind"] == "form"}
        declared = [item["id"] for item in one.items if item["kind"] == "declaration"]
        if one.spoilt == "credit_code":
            code = sent["company"]["credit_code"]
            sent["company"]["credit_code"] = code[:-1] + ("0" if code[-1] != "0" else "1")
        path = f"/v1/applications/{one.id}"
        await self.call("PUT", f"{path}/fields", one.token, {**sent, "declarations": declared})
        for item in one.items:
            if item["kind"] != "document":
                continue
            content = one_page(f"{one.id} {item['id']}")
            await self.call("PUT", f"{path}/documents/{item['id']}", one.token, content=content)
            known = facts(item["id"], given, CATEGORIES, one.number, today)
            said = {name: known[name] for name in item["facts_needed"]}
            if item["id"] == "business_licence":
                said |= {"name": {"name": "别家有限公司"}, "scope": {"scope": "餐饮服务"}}.get(one.spoilt or "", {})
                said |= {"validity": {"valid_until": today.isoformat()}}.get(one.spoilt or "", {})
            await self.call("PUT", f"{path}/documents/{item['id']}/facts", one.token, said)

    async def submit(self, one: Applicant) -> None:
        await self.call("POST", f"/v1/applications/{one.id}/submit", one.token, {})

    async def prove_account(self, one: Applicant) -> None:
        """Read the statement, name the amount."""
        number = forms(one.number)["bank_account"]["number"]
        async with self._session.get(f"{self._bank}/v1/accounts/{number}/statement") as answer:
            [entry] = orjson.loads(await answer.read())["entries"]
        body = {"amount": entry["amount"]}
        await self.call("POST", f"/v1/applications/{one.id}/deposit", one.token, body)


async def at_once(todo: Sequence[Callable[[], Awaitable[Made]]], most: int) -> tuple[list[Made], list[float], float]:
    """Carry out all, `most` at a time: what they made, how long each took from the first moment it could, and all.

    The time of each counts from the beginning of all: who waits for a free connection waits too.
    """
    free, began = asyncio.Semaphore(most), time.perf_counter()
    took: list[float] = []

    async def one(work: Callable[[], Awaitable[Made]]) -> Made:
        async with free:
            made = await work()
        took.append(time.perf_counter() - began)
        return made

    made = await asyncio.gather(*(one(work) for work in todo))
    return list(made), took, time.perf_counter() - began
