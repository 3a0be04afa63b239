"""Applying over HTTP: begin without a key, go on by the token, upload, submit, prove the account; what is refused."""

import asyncio
import itertools
import random
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pikepdf
import pytest

from infra.embedded.ports import free_port
from infra.files import fetch
from infra.mongo import Mongo
from infra.settings import Settings
from tests import papers
from tests.gateway.applying import APPLICATION, Applicant, onboarding_worker
from tests.gateway.running import Api, running
from workers.gateway.app import limits_of
from workers.gateway.rates import Rate
from workers.gateway.uploading import FILE_BYTES_MAX

pytestmark = pytest.mark.timeout(300)
EXAMPLE = Path(__file__).resolve().parents[2] / "examples/applicant"
numbers = itertools.count(random.randrange(10**6) * 100)


@pytest.fixture(scope="module")
async def worker(gateway_settings: Settings, mongo: Mongo, bank_url: str) -> AsyncIterator[None]:
    async with onboarding_worker(gateway_settings, mongo, bank_url):
        yield


@pytest.fixture
async def applicant(api: Api, worker: None) -> Applicant:
    return await Applicant.begin(api, next(numbers))


async def test_from_the_first_word_to_the_reviewers(
    applicant: Applicant, api: Api, mongo: Mongo, bank_url: str
) -> None:
    assert applicant.begun["stage"] == "draft" and applicant.token.startswith("app_")
    assert {item["state"] for item in applicant.begun["items"]} == {"missing"}
    refused = await applicant.submit()
    assert (refused.status, refused.code, refused.body["zh"][:4]) == (409, "items_missing", "还有资料")
    await applicant.supply_all()
    assert (await applicant.see())["missing"] == []
    assert (await applicant.submit()).status == 200
    seen = await applicant.stands("bank")
    results = {(result["check"], result["verdict"]) for item in seen["items"] for result in item["results"]}
    assert results == {
        (name, "passed")
        for name in ("completeness", "credit_code", "division", "names", "scope", "validity", "identity_number")
    } | {("stock_feed", "passed"), ("bank_account", "not_checked")}
    assert seen["deposit"] == {"state": "sent", "tries_left": 3}
    amount = await applicant.amount(bank_url)
    wrong = await applicant.name_amount(amount % 99 + 1)
    assert wrong.body["deposit"] == {"state": "sent", "tries_left": 2} and wrong.body["stage"] == "bank"
    right = await applicant.name_amount(amount)
    assert right.body["deposit"]["state"] == "confirmed" and right.body["stage"] == "review"
    row = await mongo.applications.find_one({"_id": applicant.id})
    assert row is not None and row["standing"]["risk"] == 5 and row["standing"]["reviewers_needed"] == 1
    assert {item["verdict"] for item in row["standing"]["items"]} == {"passed"}
    written = str(row)
    for secret in (applicant.token, applicant.forms["contact"]["phone"], applicant.forms["bank_account"]["number"]):
        assert secret not in written
    did = [line["did"] async for line in mongo.audit.find({"subject": applicant.id}).sort("at", 1)]
    assert did[0] == "applied" and {"opened", "fields", "uploaded", "facts", "submit", "checked", "deposit"} <= set(did)


async def test_three_wrong_amounts_and_people_decide(applicant: Applicant, mongo: Mongo, bank_url: str) -> None:
    await applicant.supply_all()
    await applicant.submit()
    await applicant.stands("bank")
    amount = await applicant.amount(bank_url)
    for wrong in (amount % 99 + 1, (amount + 1) % 99 + 1, (amount + 2) % 99 + 1):
        last = await applicant.name_amount(wrong)
    assert last.body["deposit"] == {"state": "refuted", "tries_left": 0} and last.body["stage"] == "review"
    assert (await applicant.name_amount(amount)).code == "not_at_this_stage"
    row = await mongo.applications.find_one({"_id": applicant.id})
    assert row is not None
    account = next(item for item in row["standing"]["items"] if item["item"] == "bank_account")
    assert (account["verdict"], account["must_pass"]) == ("failed", True)
    assert row["standing"]["reviewers_needed"] == 2


