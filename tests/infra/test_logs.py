"""Whatever a process logs, and however it ends, its log tells no secret. Each in a process of its own."""

import asyncio
import sys
from pathlib import Path

from tests.contracts.test_personal import SECRETS

_SAYS = """
import logging, sys, threading
from infra.runtime import prepare
prepare()
secret = sys.argv[1]
log = logging.getLogger("some.library")
own = logging.StreamHandler()
own.setFormatter(logging.Formatter("own %(message)s"))
log.addHandler(own)
log.warning("first %s", secret)
log.warning("second " + secret)
log.error("third %s %s", secret)
log.error({"fourth": secret})
try:
    raise ValueError(f"fifth {secret}") from KeyError(secret)
except ValueError:
    log.exception("it failed")
threading.Thread(target=lambda: int(f"sixth {secret}")).start()
log.warning("stack", stack_info=True)
raise RuntimeError(f"seventh {secret}")
"""


async def _said(secret: str, tmp_path: Path) -> str:
    script = tmp_path / "says.py"
    script.write_text(_SAYS)
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), secret, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await process.communicate()
    assert process.returncode == 1
    return out.decode()


async def test_no_secret_is_logged_by_whatever_way(tmp_path: Path) -> None:
    text = " | ".join(text for text, _ in SECRETS if "PRIVATE" not in text)
    said = await _said(text, tmp_path)
    for _, secret in SECRETS:
        assert secret not in said, secret
    for place in ("first", "second", "third", "'fourth'", "fifth", "sixth", "seventh"):
        assert place in said
    assert "own first" in said
    assert "Logging error" not in said


async def test_a_private_key_and_personal_data_are_not_logged(tmp_path: Path) -> None:
    [key] = [text for text, _ in SECRETS if "PRIVATE" in text]
    said = await _said(f"13812341234 wang@example.com 11010519491231002X\n{key}", tmp_path)
    for secret in ("13812341234", "wang@example.com", "11010519491231002X", "kqhkiG9w0"):
        assert secret not in said
    assert "138****1234" in said
