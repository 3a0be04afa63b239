"""`tongqu partner` on a running system: files of partners, and credentials that are shown once."""

from pathlib import Path

import pytest

from contracts.partnership import HeldDocument, PartnerRecord
from infra.files import keep
from tests.support import eventually
from tests.workers.desk import Desk

pytestmark = pytest.mark.timeout(300)
_PAPER = b"%PDF-1.4\nthe old one"


async def _partner(desk: Desk, name: str) -> str:
    now = desk.mongo.clock.now()
    digest = await keep(desk.mongo, _PAPER)
    record = PartnerRecord(
        id=name,
        kind="franchise",
        state="active",
        name="明月百货",
        credit_code="91330100799655058B",
        application=f"app-of-{name}",
        agreement=f"agr-of-{name}",
        agreement_until=now.replace(year=now.year + 2),
        documents=[HeldDocument(requirement="food_licence", digest=digest)],
    )
    await desk.mongo.partners.insert_one(record.as_row())
    return name


async def test_a_reviewer_writes_a_document_to_a_file_and_it_is_written_down(desk: Desk, tmp_path: Path) -> None:
    partner = await _partner(desk, "partner-with-papers")
    file = tmp_path / "licence.pdf"
    said = await desk.tongqu("partner", "file", partner, "food_licence", "--out", file)
    assert said.status == 0 and "application/pdf" in said.out, said.out
    assert file.read_bytes() == _PAPER
    assert file.stat().st_mode & 0o077 == 0
    assert await desk.mongo.audit.count_documents({"subject": partner, "did": "saw", "what": "food_licence"}) == 1
    other = tmp_path / "other.pdf"
    said = await desk.tongqu("partner", "file", partner, "lease", "--out", other)
    assert said.status == 1 and "unknown_document" in said.out
    assert not other.exists()


async def test_credentials_that_no_file_can_take_are_not_made(desk: Desk, tmp_path: Path) -> None:
    """Made first they would be lost, and the old ones with them when their time is over."""
    partner = await _partner(desk, "partner-in-turn")
    taken = tmp_path / "taken.creds"
    taken.write_text("another's")
    for path, words in ((taken, "already"), (tmp_path / "nowhere" / "new.creds", "cannot be written")):
        said = await desk.tongqu("partner", "credentials", partner, "--rotate", path)
        assert said.status == 1 and words in said.out, said.out
        said = await desk.tongqu("bus", "rotate", partner, "--out", path)
        assert said.status == 1 and words in said.out, said.out
    assert taken.read_text() == "another's"
    assert await desk.mongo.credentials.count_documents({"partner": partner}) == 0
    new = tmp_path / "new.creds"

    async def made() -> bool:
        return (await desk.tongqu("partner", "credentials", partner, "--rotate", new)).status == 0

    await eventually(made, timeout=30, message="no credentials were made")
    assert "NATS USER JWT" in new.read_text()
    assert await desk.mongo.credentials.count_documents({"partner": partner}) == 1