async def test_an_account_that_the_bank_refuses(api: Api, worker: None, mongo: Mongo) -> None:
    applicant = await Applicant.begin(api, next(numbers))
    number = applicant.forms["bank_account"]["number"][:-4] + "0003"
    applicant.forms["bank_account"]["number"] = number
    await applicant.supply_all()
    await applicant.submit()
    seen = await applicant.stands("review")
    assert seen["deposit"]["state"] == "failed"
    account = next(item for item in seen["items"] if item["id"] == "bank_account")
    assert [result["code"] for result in account["results"] if result["check"] == "bank_account"] == [
        "bank_refused:account-closed"
    ]


async def test_it_is_gone_on_with_from_anywhere(applicant: Applicant) -> None:
    await applicant.fill_in(company=applicant.forms["company"])
    await applicant.fill_in(contact=applicant.forms["contact"], declarations=["integrity"])
    await applicant.say("lease", name="房东", valid_until="2030-01-01")
    seen = await applicant.see()
    assert seen["fields"]["company"] == applicant.forms["company"]
    states = {item["id"]: item["state"] for item in seen["items"]}
    assert [one for one, state in states.items() if state == "supplied"] == ["company", "contact", "integrity"]
    lease = next(item for item in seen["items"] if item["id"] == "lease")
    assert lease["facts"]["name"] == "房东" and lease["file"] is None


async def test_a_file_is_kept_once_and_given_back(applicant: Applicant, mongo: Mongo) -> None:
    content = papers.picture("JPEG", (300, 200))
    for _ in range(2):
        assert (await applicant.upload("lease", content, "image/jpeg")).status == 200
    file = next(item for item in (await applicant.see())["items"] if item["id"] == "lease")["file"]
    assert (file["media_type"], file["size"], file["pages"]) == ("image/jpeg", len(content), 1)
    assert await fetch(mongo, file["digest"]) == content
    row = await mongo.applications.find_one({"_id": applicant.id})
    assert row is not None and row["uploaded_bytes"] == len(content)
    given, headers = await applicant.download("lease")
    assert given == content
    assert (headers["Content-Disposition"], headers["X-Content-Type-Options"]) == ("attachment", "nosniff")


@pytest.mark.parametrize(
    ("made", "kind", "status", "code"),
    [
        (b"hello", "text/plain", 415, "file_type"),
        (b"hello", "application/pdf", 415, "file_type"),
        (papers.picture("PNG"), "application/pdf", 415, "file_type_differs"),
        (b"", "application/pdf", 422, "file_empty"),
        (papers.pdf()[:-100], "application/pdf", 422, "file_damaged"),
        (lambda: papers.png_bomb(30_000, 30_000), "image/png", 422, "file_unpacks_too_large"),
        (papers.pdf(S=pikepdf.Name.JavaScript, JS="x"), "application/pdf", 422, "file_active"),
        (b"%PDF-" + bytes(FILE_BYTES_MAX), "application/pdf", 413, "file_too_large"),
    ],
)
async def test_files_that_are_not_taken_in(
    applicant: Applicant, mongo: Mongo, made: papers.Made, kind: str, status: int, code: str
) -> None:
    refused = await applicant.upload("lease", papers.content_of(made), kind)
    assert (refused.status, refused.code) == (status, code)
    assert refused.body["field"] and refused.body["zh"]
    item = next(item for item in (await applicant.see())["items"] if item["id"] == "lease")
    assert item["file"] is None and item["state"] == "missing"


async def test_packed_bodies_are_not_unpacked(applicant: Applicant) -> None:
    refused = await applicant.upload("lease", papers.pdf(), Content_Encoding="gzip")
    assert (refused.status, refused.code) == (415, "file_type")


async def test_one_file_of_an_application_at_a_time(applicant: Applicant) -> None:
    files = [papers.pdf(mark=f"{number}", pages=40) for number in range(6)]
    answers = await asyncio.gather(*(applicant.upload("lease", file) for file in files))
    statuses = sorted(answer.status for answer in answers)
    assert set(statuses) <= {200, 429} and 200 in statuses
    assert all(answer.code == "upload_under_way" for answer in answers if answer.status == 429)
    assert (await applicant.upload("lease", files[0])).status == 200


