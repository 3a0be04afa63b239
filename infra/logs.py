"""What our processes say about themselves, without secrets and personal data, whoever says it and how it ends."""

import logging
import sys
import threading
import traceback
from types import TracebackType
from typing import Any

from contracts.personal import scrub

_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"
_log = logging.getLogger("tongqu")


def begin(level: int = logging.INFO) -> None:
    """Log to standard error. From now on every record of this process is scrubbed where it is made, so that it does
    not matter which library's handler writes it; and what ends the process or a thread is logged like all else."""
    logging.setLogRecordFactory(_scrubbed)
    logging.basicConfig(level=level, format=_FORMAT)
    sys.excepthook = _on_end
    threading.excepthook = lambda ended: _on_end(ended.exc_type, ended.exc_value, ended.exc_traceback)


def _scrubbed(*arguments: Any, **more: Any) -> logging.LogRecord:
    record = logging.LogRecord(*arguments, **more)
    try:
        record.msg, record.args = scrub(record.getMessage()), None
    except (TypeError, ValueError):
        # Arguments that do not fit the message: logging tells of it, with both.
        record.msg, record.args = scrub(f"{record.msg} {record.args}"), None
    if record.exc_info and record.exc_info[0] is not None:
        record.exc_text = scrub("".join(traceback.format_exception(*record.exc_info)).rstrip("\n"))
    if record.stack_info:
        record.stack_info = scrub(record.stack_info)
    return record


def _on_end(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    _log.critical("ended by an error", exc_info=(kind, error or kind(), trace))
