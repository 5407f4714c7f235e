"""The process that forks the runs: an interpreter behind walls, warm, and never told any secret.

Started by pool.py as `python -S -s -P -c ... ROOT FD OWNER WALLS`, without environment. It takes
requests from one socket, each with the file descriptors of its run, and answers on the run's own
status socket:

    request   {"limits": [...]}  with [stdin, stdout, stderr, control, status]
    answer    {"folder": what to watch} with a pidfd, once forked;
              {"exit": wait status, "cpu": s, "peak_kb": n} at the end;
              {"lost": why} at any time: the run was never in the hands of its program
    from the other side, on the status socket: anything at all, or its end: the run is killed

The program itself comes over the control channel, to the run alone: nothing of one run is ever in
the memory that the next one is forked from. When the request socket or the owner ends, however that
happened, this process ends, and with it every run. (A fork of the owner may hold a copy of the
socket; hence both.)

Not here: walls (walls.py), what a run does (driver.py).
"""

import contextlib
import fcntl
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
from typing import NamedTuple, NoReturn

from tracefactory.sandbox import driver
from tracefactory.sandbox.limits import ENVIRONMENT, Limits
from tracefactory.sandbox.namespaces import HIGH_FD
from tracefactory.sandbox.walls import WALLS, Walls

WALLS_FAILED = 125
"""Exit status of a run that could not be walled in; why, it says on the status socket."""

# What programs import most: read once here, instead of in each run.
PRELOADED = (
    "abc", "array", "bisect", "collections", "copy", "dataclasses", "datetime", "decimal", "enum",
    "fractions", "functools", "hashlib", "heapq", "io", "itertools", "json", "math", "operator",
    "queue", "random", "re", "statistics", "string", "sys", "textwrap", "time", "typing",
)  # fmt: skip


class _Run(NamedTuple):
    pid: int
    pidfd: int
    status: socket.socket
    kept: object


def main(root: str, request_fd: int, owner: int, walls_name: str) -> NoReturn:
    """Put up the walls and serve until the other side is gone."""
    walls = WALLS[walls_name]()
    fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 3)  # what opens now is not what runs have as 3
    with socket.socket(fileno=request_fd) as requests:
        for name in PRELOADED:
            importlib.import_module(name)
        try:
            walls.raise_walls()
        except OSError as error:
            requests.send(json.dumps({"refused": _said(error)}).encode())
            os._exit(1)
        os.environ.clear()
        os.environ.update(ENVIRONMENT)
        sys.path[:] = [path for path in sys.path if path != root]
        gc.collect()
        gc.freeze()
        requests.send(b'{"ready": true}')
        _serve(requests, owner, walls)
    os._exit(0)


def _said(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)


def _serve(requests: socket.socket, owner: int, walls: Walls) -> None:
    selector = selectors.DefaultSelector()
    selector.register(owner, selectors.EVENT_READ)
    selector.register(requests, selectors.EVENT_READ)
    running: set[_Run] = set()
    retired = False
    while not retired or len(selector.get_map()) > _ALWAYS_OPEN:
        for key, _ in selector.select():
            if key.fileobj == owner:
                return
            if key.fileobj is not requests:
                _on_run(selector, key, walls, running)
                continue
            data, fds, _, _ = socket.recv_fds(requests, 1 << 16, 8)
            if not data:
                return
            request = json.loads(data)
            if "retire" in request:
                retired = True
                continue
            run = _started(Limits(*request["limits"]), fds, walls)
            if run is not None:
                running.add(run)
                selector.register(run.pidfd, selectors.EVENT_READ, run)
                selector.register(run.status, selectors.EVENT_READ, run)


_ALWAYS_OPEN = 2


def _on_run(
    selector: selectors.BaseSelector, key: selectors.SelectorKey, walls: Walls, running: set[_Run]
) -> None:
    """One of a run's two descriptors has something.

    The status socket stays open until the other side closes its end: were it closed with a late
    word unread, the kernel would throw away what it had to say.
    """
    run: _Run = key.data
    if key.fileobj is run.status:
        word = b""
        with contextlib.suppress(OSError):
            word = run.status.recv(64)
        if not word:
            selector.unregister(run.status)
        if run in running:  # it is to end, or nobody waits for it any more
            walls.end(run.pid, run.kept)
    else:
        selector.unregister(run.pidfd)
        _report(run, walls)
        running.discard(run)
    if run not in running and run.status not in selector.get_map():
        run.status.close()


def _started(limits: Limits, fds: list[int], walls: Walls) -> _Run | None:
    status = socket.socket(fileno=fds[4])
    try:
        run = _forked(limits, fds, status, walls)
    except OSError as error:
        _tell(status, {"lost": _said(error)})
        status.close()
        return None
    finally:
        for fd in fds[:4]:
            os.close(fd)
    answer = json.dumps({"folder": walls.folder(run.kept)}).encode()
    with contextlib.suppress(OSError):
        socket.send_fds(status, [answer], [run.pidfd])
    return run


def _forked(limits: Limits, fds: list[int], status: socket.socket, walls: Walls) -> _Run:
    kept = walls.before_fork()
    try:
        pid = os.fork()
    except OSError:
        walls.after_fork(None, kept)
        raise
    if pid == 0:
        _become_run(limits, fds, status, walls, kept)
    walls.after_fork(pid, kept)
    return _Run(pid, os.pidfd_open(pid), status, kept)


def _tell(status: socket.socket, message: dict[str, object]) -> None:
    with contextlib.suppress(OSError):
        status.send(json.dumps(message).encode())


def _become_run(
    limits: Limits, fds: list[int], status: socket.socket, walls: Walls, kept: object
) -> NoReturn:
    try:
        signal.set_wakeup_fd(-1)
        # Above all numbers in use, so that none is overwritten before it is copied.
        copies = [fcntl.fcntl(fd, fcntl.F_DUPFD, HIGH_FD) for fd in fds[:4]]
        status = socket.socket(fileno=fcntl.fcntl(status.fileno(), fcntl.F_DUPFD_CLOEXEC, HIGH_FD))
        for target, fd in enumerate(copies):
            os.dup2(fd, target, inheritable=True)
        walls.enter(limits, kept)
    except BaseException as error:
        # The harness hears it, and takes it for a fault of the set-up.
        _tell(status, {"lost": f"a run could not be walled in: {error}"})
        os._exit(WALLS_FAILED)
    os.closerange(4, 1 << 16)
    driver.main(3)


def _report(run: _Run, walls: Walls) -> None:
    _, status, usage = os.wait4(run.pid, 0)
    message: dict[str, object] = {
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak_kb": usage.ru_maxrss,
    }
    try:
        message["exit"] = walls.clean(run.pid, status, run.kept)
    except OSError as error:
        message = {"lost": _said(error)}
    _tell(run.status, message)
    os.close(run.pidfd)