async def test_anothers_token_opens_nothing(applicant: Applicant, api: Api, key: str) -> None:
    other = await Applicant.begin(api, next(numbers))
    ways: list[tuple[str, str, Any]] = [
        ("GET", other.path, None),
        ("PUT", f"{other.path}/fields", {}),
        ("PUT", f"{other.path}/documents/lease/facts", {}),
        ("GET", f"{other.path}/documents/lease", None),
        ("POST", f"{other.path}/submit", {}),
        ("POST", f"{other.path}/withdraw", {}),
        ("POST", f"{other.path}/deposit", {"amount": 1}),
    ]
    for method, path, body in ways:
        for token in (applicant.token, "app_" + "A" * 43):
            refused = await api.with_key(token).call(method, path, body)
            assert (refused.status, refused.code) == (404, "unknown_application"), (method, path)
            missing = path.replace(other.id, "app-" + "0" * 18)
            same = await api.with_key(token).call(method, missing, body)
            assert same.body == refused.body
        for wrong in ("", key):
            refused = await api.with_key(wrong).call(method, path, body)
            assert (refused.status, refused.code) == (401, "token_missing"), (method, path)
    upload = await api.with_key(applicant.token).call(
        "PUT", f"{other.path}/documents/lease", data=papers.pdf(), Content_Type="application/pdf"
    )
    assert upload.status == 404
    assert (await other.see())["items"][0]["state"] == "missing"


async def test_a_token_is_no_key(applicant: Applicant) -> None:
    for path in ("/v1/orders", "/v1/reviews", "/v1/partners", "/v1/locations"):
        assert (await applicant.api.get(path)).code == "unknown_key"


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"kind": "friend"}, "kind", "not_allowed"),
        ({"region": "999999"}, "region", "division_unknown"),
        ({"categories": []}, "categories", "too_few"),
        ({"categories": ["food", "weapons"]}, "categories.1", "unknown_category"),
        ({"token": "mine"}, "token", "unknown_field"),
    ],
)
async def test_applications_that_make_no_sense(api: Api, changes: dict[str, Any], field: str, code: str) -> None:
    refused = await api.call("POST", "/v1/applications", {**APPLICATION, **changes}, Authorization="")
    assert refused.status == 422
    known = refused.faults if "errors" in refused.body else {refused.body["field"]: refused.body["code"]}
    assert known == {field: code}


@pytest.mark.parametrize(
    ("sent", "field", "code"),
    [
        ({"territory": {"prefixes": ["330000"]}}, "territory.prefixes.0", "wrong_prefix"),
        ({"declarations": ["company"]}, "declarations.0", "declaration_not_asked"),
        ({"signatories": []}, "signatories", "too_few"),
        ({"contact": {"name": "王", "phone": "x", "email": "a@b.cn"}}, "contact.phone", "bad_format"),
    ],
)
async def test_forms_that_make_no_sense(applicant: Applicant, sent: dict[str, Any], field: str, code: str) -> None:
    refused = await applicant.fill_in(**sent)
    assert refused.status == 422
    known = refused.faults if "errors" in refused.body else {refused.body["field"]: refused.body["code"]}
    assert known == {field: code}
    assert (await applicant.see())["fields"]["territory"] is None


async def test_forms_that_are_not_asked(api: Api, worker: None) -> None:
    supplier = await Applicant.begin(api, next(numbers), kind="supplier")
    refused = await supplier.fill_in(places=supplier.forms["places"])
    assert (refused.status, refused.code, refused.body["field"]) == (422, "form_not_asked", "places")
    unknown = await supplier.upload("lease", papers.pdf())
    assert (unknown.status, unknown.code, unknown.body["field"]) == (404, "unknown_document", "item")


async def test_nothing_is_supplied_out_of_turn(applicant: Applicant) -> None:
    await applicant.supply_all()
    await applicant.submit()
    await applicant.stands("bank")
    for refused in (
        await applicant.fill_in(company=applicant.forms["company"]),
        await applicant.upload("lease", papers.pdf(mark="new")),
        await applicant.say("lease", name="x"),
    ):
        assert (refused.status, refused.code) == (409, "not_editable")
    assert (await applicant.submit()).code == "not_at_this_stage"
    assert (await applicant.api.post(f"{applicant.path}/withdraw", {})).body["stage"] == "withdrawn"
    assert (await applicant.submit()).code == "application_over"


async def test_a_command_counts_once_under_its_key(applicant: Applicant, bank_url: str) -> None:
    await applicant.supply_all()
    await applicant.submit()
    await applicant.stands("bank")
    wrong = await applicant.amount(bank_url) % 99 + 1
    path, body = f"{applicant.path}/deposit", {"amount": wrong}
    answers = [await applicant.api.post(path, body, Idempotency_Key="one") for _ in range(4)]
    assert [answer.body["deposit"]["tries_left"] for answer in answers] == [2, 2, 2, 2]


