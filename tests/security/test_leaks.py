"""A whole system, an applicant from the first word to an active partner with keys, credentials and webhooks of its own,
which are then replaced and taken back; and everything that was written meanwhile is searched: for secrets, and for what
is personal."""

import re
import stat
from base64 import b64decode
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from fastapi import FastAPI
from temporalio.client import Client

from bench.codec import payloads_of
from infra.codec import ENCODING
from infra.keys import Scope, create_key
from infra.mongo import Mongo
from infra.nats_jwt import seed_of, token_of
from infra.settings import EnvironmentSettings
from tests.delivery.partners import connected, turned_away
from tests.gateway.applying import Applicant
from tests.gateway.running import Api
from tests.security.leaks import database, texts, where
from tests.support import eventually
from workers.system import System

_NUMBER = 77_001_234
"""Of the applicant: its telephone number, account and mail address are made of it."""
_PRIVATE = re.compile(
    r"(operator\.key|codec\.keys|.*\.keys\.json|state\.json|.*\.creds|.*\.nk|.*keys.*\.json|.*\.pem)$"
)
"""Files that are there to hold secrets."""
_OUTSIDE = ("bank", "payments", "carriers", "signatures")
"""Other parties' data in the data directory: their sandboxes know what the applicant told them."""
_PATIENT_S = 120


