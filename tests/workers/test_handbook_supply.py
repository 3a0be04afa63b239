"""What the handbook says of files and replies of buying is what the system takes, word for word."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import BaseModel

from contracts.promotions import PromotionUpsert
from contracts.replenishing import RegionUpsert
from contracts.supply import SourcingUpsert
from workers.reply_forms import Received, read

DOCS = Path(__file__).parents[2] / "docs"
FILES: dict[str, type[BaseModel]] = {"east": RegionUpsert, "sourcing": SourcingUpsert, "plans": PromotionUpsert}


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_the_handbook_is_taken(name: str) -> None:
    page = (DOCS / "supply.md").read_text(encoding="utf-8").replace("partner-…", "partner-01kjt3w9x8c4m2p7q5")
    [text] = re.findall(rf"`{name}\.json`[^\n]*\n\n```json\n(.*?)```", page, re.DOTALL)
    content = json.loads(text)
    for row in content if isinstance(content, list) else [content]:
        FILES[name].model_validate(row)


def test_replies_and_reports_of_the_handbook_are_taken() -> None:
    page = (DOCS / "buying.md").read_text(encoding="utf-8")
    bodies = re.findall(r"-d '(\{.*?\})'\n", page, re.DOTALL)
    said = [read(Received("PARTNER", 1, datetime.now(UTC), body.encode())) for body in bodies]
    assert [len(one.purchases) for one in said] == [3, 0] and [len(one.supplies) for one in said] == [0, 1]
    assert not [refused for one in said for refused in one.refused]
    assert [one.reply.kind for one in said[0].purchases] == ["countered", "shipped", "declined"]
    assert len(said[1].supplies[0].items) == 1
