"""The processes in which forecasts are reckoned. They load this module and what they reckon with, and no more: what
begins them is a `__main__`, which Python leaves out there."""

import os
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process

_FORECASTERS = 2
_CHUNKS_PER_PROCESS = 50


def forecasters() -> ProcessPoolExecutor:
    """Begun anew and not forked, because a process with threads of its own may not be; each lives for so many chunks
    that it gives back what its libraries keep."""
    most = max(1, min(_FORECASTERS, os.cpu_count() or 1))
    return ProcessPoolExecutor(
        most, mp_context=get_context("spawn"), initializer=_end_with_parent, max_tasks_per_child=_CHUNKS_PER_PROCESS
    )


def _end_with_parent() -> None:
    """A process that is killed tells nothing to those that it forecasts in: they would wait for work for ever, with all
    their memory."""
    parent = parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
