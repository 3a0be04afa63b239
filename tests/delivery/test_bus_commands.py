"""`tongqu bus`: a NATS server of one's own gets its keys, and partners their credentials, by these commands alone."""

import json
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from contracts.subjects import EVENTS, partner_consumer
from infra.embedded.nats_server import jetstream_answers
from infra.embedded.ports import HOST, free_port
from infra.embedded.programs import NATS, path_of
from infra.nats import connect
from infra.nats_keys import BusKeys
from infra.processes import Process
from infra.streams import provision_partners, provision_streams
from tests.delivery.partners import connected, turned_away
from tests.workers.desk import run_tongqu

STORE = "store-1"


@dataclass
class Site:
    """A server as somebody would run it in production, and the environment of those who work with it."""

    url: str
    keys: BusKeys
    folder: Path
    environment: dict[str, str]

    async def tongqu(self, *arguments: str | Path) -> tuple[int, str]:
        """Run the command; returns its status, and what it printed."""
        said = await run_tongqu(self.folder / "none", *arguments, environment=self.environment)
        return said.status, said.out


@pytest.fixture
async def site(tmp_path: Path, mongo_url: str, database: str) -> AsyncIterator[Site]:
    port = free_port()
    keys = BusKeys(tmp_path / "keys")
    environment = {
        "TONGQU_MONGO_URL": mongo_url,
        "TONGQU_MONGO_DATABASE": database,
        "TONGQU_NATS_URL": f"nats://{HOST}:{port}",
        "TONGQU_NATS_CREDS": str(keys.service_creds),
        "TONGQU_NATS_KEYS": str(keys.folder),
    }
    site = Site(f"nats://{HOST}:{port}", keys, tmp_path, environment)
    status, printed = await site.tongqu("bus", "setup", keys.folder, "--accounts", tmp_path / "accounts")
    assert status == 0, printed
    config = tmp_path / "nats.conf"
    store = json.dumps(str(tmp_path / "store"))
    shutil.copy(keys.folder / "auth.conf", tmp_path)
    config.write_text(f'listen: "{HOST}:{port}"\njetstream {{ store_dir: {store} }}\ninclude auth.conf\n')
    server = Process("nats", [path_of(NATS), "--config", config], log=tmp_path / "nats.log")
    server.start()
    try:
        await server.wait_ready(lambda: jetstream_answers(HOST, port, keys.service_creds), 30)
        yield site
    finally:
        await server.stop()


async def test_from_keys_to_a_partner_that_is_connected_and_back(site: Site) -> None:
    ours = await connect(site.url, site.keys.service_creds, "test")
    await provision_streams(ours.jetstream())
    await provision_partners(ours.jetstream(), [STORE])
    await ours.close()
    first, second = site.folder / "first.creds", site.folder / "second.creds"
    status, printed = await site.tongqu("bus", "issue", "acme", "--stream", STORE, "--out", first)
    assert (status, first.stat().st_mode & 0o777) == (0, 0o600), printed
    assert "_INBOX_acme" in printed
    status, printed = await site.tongqu("bus", "rotate", "acme", "--overlap-s", "3600", "--out", second)
    assert status == 0, printed
    for creds in (first, second):
        async with connected(site.url, creds, "acme") as partner:
            await partner.js.consumer_info(EVENTS, partner_consumer(STORE))
    status, printed = await site.tongqu("bus", "list")
    assert (status, printed.count("acme")) == (0, 2), printed
    status, printed = await site.tongqu("bus", "revoke", "acme")
    assert status == 0, printed
    for creds in (first, second):
        assert "authorization violation" in (await turned_away(site.url, creds.read_text())).lower()
    status, printed = await site.tongqu("bus", "list")
    assert (status, printed.count("acme")) == (0, 0), printed


async def test_what_cannot_be_done_is_said_in_a_sentence(site: Site) -> None:
    creds = site.folder / "there.creds"
    creds.write_text("mine")
    for arguments, said in (
        (("issue", "acme", "--stream", "*", "--out", site.folder / "x.creds"), "bad_stream"),
        (("issue", "acme", "--stream", STORE, "--out", creds), "is there already"),
        (("rotate", "nobody", "--out", site.folder / "x.creds"), "no_credentials"),
    ):
        status, printed = await site.tongqu("bus", *arguments)
        assert status == 1
        assert said in printed
        assert "Traceback" not in printed
    assert creds.read_text() == "mine"
    assert not (site.folder / "x.creds").exists()


async def test_keys_are_not_made_twice(site: Site) -> None:
    before = {path.name: path.read_bytes() for path in site.keys.folder.iterdir()}
    status, printed = await site.tongqu("bus", "setup", site.keys.folder, "--accounts", site.folder / "accounts")
    assert status == 0, printed
    assert {path.name: path.read_bytes() for path in site.keys.folder.iterdir()} == before
