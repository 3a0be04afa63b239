"""Numbers that are none, or larger than anything that is kept, in each numeric field of service, buying and supply."""

import asyncio
from itertools import islice

import pytest

from tests.gateway.document import DOCUMENT
from tests.gateway.running import Api
from tests.security.numbers import bodies_with
from tests.security.table import Row, rows

_PATHS = ("/v1/supply", "/v1/cases", "/v1/service", "/v1/purchase", "/v1/supplier", "/v1/partner/replies")
_NO_JSON = ("1e400", "NaN", "-Infinity")
_ODD = ("1e308", "1e-308", "9223372036854775808", "18446744073709551616", "0.5", "true", '"1"')
_AT_ONCE = 10


def _written() -> list[Row]:
    """One of each operation whose body holds a number."""
    of = {row.operation: row for row in rows() if row.method in ("PUT", "POST") and row.path.startswith(_PATHS)}
    return [
        row for (path, method), row in of.items() if any(bodies_with(DOCUMENT, DOCUMENT["paths"][path][method], ("1",)))
    ]


@pytest.mark.parametrize("row", _written(), ids=str)
async def test_odd_numbers_are_refused_or_kept(row: Row, api: Api, callers: dict[str, Api]) -> None:
    document = api.app.openapi()
    operation = document["paths"][row.operation[0]][row.operation[1]]
    caller = callers[next(one for one in ("admin", "partner_a") if one not in row.denied)]
    limit = asyncio.Semaphore(_AT_ONCE)

    async def tried(body: bytes) -> tuple[bytes, int]:
        async with limit:
            return body, (await caller.call(row.method, row.path, data=body)).status

    answers = await asyncio.gather(*(tried(body) for body in bodies_with(document, operation, _ODD)))
    assert not [(body, status) for body, status in answers if status >= 500]
    broken = islice(bodies_with(document, operation, _NO_JSON), len(_NO_JSON))
    assert {status for _, status in [await tried(body) for body in broken]} == {400}


_LISTS = [row for row in rows() if row.method == "GET" and row.path.startswith(_PATHS) and "{" not in row.operation[0]]


@pytest.mark.parametrize("row", _LISTS, ids=str)
async def test_and_all_that_was_kept_is_read_after_that(row: Row, callers: dict[str, Api]) -> None:
    role = next(one for one in ("admin", "partner_a") if one not in row.denied)
    answer = await callers[role].get(row.path)
    assert answer.status < 500, answer
