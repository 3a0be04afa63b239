"""`python -m infra.forking MODULE…`: loads modules once, then forks the processes that need them.

Of the second and more that a process of ours takes to start nearly all is loading; forked from one that has loaded
everything it starts in milliseconds. It is a child of that one and not of who asked, so that a Template tells its
process id and how it ended. Linux only.
"""

import contextlib
import ctypes
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

_ORDER_BYTES = 1 << 20
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_OF_LOADER = ("LD_", "PYTHON", "MALLOC_", "GLIBC_", "OPENBLAS_", "OMP_")
"""Variables that are read as a program is loaded, so that a fork would not heed them."""


def die_with(parent: int) -> None:
    """For a new child: on Linux the kernel kills it when the thread that started it ends."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have died before the kernel was asked: then nobody would ever send the signal.
    if os.getppid() != parent:
        os._exit(1)


@dataclass(frozen=True, slots=True)
class _Order:
    module: str
    arguments: Sequence[str]
    env: Mapping[str, str]
    folder: str
    log: str


class Forked:
    """A process that a template has forked, asked like a subprocess.Popen: until somebody has been told how it ended,
    its id is no other's."""

    def __init__(self, asked: socket.socket) -> None:
        self._asked = asked
        self.pid = int(asked.recv(32))
        self._returncode: int | None = None

    def poll(self) -> int | None:
        with contextlib.suppress(BlockingIOError):
            return self._hear(socket.MSG_DONTWAIT)
        return None

    def wait(self) -> int:
        return self._hear(0)

    def _hear(self, flags: int) -> int:
        if self._returncode is None:
            # Nothing: the template has ended, and all of its children with it.
            self._returncode = int(self._asked.recv(32, flags) or -signal.SIGKILL)
            self._asked.close()
        return self._returncode


class Template:
    """A process that has loaded `modules`. It ends with `close`, and with the thread that made it."""

    def __init__(self, process: subprocess.Popen[bytes], control: socket.socket, loaded_with: dict[str, str]) -> None:
        self._process = process
        self._control = control
        self._loaded_with = loaded_with

    @classmethod
    def start(cls, modules: Sequence[str], env: Mapping[str, str]) -> Self:
        """It loads them while others go on; the first fork waits for that."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        parent = os.getpid()
        process = subprocess.Popen(
            [sys.executable, "-m", "infra.forking", str(theirs.fileno()), *modules],
            stdin=subprocess.DEVNULL,
            env=env,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
            preexec_fn=lambda: die_with(parent),
        )
        theirs.close()
        return cls(process, ours, _of_loader(env))

    def serves(self, env: Mapping[str, str]) -> bool:
        """Whether a process with this environment may be forked."""
        return _of_loader(env) == self._loaded_with

    def fork(self, module: str, arguments: Sequence[str], env: Mapping[str, str], log: Path) -> Forked:
        """What `python -m module` would start, in a session of its own. Its output goes to `log`."""
        order = _Order(module, arguments, env, os.getcwd(), str(log.absolute()))
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        socket.send_fds(self._control, [json.dumps(asdict(order)).encode()], [theirs.fileno()])
        theirs.close()
        return Forked(ours)

    def close(self) -> None:
        self._control.close()
        self._process.wait()


def _of_loader(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(_OF_LOADER)}


class _Asked:
    """Who asked for a child, and the child: `pidfd` until it has ended."""

    def __init__(self, connection: socket.socket, pid: int) -> None:
        self.connection = connection
        self.pid = pid
        self.pidfd: int | None = os.pidfd_open(pid)

    def fileno(self) -> int:
        """Readable when it has ended, and then when that was heard."""
        return self.connection.fileno() if self.pidfd is None else self.pidfd

    def ended(self) -> None:
        """Say how. It stays a zombie until that was heard."""
        assert self.pidfd is not None
        how = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        assert how is not None
        status = how.si_status if how.si_code == os.CLD_EXITED else -how.si_status
        with contextlib.suppress(OSError):
            self.connection.send(str(status).encode())
        os.close(self.pidfd)
        self.pidfd = None

    def heard(self) -> None:
        os.waitpid(self.pid, 0)
        self.close()

    def close(self) -> None:
        self.connection.close()
        if self.pidfd is not None:
            os.close(self.pidfd)


def _serve(control: socket.socket) -> _Order | None:
    """Fork as asked. Returns in each child with what it is to be, and here with None when nobody asks any more."""
    asked = selectors.DefaultSelector()
    asked.register(control, selectors.EVENT_READ)
    while True:
        for key, _ in asked.select():
            one = key.fileobj
            if not isinstance(one, _Asked):
                message, fds, _, _ = socket.recv_fds(control, _ORDER_BYTES, 1)
                if not message:
                    return None
                if _forked(asked, socket.socket(fileno=fds[0])):
                    return _Order(**json.loads(message))
                continue
            asked.unregister(one)
            if one.pidfd is None:
                one.heard()
            else:
                one.ended()
                asked.register(one, selectors.EVENT_READ)


def _forked(asked: selectors.BaseSelector, connection: socket.socket) -> bool:
    """True in the child, which holds nothing of all this any more."""
    parent = os.getpid()
    led, leads = os.pipe()
    pid = os.fork()
    if pid == 0:
        die_with(parent)
        os.setsid()
        for key in list(asked.get_map().values()):
            assert isinstance(key.fileobj, _Asked | socket.socket)
            key.fileobj.close()
        asked.close()
        connection.close()
        os.close(led)
        os.close(leads)
        return True
    os.close(leads)
    os.read(led, 1)  # Until it leads a session, so that the whole of it can be killed.
    os.close(led)
    connection.send(str(pid).encode())
    asked.register(_Asked(connection, pid), selectors.EVENT_READ)
    return False


def _become(order: _Order) -> None:
    os.chdir(order.folder)
    os.environ.clear()
    os.environ.update(order.env)
    log = os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    sys.argv = [order.module, *order.arguments]
    if not hasattr(sys.modules.get(order.module), "__path__"):
        sys.modules.pop(order.module, None)  # This one is the program, and not what others import.
    runpy.run_module(order.module, run_name="__main__", alter_sys=True)


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    for name in sys.argv[2:]:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    order = _serve(control)
    if order is not None:
        _become(order)


if __name__ == "__main__":
    main()
