"""Processes that are forked from one that has loaded their modules behave like those that are started."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.forking import Forked, Template
from tests.support import eventually

PROGRAMS = {
    "tells": """
import json, os, sys, loaded_once
print(json.dumps([sys.argv[1:], os.environ.get("SAID"), os.getcwd(), os.getsid(0) == os.getpid(), __name__]))
print(loaded_once.BY != os.getpid(), file=sys.stderr)
""",
    "fails": "raise ValueError('out of order')",
    "exits": "import sys\nsys.exit(3)",
    "stays": "import time\nprint('here', flush=True)\ntime.sleep(600)",
    "loaded_once": "import os\nBY = os.getpid()",
}

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="fork, and be told of an end, as Linux does")


@pytest.fixture
def template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Template]:
    for name, program in PROGRAMS.items():
        (tmp_path / f"{name}.py").write_text(program)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parents[2]}")
    template = Template.start(["loaded_once"], os.environ)
    yield template
    template.close()


class Starts:
    def __init__(self, template: Template, folder: Path) -> None:
        self.template = template
        self.log = folder / "log"

    def __call__(self, module: str, *arguments: str, **env: str) -> Forked:
        return self.template.fork(module, arguments, {**os.environ, **env}, self.log)


@pytest.fixture
def start(template: Template, tmp_path: Path) -> Starts:
    return Starts(template, tmp_path)


def test_it_has_its_arguments_environment_folder_session_and_log(start: Starts) -> None:
    assert start("tells", "one", "two", SAID="words").wait() == 0
    [told, loaded_before] = start.log.read_text().splitlines()
    assert (told, loaded_before) == (f'[["one", "two"], "words", "{os.getcwd()}", true, "__main__"]', "True")


@pytest.mark.parametrize(("module", "status"), [("exits", 3), ("fails", 1)])
def test_its_end_is_told(start: Starts, module: str, status: int) -> None:
    child = start(module)
    assert child.wait() == status
    assert child.poll() == child.wait() == status
    assert ("ValueError: out of order" in start.log.read_text()) == (module == "fails")


async def test_one_that_is_killed_says_so_and_the_others_go_on(start: Starts) -> None:
    one, other = start("stays"), start("stays")
    assert (one.poll(), other.poll()) == (None, None)
    os.killpg(one.pid, 9)
    assert one.wait() == -9
    assert other.poll() is None
    assert start("exits").wait() == 3
    os.killpg(other.pid, 15)
    assert other.wait() == -15


async def test_until_its_end_was_heard_its_id_is_no_others(start: Starts) -> None:
    child = start("stays")
    os.killpg(child.pid, 9)
    await eventually(lambda: _state(child.pid) == "Z")
    assert child.wait() == -9
    await eventually(lambda: not Path(f"/proc/{child.pid}").exists())


async def test_all_end_with_the_template(template: Template, start: Starts) -> None:
    child = start("stays")
    template.close()
    assert child.wait() == -9
    await eventually(lambda: not Path(f"/proc/{child.pid}").exists() or _state(child.pid) == "Z")


def test_what_is_read_while_a_program_is_loaded_cannot_be_given_later(template: Template) -> None:
    assert template.serves({**os.environ, "TONGQU_DATA_DIR": "elsewhere"})
    assert not template.serves({**os.environ, "LD_PRELOAD": "clock.so"})


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
