"""What customer service goes by, at the terminal: saved, edited, set again; refused in words."""

import json
from pathlib import Path

import pytest

from tests.workers.desk import Desk
from workers.gateway import service_examples as examples

pytestmark = pytest.mark.timeout(300)


async def test_a_policy_is_saved_edited_and_set_as_a_new_version(desk: Desk, tmp_path: Path) -> None:
    draft = tmp_path / "policy.json"
    shown = (await desk.tongqu("case", "policy", "show", "default")).json
    draft.write_text(json.dumps({**shown, "calendar": "cn-office"}))
    said = await desk.tongqu("case", "policy", "set", draft)
    assert (said.status, said.out.strip()) == (0, f"default@{shown['version'] + 1} counts now")
    assert "nothing was changed" in (await desk.tongqu("case", "policy", "set", draft)).out
    listed = (await desk.tongqu("case", "policy", "list")).out
    assert "cn-office" in listed and "一线客服 > 专家组 > 值班主管" in listed
    assert (await desk.tongqu("case", "policy", "show", f"default@{shown['version']}")).json == shown
    # From Friday noon over the weekend, by office hours.
    asked = ("case", "deadline", "--region", "330106", "--at", "2026-11-20T18:00:00+08:00")
    assert "截止 2026-11-23 09:30" in (await desk.tongqu(*asked)).out
    assert "due 2026-11-23 09:30" in (await desk.tongqu(*asked, "--english")).out


async def test_teams_and_who_is_on_duty(desk: Desk, tmp_path: Path) -> None:
    team, rota, calendar = tmp_path / "team.json", tmp_path / "rota.json", tmp_path / "calendar.json"
    team.write_text(json.dumps(examples.TEAM))
    rota.write_text(json.dumps({**examples.ROTA, "duties": examples.ROTA["duties"][:3]}))
    calendar.write_text(json.dumps(examples.CALENDAR))
    assert (await desk.tongqu("case", "team", "set", team)).out.strip() == "south-line@1 counts now"
    refused = await desk.tongqu("case", "rota", "set", rota)
    assert refused.status == 1 and "duties: Nobody is on duty from" in refused.out and "Traceback" not in refused.out
    rota.write_text(json.dumps(examples.ROTA))
    assert (await desk.tongqu("case", "rota", "set", rota)).status == 0
    assert (await desk.tongqu("case", "calendar", "set", calendar)).status == 0
    for what, words in (("team", "cantonese"), ("rota", "2 days"), ("calendar", "09:00-12:00, 13:00-21:00")):
        assert words in (await desk.tongqu("case", what, "list")).out
    now = (await desk.tongqu("case", "rota", "now", "--at", "2026-11-23T10:00:00+08:00")).out
    assert "s-1001 until 2026-11-23 12:00:00" in now and "never" in now
    assert "There is no rota nobody." in (await desk.tongqu("case", "rota", "show", "nobody")).out
