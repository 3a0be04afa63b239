"""Health and figures: what is missing is named, and what happened is counted."""

from contracts.subjects import WAKE
from infra.settings import Settings
from infra.streams import WAKE_CONSUMER, provision_streams
from tests.gateway.running import Api, order, running
from tests.support import eventually


async def test_it_lives_and_is_ready(api: Api) -> None:
    assert (await api.get("/healthz", status=200, Authorization="")).body == {"status": "ok"}
    ready = (await api.get("/readyz", status=200, Authorization="")).body
    assert ready == {"status": "ok", "mongodb": "ok", "nats": "ok", "consumers": "ok"}


async def test_a_deleted_consumer_makes_it_unready(api: Api) -> None:
    js = api.gateway.js
    await js.delete_consumer(WAKE, WAKE_CONSUMER)
    try:
        answer = await api.get("/readyz", status=503)
        assert answer.code == "not_ready"
        assert answer.body["detail"].startswith("consumers: ")
        assert answer.headers["Retry-After"]
        await api.get("/healthz", status=200)
    finally:
        await provision_streams(js)
    await api.get("/readyz", status=200)


async def test_a_lost_connection_makes_it_unready(api: Api, gateway_settings: Settings, key: str) -> None:
    async with running(gateway_settings, key) as other:
        await other.gateway.nats.close()
        answer = await other.get("/readyz", status=503)
        assert "nats: " in answer.body["detail"]
        accepted = await other.post("/v1/orders", order())
        assert accepted.status == 202, "orders are taken without NATS; the sweep finds them"


async def test_requests_orders_and_refusals_are_counted(api: Api, gateway_settings: Settings, key: str) -> None:
    async with running(gateway_settings, key) as other:
        await other.place()
        await other.post("/v1/orders", order(total=1), status=422)
        await other.get("/v1/orders/nobody", status=404)
        await other.get("/no/such/path", status=404)

        async def shown() -> bool:
            text = (await other.get("/metrics", status=200)).body
            assert 'tongqu_http_requests_total{method="POST",path="/v1/orders",status="202"} 1.0' in text
            assert 'tongqu_http_requests_total{method="GET",path="/v1/orders/{id}",status="404"} 1.0' in text
            assert 'tongqu_http_requests_total{method="other",path="other",status="404"} 1.0' in text
            assert "tongqu_orders_accepted_total 1.0" in text
            assert "tongqu_orders_waiting 0.0" in text
            assert 'tongqu_refusals_total{code="prices_do_not_add_up",where="api"}' in text.replace(
                'where="api",code="prices_do_not_add_up"', 'code="prices_do_not_add_up",where="api"'
            )
            return True

        await eventually(shown, timeout=5)
