"""The gateway as a process of its own: it starts, and what it accepted is there after it was killed."""

import asyncio
from pathlib import Path

import aiohttp
import orjson

from infra.embedded.ports import HOST, free_port
from infra.mongo import Mongo
from infra.processes import Process
from infra.settings import Settings
from tests.gateway.running import Api, fresh, order
from tests.support import eventually


async def test_what_was_accepted_survives_a_killed_gateway(
    api: Api, gateway_settings: Settings, mongo: Mongo, tmp_path: Path
) -> None:
    port, channel = free_port(), fresh("killed")
    url = f"http://{HOST}:{port}"
    env = {
        "TONGQU_MONGO_URL": gateway_settings.require("mongo_url"),
        "TONGQU_MONGO_DATABASE": gateway_settings.mongo_database,
        "TONGQU_NATS_URL": gateway_settings.require("nats_url"),
        "TONGQU_NATS_CREDS": gateway_settings.require("nats_creds"),
        "TONGQU_DATA_DIR": str(tmp_path),
    }
    gateway = Process.of_module(
        "gateway", "workers.gateway", "--host", HOST, "--port", str(port), log=tmp_path / "gateway.log", env=env
    )
    accepted: list[str] = []
    headers = {"Authorization": f"Bearer {api.key}", "Content-Type": "application/json"}
    body = orjson.dumps({"orders": [order(channel=channel)] * 20})

    async def caller(session: aiohttp.ClientSession) -> None:
        while True:
            try:
                async with session.post(f"{url}/v1/orders/batch", data=body, headers=headers) as answer:
                    results = orjson.loads(await answer.read())["results"]
            except (aiohttp.ClientError, OSError):
                return
            accepted.extend(result["id"] for result in results if result["status"] == 202)

    gateway.start()
    async with aiohttp.ClientSession() as session:

        async def ready() -> bool:
            async with session.get(f"{url}/readyz") as answer:
                return answer.status == 200

        try:
            await gateway.wait_ready(ready, 30.0)
            calling = [asyncio.create_task(caller(session)) for _ in range(8)]
            await eventually(lambda: len(accepted) > 400)
            gateway.kill()
            await asyncio.gather(*calling)
        finally:
            await gateway.stop()
    kept = {row["_id"] async for row in mongo.orders.find({"channel": channel}, {"_id": 1})}
    assert len(accepted) == len(set(accepted))
    assert set(accepted) <= kept
