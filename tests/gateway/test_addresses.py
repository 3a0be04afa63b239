"""A new address over HTTP: taken down, or refused with the field and what to do instead."""

from infra.mongo import Mongo
from tests.gateway.carrying import Carrier
from tests.gateway.running import Api
from workers.gateway.examples import ADDRESS


async def test_an_order_goes_elsewhere_until_it_has_left(api: Api, mongo: Mongo) -> None:
    carrier = Carrier(mongo)
    made = (await api.place())["id"]
    batch = await carrier.claim(made)
    path = f"/v1/orders/{made}/address"
    await api.post(path, ADDRESS, status=202)
    await carrier.step(batch)
    seen = (await api.get(f"/v1/orders/{made}", status=200)).body
    assert (seen["division"], seen["ship_to"]["name"]) == ("330212", "王芳")
    await carrier.reply(batch, seen["parcels"][-1], "shipped")
    late = await api.post(path, ADDRESS, status=409)
    assert (late.code, late.body["field"]) == ("already_shipped", "ship_to")


async def test_a_wrong_address_names_its_field(api: Api) -> None:
    made = (await api.place())["id"]
    for body, field in [
        ({}, "ship_to"),
        ({"ship_to": {**ADDRESS["ship_to"], "division": "999999"}}, "ship_to.division"),
        ({"ship_to": {"division": "330212"}}, "ship_to.point"),
    ]:
        answer = await api.post(f"/v1/orders/{made}/address", body, status=422)
        assert answer.body["field"] == field
    await api.post(f"/v1/orders/{made}/cancellation", {"reason": "no more"}, status=202)
