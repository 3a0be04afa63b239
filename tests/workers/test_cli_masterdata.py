"""Master data at the terminal: what is loaded out of files is what the API then shows."""

import json
from pathlib import Path

import pytest

from tests.workers.desk import NEAR, Desk
from workers.cli.console import CommandFailed
from workers.cli.files import items_of
from workers.gateway import examples

pytestmark = pytest.mark.timeout(300)


async def test_a_policy_is_saved_edited_and_set_as_a_new_version(desk: Desk, tmp_path: Path) -> None:
    draft = tmp_path / "policy.json"
    shown = (await desk.tongqu("policy", "show", "default", "--json")).json
    draft.write_text(json.dumps({**shown, "max_parcels": 2}))
    said = await desk.tongqu("policy", "set", draft)
    assert (said.status, said.out.strip()) == (0, f"default@{shown['version'] + 1} is in force")
    assert "nothing was changed" in (await desk.tongqu("policy", "set", draft)).out
    assert "max_parcels             2" in (await desk.tongqu("policy", "show", "default")).out
    old = (await desk.tongqu("policy", "show", f"default@{shown['version']}", "--json")).json
    assert old["max_parcels"] == shown["max_parcels"]
    assert f"│ {shown['version'] + 1}" in (await desk.tongqu("policy", "list")).out


async def test_a_bad_policy_is_refused_by_field(desk: Desk, tmp_path: Path) -> None:
    draft = tmp_path / "policy.json"
    draft.write_text('{"id": "far", "regions": ["77"]}')
    said = await desk.tongqu("policy", "set", draft)
    assert said.status == 1
    assert "regions.0" in said.out
    assert "Traceback" not in said.out


async def test_carriers_are_loaded_and_listed(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "carriers.json"
    file.write_text(json.dumps(examples.CARRIERS))
    assert (await desk.tongqu("carrier", "load", file)).out.strip() == "carriers: 1 created"
    assert "shun/express" in (await desk.tongqu("carrier", "list")).out


async def test_bad_articles_are_named_by_their_place_and_the_good_ones_loaded(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "skus.ndjson"
    file.write_text("".join(json.dumps({"sku": f"pot-{n}", "weight_g": n % 1500}) + "\n" for n in range(1, 2502)))
    said = await desk.tongqu("sku", "load", file)
    assert said.status == 1
    assert "item 1500 weight_g" in said.out
    assert "skus: 2500 created, 1 refused" in said.out
    kept = await desk.mongo.skus.find_one({"_id": "pot-1501"})
    assert kept is not None
    assert kept["weight_g"] == 1


async def test_locations_are_listed_and_shown(desk: Desk) -> None:
    assert NEAR in (await desk.tongqu("location", "list", "--region", "33")).out
    said = await desk.tongqu("location", "show", NEAR)
    for words in ("Hangzhou", "open                    always", "everywhere", "Asia/Shanghai"):
        assert words in said.out, words
    assert "There is no location nowhere." in (await desk.tongqu("location", "show", "nowhere")).out


@pytest.mark.parametrize("text", ['{"skus": [{"sku": "a"}]}', '[{"sku": "a"}]', '{"sku": "a"}', '\n{"sku": "a"}\n\n'])
def test_files_may_have_any_usual_shape(tmp_path: Path, text: str) -> None:
    file = tmp_path / "any"
    file.write_text(text)
    assert items_of(file, "skus") == [{"sku": "a"}]


def test_a_line_that_is_no_json_is_named(tmp_path: Path) -> None:
    file = tmp_path / "any"
    file.write_text('{"sku": "a"}\n{"sku": \n')
    with pytest.raises(CommandFailed, match="line 2"):
        items_of(file, "skus")
