"""Servers to come name acknowledgements otherwise (ADR-15): partners' access is ready for it."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contracts.subjects import EVENTS, event_subject, partner_consumer
from infra.bus_access import SYSTEM_INBOX
from infra.credentials import CredentialDesk
from infra.embedded.nats_server import jetstream_answers, server_config
from infra.embedded.ports import HOST, free_port
from infra.embedded.programs import NATS, path_of
from infra.mongo import Mongo
from infra.nats import connect, publish
from infra.nats_keys import BusKeys
from infra.processes import Process
from infra.streams import provision_partners, provision_streams
from tests.delivery.partners import connected


@pytest.fixture
async def later_server(tmp_path: Path) -> AsyncIterator[tuple[str, BusKeys]]:
    """The server in use, told to do what later ones do by themselves."""
    keys, port = BusKeys(tmp_path / "keys"), free_port()
    keys.provide()
    config = tmp_path / "nats.conf"
    known = server_config(keys, tmp_path, listen=f"{HOST}:{port}", monitor=f"{HOST}:{free_port()}")
    config.write_text(f"{known}\nfeature_flags {{ js_ack_fc_v2: true }}\n")
    server = Process("nats", [path_of(NATS), "--config", config], log=tmp_path / "nats.log")
    server.start()
    try:
        await server.wait_ready(lambda: jetstream_answers(HOST, port, keys.service_creds), 30)
        yield f"nats://{HOST}:{port}", keys
    finally:
        await server.stop()


async def test_a_partner_acknowledges_in_the_later_form_and_only_its_own(
    later_server: tuple[str, BusKeys], mongo: Mongo
) -> None:
    url, keys = later_server
    ours = await connect(url, keys.service_creds, "test")
    system = await connect(url, keys.system_creds, "desk", inbox=SYSTEM_INBOX)
    js, desk = ours.jetstream(), CredentialDesk(mongo, keys, system)
    await provision_streams(js)
    await provision_partners(js, ["a", "b"])
    a, b = await desk.issue("a", ["a"]), await desk.issue("b", ["b"])
    for partner in ("a", "b"):
        await publish(js, event_subject(partner, "parcel.offered.v1"), b"{}", uuid.uuid4().hex)
    async with connected(url, a.creds, "a") as attacker, connected(url, b.creds, "b") as other:
        (message,) = await attacker.read(1)
        assert message.reply.split(".")[4:6] == [EVENTS, partner_consumer("a")]
        assert (await js.consumer_info(EVENTS, partner_consumer("a"))).ack_floor.consumer_seq == 1
        inbox = await other.js.pull_subscribe_bind(durable=partner_consumer("b"), stream=EVENTS)
        (waiting,) = await inbox.fetch(1)
        await attacker.asks(waiting.reply, b"+ACK")
        await attacker.refused(waiting.reply)
        attacker.errors.clear()
        await attacker.asks(message.reply, b"+ACK", reply=waiting.reply)
        await attacker.refused(waiting.reply)
        assert (await js.consumer_info(EVENTS, partner_consumer("b"))).num_ack_pending == 1
    for client in (ours, system):
        await client.close()