async def test_who_applies_too_often_is_sent_away(gateway_settings: Settings, key: str) -> None:
    limits = replace(limits_of(gateway_settings), keyless_calls=Rate(1, 5))
    async with running(gateway_settings, key, limits) as api:
        wrong = {**APPLICATION, "kind": "friend"}
        answers = [await api.call("POST", "/v1/applications", wrong, Authorization="") for _ in range(20)]
    assert [answer.status for answer in answers[:5]] == [422] * 5
    late = next(answer for answer in answers if answer.status == 429)
    assert late.code == "too_many_requests" and int(late.headers["Retry-After"]) >= 1 and late.body["zh"]


async def test_who_applies_while_temporal_is_away_goes_on(
    gateway_settings: Settings, key: str, api: Api, worker: None
) -> None:
    """The application is written; the next thing that the applicant does finds a workflow for it."""
    nobody = gateway_settings.model_copy(update={"temporal_address": f"127.0.0.1:{free_port()}"})
    number = next(numbers)
    async with running(nobody, key) as without:
        cut_off = await Applicant.begin(without, number)
        assert cut_off.begun["stage"] == "draft" and "company" in cut_off.begun["missing"]
        assert (await cut_off.fill_in(company=cut_off.forms["company"])).status == 200
        assert (await cut_off.submit()).code == "workflows_unavailable"
    applicant = Applicant(api, number, {"id": cut_off.id, "token": cut_off.token, "application": cut_off.begun})
    await applicant.supply_all()
    assert (await applicant.submit()).status == 200
    await applicant.stands("bank")


def _example(api: Api, kept: Path) -> Callable[..., Awaitable[str]]:
    """The script as a newcomer runs it; `status` is what it ends with."""

    async def run(*arguments: str, status: int = 0) -> str:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(EXAMPLE / "apply.py"), "--gateway", api.url, "--kept", str(kept), *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        told, _ = await process.communicate()
        assert process.returncode == status, told.decode()
        return told.decode()

    return run


async def test_the_example_of_a_supplier_applies(
    api: Api, worker: None, mongo: Mongo, bank_url: str, tmp_path: Path
) -> None:
    kept = tmp_path / "token.json"
    run = _example(api, kept)
    assert "begin with --from" in await run(status=1)
    await run("--from", str(EXAMPLE / "supplier.json"))
    known = orjson.loads(kept.read_bytes())
    applicant = Applicant(api, 0, {**known, "application": {}})
    await applicant.stands("bank")
    applicant.forms = orjson.loads((EXAMPLE / "supplier.json").read_bytes())["fields"]
    assert "review, revision 1" in await run("--amount", str(await applicant.amount(bank_url)))
    row = await mongo.applications.find_one({"_id": known["id"]})
    assert row is not None and row["kind"] == "supplier"
    assert {item["verdict"] for item in row["standing"]["items"]} == {"passed"}


async def test_the_example_applies(api: Api, worker: None, mongo: Mongo, bank_url: str, tmp_path: Path) -> None:
    """As a newcomer runs it: apply from the file, read the statement, name the amount, send what was returned again."""
    kept = tmp_path / "token.json"
    run = _example(api, kept)
    begin = ("--from", str(EXAMPLE / "application.json"))
    await run(*begin)
    known = orjson.loads(kept.read_bytes())
    assert kept.stat().st_mode & 0o777 == 0o600
    applicant = Applicant(api, 0, {**known, "application": {}})
    await applicant.stands("bank")
    applicant.forms = orjson.loads((EXAMPLE / "application.json").read_bytes())["fields"]
    told = await run("--amount", str(await applicant.amount(bank_url)))
    assert "review, revision 1" in told
    row = await mongo.applications.find_one({"_id": known["id"]})
    assert row is not None
    bad = {item["item"]: item["verdict"] for item in row["standing"]["items"] if item["verdict"] != "passed"}
    assert bad == {}
    assert "name another file with --kept" in await run(*begin, status=1)
    returned = {"item": "lease", "decision": "return", "comment": "the last page is missing"}
    await api.post(f"/v1/applications/{known['id']}/review", returned, status=200)
    await api.post(f"/v1/applications/{known['id']}/decide", {"decision": "return"}, status=200)
    told = await run()
    assert "revision 1, because of items_returned" in told and "lease was returned: the last page is missing" in told
    assert "it waits for you, the applicant, until" in told
    assert f"{known['id']} goes on" in await run(*begin)
    assert (await applicant.stands("review"))["revision"] == 2
