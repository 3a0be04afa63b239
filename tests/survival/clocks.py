"""Wall clocks of real processes, set at any moment: a shared library between them and the C library."""

import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("clock.c")


class Clocks:
    """Every process that is started with `environment` has a clock of its own."""

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            pytest.skip("needs a C compiler")
        self._folder = folder / "clocks"
        self._folder.mkdir()
        library = folder / "clock.so"
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"], check=True)
        self.environment = {"LD_PRELOAD": str(library), "CLOCKS": str(self._folder)}

    def set_ahead(self, pid: int, hours: float) -> None:
        """Ahead of the true time; negative: behind."""
        file = self._folder / str(pid)
        assert file.exists(), f"process {pid} has no clock of its own"
        handle = os.open(file, os.O_RDWR)
        try:
            os.pwrite(handle, struct.pack("<q", int(hours * 3600)), 0)
        finally:
            os.close(handle)
