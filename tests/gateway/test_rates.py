"""Who calls too often is told when to come again, and costs nobody else anything."""

from typing import Any

import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st

from contracts.refusals import Refusal
from infra.keys import Scope, create_key
from infra.mongo import Mongo
from infra.settings import Settings
from tests.gateway.applying import begun
from tests.gateway.running import Api, running
from tests.told import fresh_stream
from workers.gateway.app import limits_of
from workers.gateway.applicants import new_application_id, new_token
from workers.gateway.limits import Limits
from workers.gateway.rates import Rate, Rates, address_of, pass_or_wait


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@given(
    st.lists(st.floats(0, 3), min_size=1, max_size=200),
    st.floats(0.1, 100),
    st.integers(1, 20),
)
def test_in_any_time_no_more_pass_than_the_burst_and_the_rate(pauses: list[float], per_s: float, burst: int) -> None:
    rate, due, now, passed = Rate(per_s, burst), 0.0, 1_000.0, list[float]()
    for pause in pauses:
        now += pause
        before = due
        due, wait = pass_or_wait(due, now, rate)
        if wait:
            assert due == before, "a refusal costs nothing"
            assert pass_or_wait(due, now + wait + 1e-6, rate)[1] == 0
        else:
            passed.append(now)
    for first, began in enumerate(passed):
        for last in range(first, len(passed)):
            assert last - first + 1 <= burst + (passed[last] - began) * per_s + 1e-3


def test_each_caller_is_counted_for_itself() -> None:
    clock = Clock()
    rates = Rates(Rate(2, 3), "too_many_requests", clock)
    for _ in range(3):
        rates.count("a")
    with pytest.raises(Refusal) as refused:
        rates.count("a")
    assert (refused.value.status, refused.value.extra["retry_after"]) == (429, 1)
    rates.count("b")
    clock.now += 0.5
    rates.count("a")
    with pytest.raises(Refusal):
        rates.count("a")


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("nonsense", "nonsense"),
    ],
)
def test_an_address_is_that_of_one_customer(host: str, counted: str) -> None:
    scope: dict[str, Any] = {"type": "http", "client": (host, 1), "headers": []}
    assert address_of(Request(scope)) == counted


def test_they_are_settings() -> None:
    limits = limits_of(Settings(partner_calls_per_s=3, partner_calls_burst=4, key_calls_per_s=5, keyless_calls_burst=6))
    assert (limits.partner_calls, limits.calls.per_s, limits.keyless_calls.burst) == (Rate(3, 4), 5, 6)


async def test_a_partners_key_is_slowed_down_and_others_are_not(
    gateway_settings: Settings, key: str, mongo: Mongo
) -> None:
    async with running(gateway_settings, key, Limits(partner_calls=Rate(0.01, 5))) as api:
        keys = [await create_key(mongo, "p", [Scope.PARTNER], partner=fresh_stream()) for _ in range(2)]
        quick, other = (api.with_key(one) for one in keys)
        answers = [await quick.get("/v1/partner/events") for _ in range(8)]
        assert [answer.status for answer in answers] == [200] * 5 + [429] * 3
        assert answers[-1].code == "too_many_requests"
        assert 90 <= int(answers[-1].headers["Retry-After"]) <= 100
        await other.get("/v1/partner/events", status=200)
        for _ in range(8):
            await api.get("/v1/orders?limit=1", status=200)


async def test_who_tries_keys_is_slowed_down_by_its_address_and_good_keys_are_not(
    gateway_settings: Settings, key: str
) -> None:
    async with running(gateway_settings, key, Limits(guesses=Rate(0.01, 3))) as api:
        guesses = [await api.with_key(f"tq_{n}").get("/v1/orders") for n in range(5)]
        assert [answer.status for answer in guesses] == [401] * 3 + [429] * 2
        await api.get("/v1/orders?limit=1", status=200)


async def test_every_way_to_call_is_counted_by_itself(gateway_settings: Settings, key: str, mongo: Mongo) -> None:
    """Each key, each application's token, each address without one; what is refused counts too."""
    few = Rate(0.001, 4)
    limits = Limits(calls=few, partner_calls=few, keyless_calls=few)

    async def used_up(caller: Api, *paths: str, **headers: str) -> None:
        answers = [await caller.get(paths[number % len(paths)], **headers) for number in range(6)]
        assert [answer.status == 429 for answer in answers] == [False] * 4 + [True] * 2, answers
        assert {answer.code for answer in answers[4:]} == {"too_many_requests"}
        assert int(answers[-1].headers["Retry-After"]) > 60

    async with running(gateway_settings, key, limits) as api:
        twins = [api.with_key(await create_key(mongo, "twin", [Scope.ORDERS_READ])) for _ in range(2)]
        await used_up(twins[0], "/v1/orders?limit=1", "/v1/orders/none", "/v1/orders?limit=x")
        await twins[1].get("/v1/orders?limit=1", status=200)
        partner = api.with_key(await create_key(mongo, "p", [Scope.PARTNER], partner=fresh_stream()))
        await used_up(partner, "/v1/partner/events", "/v1/partner/webhooks", "/v1/partner/events?stream=another")
        (mine, path), (other, further) = [await _applicant(api) for _ in range(2)]
        await used_up(mine, path)
        await other.get(further, status=200)
        # Another address is only told, and not believed.
        wanted = "/v1/requirements?kind=franchise&region=330106&category=food"
        left = [await api.get(wanted, Authorization="", X_Forwarded_For=f"198.51.100.{n}") for n in range(6)]
        assert [answer.status for answer in left] == [200] * 4 + [429] * 2


async def test_tokens_of_applications_cannot_be_tried_out(gateway_settings: Settings, key: str) -> None:
    async with running(gateway_settings, key, Limits(guesses=Rate(0.001, 3))) as api:
        mine, path = await _applicant(api)
        guesses = [await api.with_key(f"app_{number}").get(path) for number in range(5)]
        assert [answer.status for answer in guesses] == [404] * 3 + [429] * 2
        await mine.get(path, status=200)


async def _applicant(api: Api) -> tuple[Api, str]:
    name, token = new_application_id(), new_token()
    await begun(api.gateway, name, token)
    return api.with_key(token), f"/v1/applications/{name}"
