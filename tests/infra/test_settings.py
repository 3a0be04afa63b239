"""Where settings come from, and how a running system makes itself known."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from infra.settings import STATE_FILE, EnvironmentSettings, NotConfigured, Settings, clear_state, write_state


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.startswith("TONGQU_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TONGQU_DATA_DIR", str(tmp_path))
    return tmp_path


def test_a_running_system_gives_what_the_environment_does_not(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_state(data_dir, {"nats_url": "nats://running", "mongo_url": "mongodb://running", "mongo_database": "shop"})
    monkeypatch.setenv("TONGQU_MONGO_URL", "mongodb://mine")
    settings = Settings(batch_max=7)
    assert (settings.mongo_url, settings.nats_url) == ("mongodb://mine", "nats://running")
    assert (settings.mongo_database, settings.batch_max) == ("shop", 7)


def test_who_starts_a_system_does_not_see_another(data_dir: Path) -> None:
    write_state(data_dir, {"nats_url": "nats://running"})
    assert EnvironmentSettings().nats_url is None


def test_a_system_that_was_killed_is_not_taken_for_running(data_dir: Path) -> None:
    code = "import sys; from pathlib import Path; from infra.settings import *; "
    code += "write_state(Path(sys.argv[1]), {'nats_url': 'nats://gone'})"
    subprocess.run([sys.executable, "-c", code, str(data_dir)], check=True)
    assert (data_dir / STATE_FILE).exists()
    assert Settings().nats_url is None


def test_the_state_is_for_its_owner_only_and_goes_when_the_system_ends(data_dir: Path) -> None:
    (data_dir / STATE_FILE).touch(mode=0o644)
    write_state(data_dir, {"operator_key": "secret"})
    assert (data_dir / STATE_FILE).stat().st_mode & 0o777 == 0o600
    settings = Settings()
    assert settings.operator_key == "secret"
    assert "secret" not in repr(settings)
    clear_state(data_dir)
    assert Settings().operator_key is None


@pytest.mark.parametrize("text", ["", "no json", "[]", '{"nats_url": "nats://x"}', '{"pid": "x"}'])
def test_a_damaged_state_counts_as_none(data_dir: Path, text: str) -> None:
    (data_dir / STATE_FILE).write_text(text)
    assert Settings().nats_url is None


def test_an_unknown_address_says_how_to_set_it(data_dir: Path) -> None:
    with pytest.raises(NotConfigured, match="TONGQU_MONGO_URL"):
        Settings().require("mongo_url")


@pytest.mark.parametrize(("name", "value"), [("batch_max", 0), ("batch_max", 1001), ("gateway_port", 70_000)])
def test_values_out_of_range_are_refused(data_dir: Path, name: str, value: int) -> None:
    with pytest.raises(ValidationError, match=name):
        Settings.model_validate({name: value})
