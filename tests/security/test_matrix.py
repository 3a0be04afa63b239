"""Who may call what, by attack: every cell of matrix.txt is called for real, and what is denied changes nothing."""

from typing import Any

import aiohttp
import orjson
import pytest

from infra.mongo import Mongo
from tests.gateway.running import Api
from tests.security.table import ROLES, Row, rows

ROWS = rows()
_METHODS = frozenset({"get", "put", "post", "delete", "patch"})
_WRITTEN_ANYWAY = frozenset({"counters"})
"""Refusals are counted."""
_CODES = {401: {"key_missing", "unknown_key", "token_missing", "callback_forged"}, 415: {"not_a_form"}}


def _operations(api: Api) -> dict[tuple[str, str], dict[str, Any]]:
    paths = api.app.openapi()["paths"]
    return {(path, method): paths[path][method] for path in paths for method in paths[path] if method in _METHODS}


def test_every_operation_of_the_gateway_is_in_the_table(api: Api) -> None:
    listed, served = {row.operation for row in ROWS}, set(_operations(api))
    assert served - listed == set(), "operations that are not in matrix.txt"
    assert listed - served == set(), "rows of matrix.txt without an operation"


def test_no_row_comes_twice_and_nothing_but_health_is_open_to_anybody() -> None:
    assert len({str(row) for row in ROWS}) == len(ROWS)
    open_to_anybody = {row.path for row in ROWS if "anonymous" not in row.denied}
    free = {"/healthz", "/readyz", "/metrics", "/codec", "/v1/applications"}
    assert {path for path in open_to_anybody if not path.startswith("/v1/requirements")} == free


def _body(operation: dict[str, Any]) -> Any:
    """An example of the operation's body, so that nothing but the caller is wrong."""
    for content in operation.get("requestBody", {}).get("content", {}).values():
        for example in content.get("examples", {}).values():
            return example["value"]
        return {}
    return None


async def _status(caller: Api, row: Row, body: Any) -> tuple[int, dict[str, Any]]:
    """The status and, of a refusal, the problem. An answer without an end is not read."""
    headers = {"Content-Type": "application/json"}
    if caller.key:
        headers["Authorization"] = f"Bearer {caller.key}"
    data = orjson.dumps(body) if body is not None else None
    async with (
        aiohttp.ClientSession() as session,
        session.request(row.method, caller.url + row.path, data=data, headers=headers) as answer,
    ):
        is_problem = answer.headers.get("Content-Type") == "application/problem+json"
        return answer.status, orjson.loads(await answer.read()) if is_problem else {}


async def _content(mongo: Mongo) -> dict[str, str]:
    """MongoDB's sum over each collection."""
    sums: dict[str, str] = (await mongo.db.command("dbHash"))["collections"]
    return {name: value for name, value in sums.items() if name not in _WRITTEN_ANYWAY}


@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_what_is_denied_is_denied_and_changes_nothing(
    row: Row, api: Api, callers: dict[str, Api], mongo: Mongo
) -> None:
    body, before = _body(_operations(api)[row.operation]), await _content(mongo)
    for role, expected in row.denied.items():
        status, problem = await _status(callers[role], row, body)
        assert status == expected, (role, problem)
        assert problem["code"] in _CODES.get(expected, {problem["code"]}), (role, problem)
        assert problem["remedy"], role
    assert await _content(mongo) == before


@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_who_is_let_in_is_let_in(row: Row, api: Api, callers: dict[str, Api]) -> None:
    """What is asked is nonsense or nothing, so that the rows after this one find what they expect."""
    for role in (role for role in ROLES if role not in row.denied):
        status, problem = await _status(callers[role], row, [] if row.method != "GET" else None)
        assert status not in (401, 403), (role, problem)
        assert status < 500, (role, problem)
