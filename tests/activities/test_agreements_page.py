"""The commands of docs/agreements.md are run as they stand there, on a file that all have signed."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.activities.test_agreement_document import base, signed
from workers.signature_sandbox.authority import Authority

PAGE = Path(__file__).parents[2] / "docs" / "agreements.md"


def blocks() -> list[str]:
    tested = PAGE.read_text().partition("<!-- tested: begin -->")[2].partition("<!-- tested: end -->")[0]
    return re.findall(r"```sh\n(.*?)```", tested, re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With what `tongqu partner agreement pdf` writes, and the root where a running system has it."""
    authority = Authority(tmp_path / ".tongqu" / "signatures")
    (tmp_path / "kept-agreement.pdf").write_bytes(signed(authority, base()))
    (tmp_path / "kept-draft.pdf").write_bytes(base())
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    # Stands for the command that asks a running system for the file; tests/workers/test_cli_agreements.py tries it.
    command = bin_folder / "tongqu"
    command.write_text('#!/bin/sh\nfor last; do :; done\ncp "kept-$last" "$last"\n')
    command.chmod(0o755)
    return tmp_path


def run(folder: Path, commands: str) -> subprocess.CompletedProcess[str]:
    path = f"{folder / 'bin'}:{Path(sys.executable).parent}:/usr/bin:/bin"
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", commands],
        cwd=folder,
        env={"PATH": path, "HOME": str(folder), "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=240,
    )


def test_the_page_says_how_to_verify_and_that_one_byte_is_found(folder: Path) -> None:
    assert shutil.which("pyhanko", path=str(Path(sys.executable).parent))
    validate, compare, change = blocks()
    valid = run(folder, validate)
    assert valid.returncode == 0, valid.stderr
    assert valid.stdout.count("The signature is judged VALID.") == 3
    assert valid.stdout.count("signing and form filling operations") == 2
    assert valid.stdout.count("The signature covers the entire file.") == 1
    same = run(folder, compare)
    assert same.returncode == 0, same.stderr
    changed = run(folder, change)
    assert changed.returncode == 0, changed.stdout + changed.stderr
    # And that it fails for the right reason: the same command with the exit status of the validation itself.
    found = run(folder, change.replace("! pyhanko", "pyhanko"))
    assert found.returncode == 1 and "INVALID" in found.stdout + found.stderr


def test_another_root_does_not_do(folder: Path) -> None:
    validate = blocks()[0]
    (folder / ".tongqu" / "signatures" / "ca.pem").write_bytes(Authority(folder / "other").root_pem)
    assert run(folder, validate).returncode == 1