@pytest.fixture(scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    data_dir: Path = tmp_path_factory.mktemp("leaks")
    async with System(EnvironmentSettings(data_dir=data_dir, mongo_cache_gb=0.5), data_dir) as system:
        yield system


class Run:
    """What happened, and the secrets that were told to somebody meanwhile."""

    def __init__(self, system: System, applicant: Applicant, mongo: Mongo, api: Api) -> None:
        self.system, self.applicant, self.mongo, self.api = system, applicant, mongo, api
        self.secrets: list[str] = [applicant.token, api.key]

    @property
    def personal(self) -> list[str]:
        """What the applicant has sent of persons, and no names of companies or places."""
        forms = self.applicant.forms
        people = [forms["company"]["legal_representative"], *texts(forms["contact"]), *texts(forms["signatories"])]
        return sorted({*people, forms["bank_account"]["number"]})

    @property
    def bare(self) -> list[str]:
        """Secrets without what tells their kind."""
        return [secret.partition("_")[2] or secret for secret in self.secrets]


@pytest.fixture(scope="module")
async def run(system: System) -> AsyncIterator[Run]:
    settings = system.settings
    mongo = Mongo(settings.require("mongo_url"), settings.mongo_database)
    async with aiohttp.ClientSession() as session:
        api = Api(settings.require("gateway_url"), settings.require("operator_key"), session, FastAPI())
        applicant = await Applicant.begin(api, _NUMBER)
        run = Run(system, applicant, mongo, api)
        await applicant.supply_all()
        # What is refused, and what fails, says things too.
        await applicant.fill_in(contact={"name": run.personal[0], "phone": "call me", "email": run.personal})
        await api.with_key(applicant.token + "x").get(applicant.path, status=404)
        await api.get("/v1/orders", status=401, Authorization=f"Bearer {applicant.token}")
        assert (await applicant.submit()).status == 200
        await applicant.stands("bank")
        named = await applicant.name_amount(await applicant.amount(settings.require("bank_url")))
        assert named.status == 200, named
        await applicant.stands("review")
        await _approved(run)
        await _signed(run)
        await _collected(run)
        yield run
        mongo.close()


async def _approved(run: Run) -> None:
    for name in ("mei", "lan"):
        key = await create_key(run.mongo, name, [Scope.PARTNERS_REVIEW])
        run.secrets.append(key)
        reviewer = run.api.with_key(key)
        seen = (await reviewer.get(f"/v1/reviews/{run.applicant.id}", status=200)).body
        for item in seen["items"]:
            if item["state"] not in ("accepted", "waived"):
                body = {"item": item["item"], "decision": "accept"}
                await reviewer.post(f"{run.applicant.path}/review", body, status=200)
        stands = (await reviewer.post(f"{run.applicant.path}/decide", {"decision": "approve"})).body
        if stands.get("standing", {}).get("stage") != "review":
            return


async def _signed(run: Run) -> None:
    """By everybody who has a link, one after the other, until the partner is made."""
    signed: set[str] = set()

    async def made() -> bool:
        stage = (await run.applicant.see())["stage"]
        if stage != "agreement":
            return stage in ("testing", "active")
        own = await run.applicant.api.get(f"{run.applicant.path}/agreement")
        if own.status != 200:
            return False
        retailers = await run.api.get(f"/v1/agreements/{own.body['id']}", status=200)
        links = {one["link"] for view in (own.body, retailers.body) for one in view["signers"] if one["link"]}
        async with aiohttp.ClientSession() as session:
            for link in links - signed:
                async with session.post(f"{link}/signature") as answer:
                    assert answer.status == 200, await answer.text()
                signed.add(link)
                run.secrets.append(link.rpartition("/")[2])
        return False

    await eventually(made, timeout=_PATIENT_S, message="never came to be tested")


async def _collected(run: Run) -> None:
    """All that a partner is shown once, over HTTP, and used: on the bus, over HTTP, by webhook, and in wrong places."""
    shown = (await run.applicant.api.post(f"{run.applicant.path}/credentials", {}, status=200)).body
    partner, me = shown["partner"], run.api.with_key(shown["key"])
    run.secrets += [shown["key"], *_secrets_of(shown["credentials"])]
    await run.applicant.api.post(f"{run.applicant.path}/credentials", {}, status=409)
    made = await me.post(
        "/v1/partner/webhooks", {"url": "https://shop.example/x"}, status=201, Idempotency_Key="leak-1"
    )
    secret = f"/v1/partner/webhooks/{made.body['id']}/secret"
    again = await me.post(secret, {"overlap_s": 60}, status=200, Idempotency_Key="leak-2")
    run.secrets += [made.body["secret"], again.body["secret"]]
    await me.get("/v1/partner/events", status=200)
    # Told where it does not belong.
    for path in (f"/v1/partner/events?stream={me.key}", f"/v1/orders/{me.key}", f"/v1/partner/webhooks?key={me.key}"):
        assert (await me.get(path)).status >= 400
    await me.post("/v1/partner/replies", {"type": me.key, "id": shown["credentials"]["creds"]}, status=422)
    nats, inbox = run.system.settings.require("nats_url"), shown["credentials"]["inbox"]
    async with connected(nats, shown["credentials"]["creds"], partner, inbox=inbox) as client:
        assert await client.read()
        await run.applicant.stands("active")
    path = f"/v1/partners/{partner}"
    rotated = await run.api.post(f"{path}/credentials/rotate", {"overlap_s": 0}, status=200)
    further = await run.api.post(f"{path}/keys", {}, status=200)
    run.secrets += [*_secrets_of(rotated.body), further.body["key"]]
    assert "authorization violation" in (await turned_away(nats, shown["credentials"]["creds"])).lower()
    await run.api.post(f"{path}/credentials/revoke", {}, status=200)


def _secrets_of(credentials: dict[str, Any]) -> list[str]:
    return [seed_of(credentials["creds"]), token_of(credentials["creds"])]


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _is_private(path: Path) -> bool:
    return _PRIVATE.match(path.name) is not None


@pytest.mark.timeout(600)
async def test_no_log_tells_a_secret_or_a_person(run: Run) -> None:
    logs = {path.name: path.read_bytes() for path in _files(run.system.data_dir / "log")}
    assert {"gateway.log", "fulfilment.log", "relay.log", "events.log"} <= set(logs)
    assert where(logs, [*run.bare, *run.personal]) == {}


@pytest.mark.timeout(600)
async def test_no_history_tells_a_person_and_all_of_it_is_sealed(run: Run) -> None:
    """As any client of Temporal's reads it, without our keys."""
    client = await Client.connect(run.system.settings.require("temporal_address"))
    histories: dict[str, bytes] = {}
    encodings: dict[bytes, int] = {}
    async for one in client.list_workflows(""):
        handle = client.get_workflow_handle(one.id, run_id=one.run_id)
        history = await handle.fetch_history()
        histories[one.id] = b"".join(event.SerializeToString() for event in history.events)
        # What the UI shows above it: memo, search attributes, what is waited for.
        description = await handle.describe()
        histories[f"{one.id}, described"] = description.raw_description.SerializeToString()
        for event in history.events:
            for payload in payloads_of(event):
                encoding = payload.metadata.get("encoding", b"")
                encodings[encoding] = encodings.get(encoding, 0) + 1
    for kind in ("onboarding-", "agreement-", "lifecycle-"):
        assert any(name.startswith(kind) for name in histories), kind
    assert where(histories, [*run.bare, *run.personal]) == {}
    assert encodings.get(ENCODING, 0) > 20
    assert set(encodings) <= {ENCODING, b"json/plain", b"binary/null", b""}, encodings


@pytest.mark.timeout(600)
async def test_no_file_of_the_servers_tells_a_secret_or_a_person(run: Run) -> None:
    """The bytes that Temporal and NATS have on disk."""
    folders = [path for path in run.system.data_dir.iterdir() if path.is_dir()]
    kept = {
        str(path.relative_to(run.system.data_dir)): path.read_bytes()
        for folder in folders
        if folder.name not in (*_OUTSIDE, "mongo", "log")
        for path in _files(folder)
        if not _is_private(path)
    }
    assert any("temporal.sqlite" in name for name in kept)
    assert where(kept, [*run.bare, *run.personal]) == {}


@pytest.mark.timeout(600)
async def test_the_database_tells_no_secret_and_no_person(run: Run) -> None:
    """But in `files`, where documents lie as they were uploaded and agreements as they were signed."""
    kept = await database(run.mongo, without=["files"])
    assert where(kept, run.bare) == {}
    assert where(kept, run.personal) == {}
    assert where(kept, [run.applicant.forms["company"]["name"]]), "what is no secret is found, so the search searches"


@pytest.mark.timeout(600)
async def test_only_their_owner_reads_files_with_secrets(run: Run) -> None:
    private = [path for path in _files(run.system.data_dir) if _is_private(path) and path.parent.name not in _OUTSIDE]
    assert {"operator.key", "codec.keys", "state.json"} <= {path.name for path in private}
    for path in private:
        if "ca" not in path.stem:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


@pytest.mark.timeout(600)
async def test_an_operator_reads_in_the_ui_what_the_server_cannot(run: Run) -> None:
    """As the UI does it: its settings name the codec, which opens what the server gives out."""
    settings = run.system.settings
    ui = settings.require("temporal_ui_url")
    workflow = f"onboarding-{run.applicant.id}"
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{ui}/api/v1/settings") as answer:
            endpoint = (await answer.json())["Codec"]["Endpoint"]
        assert endpoint == f"{settings.gateway_url}/codec"
        async with session.get(f"{ui}/api/v1/namespaces/default/workflows/{workflow}/history") as answer:
            first = (await answer.json())["history"]["events"][0]
        payloads = first["workflowExecutionStartedEventAttributes"]["input"]
        assert b64decode(payloads["payloads"][0]["metadata"]["encoding"]) == ENCODING
        form = {"key": run.api.key}
        async with session.post(f"{endpoint}/session", data=form) as answer:
            assert answer.status == 200
            cookie = answer.headers["Set-Cookie"].partition(";")[0]
        headers = {"Origin": ui, "Cookie": cookie, "X-Namespace": "default"}
        url = f"{endpoint}/decode?preserveStorageRefs=true"
        async with session.post(url, json=payloads, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            assert answer.headers["Access-Control-Allow-Origin"] == ui
            opened = (await answer.json())["payloads"][0]
        assert run.applicant.id in b64decode(opened["data"]).decode()
        async with session.post(url, json=payloads, headers={"Origin": ui}) as answer:
            assert answer.status == 401


def test_the_search_finds_what_is_there() -> None:
    kept = {"a": "x 王小明".encode(), "b": "王小明".encode("unicode_escape"), "c": b"nothing"}
    assert where(kept, ["王小明", "y"]) == {"a": ["王小明"], "b": ["王小明"]}
