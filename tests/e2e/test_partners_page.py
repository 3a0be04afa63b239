"""docs/partners.md, followed by hand: each command of the page, run as it is printed, by a newcomer in a new folder."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from infra.embedded.ports import free_port
from infra.mongo import Mongo
from infra.processes import Process
from tests.support import eventually
from workers.demo import BEHAVIOUR, demo_places, store_agents
from workers.system import System

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "partners.md"
APPLY = "python3 examples/applicant/apply.py --gateway $URL"
STAYS = ("events_nats.py", "events_http.py stream", "events_webhook.py serve")
WAYS = ("nats", "http", "webhook")
pytestmark = pytest.mark.timeout(300)


def blocks() -> Iterator[list[str]]:
    """The commands of each block of the page, with lines that go on put together."""
    tested = PAGE.read_text().partition("<!-- tested: begin -->")[2].partition("<!-- tested: end -->")[0]
    for block in re.findall(r"```sh\n(.*?)```", tested, re.DOTALL):
        lines, command = [], ""
        for line in block.splitlines():
            command += line + "\n"
            if line.endswith("\\") or command.count("'") % 2:
                continue
            lines.append(command)
            command = ""
        assert not command, f"a quotation mark is open: {command}"
        yield lines


class Newcomer:
    """In a folder of its own, with two words learned on the way."""

    def __init__(self, system: System, folder: Path) -> None:
        settings = system.settings
        self.folder = folder
        self.words: dict[str, str] = {"18080": str(free_port())}
        self.staying: list[Process] = []
        (folder / "examples").symlink_to(ROOT / "examples")
        (folder / ".venv").symlink_to(Path(sys.executable).parents[1])
        ours = {name: value for name, value in os.environ.items() if not name.startswith("TONGQU_")}
        self.environment = {
            **ours,
            "PYTHONPATH": str(ROOT),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "COLUMNS": "250",
            "TONGQU_DATA_DIR": str(system.data_dir),
            "URL": settings.require("gateway_url"),
            "KEY": settings.require("operator_key"),
            "BANK": settings.require("bank_url"),
            "NATS": settings.require("nats_url"),
        }

    def filled_in(self, command: str) -> str:
        for word, value in self.words.items():
            command = command.replace(word, value)
        return command

    async def run(self, command: str) -> str:
        process = await asyncio.create_subprocess_exec(
            "bash", "-euc", self.filled_in(command), cwd=self.folder, env=self.environment,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        out, _ = await asyncio.wait_for(process.communicate(), 120)
        assert process.returncode == 0, f"{command}\n{out.decode()}"
        return out.decode()

    def stay(self, command: str, way: str) -> None:
        arguments = ["bash", "-euc", f"cd {self.folder}; exec {self.filled_in(command)}"]
        process = Process(way, arguments, log=self.log(way), env=self.environment)
        process.start()
        self.staying.append(process)

    def log(self, way: str) -> Path:
        return self.folder / f"{way}.log"

    async def does(self, commands: list[str]) -> str:
        """What its commands have said, those that stay left out."""
        said = []
        for command in commands:
            if any(one in command for one in STAYS):
                self.stay(command, WAYS[len(self.staying)])
            elif command.startswith("export TONGQU_KEY"):
                self.environment["TONGQU_KEY"] = (self.folder / "access" / "key").read_text()
            else:
                said.append(await self.run(command))
        return "".join(said)

    async def sees(self, command: str, pattern: str) -> str:
        """What a command says that matches, asked for until it is there."""

        async def look() -> str | None:
            found = re.search(pattern, await self.run(command))
            return found.group(1) if found else None

        found = await eventually(look, timeout=60, message=f"{command} never said {pattern}")
        assert found is not None
        return found


@pytest.fixture
async def newcomer(system: System, mongo: Mongo, tmp_path: Path) -> AsyncIterator[Newcomer]:
    """With the demo's stores beside, as `make up` has them: what is the newcomer's they leave alone."""
    one = Newcomer(system, tmp_path)
    async with store_agents(system, BEHAVIOUR, places=await demo_places(mongo)) as agent:
        await eventually(lambda: "following" in agent.log_tail(), timeout=60)
        yield one
    for process in one.staying:
        await process.stop()


async def test_the_page_leads_from_the_application_to_the_first_order(newcomer: Newcomer) -> None:
    apply, review, sign, collect, hear, sell, answer = blocks()
    await newcomer.does(apply[:1])
    newcomer.words["APPLICATION"] = await newcomer.sees(APPLY, r"(app-\w+): bank")
    newcomer.words["AMOUNT"] = await newcomer.sees(apply[1], r'"amount": ?(\d+)')
    assert ": review" in await newcomer.does(apply[2:])
    assert "is at the stage agreement" in await newcomer.does(review)

    link = await newcomer.sees(sign[0], r"signs at (\S+)")
    async with aiohttp.ClientSession() as browser, browser.post(f"{link}/signature") as done:
        assert done.status == 200
    await newcomer.sees(sign[0], r": (testing)")

    said = await newcomer.does(collect[:-1])
    found = re.search(r"(partner-\w+): key and credentials", said)
    assert found
    partner = newcomer.words["PARTNER"] = found.group(1)
    newcomer.words["PLACE"] = f"{partner}-1"
    assert "2 partner.test.v1" in said
    await newcomer.sees(collect[-1], rf"{partner}.*(active)")

    await newcomer.does(hear)
    await newcomer.does(sell)

    def offered(way: str) -> bool:
        return "1 parcel.offered.v1" in newcomer.log(way).read_text()

    for way in WAYS:
        await eventually(partial(offered, way), timeout=60, message=f"nothing was offered by {way}")
    await newcomer.does(answer[:-1])
    await newcomer.sees(answer[-1], r"(accepted)")
