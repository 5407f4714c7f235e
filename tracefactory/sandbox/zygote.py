"""The process that forks the runs: an interpreter behind walls, warm, and never told any secret.

Started by pool.py as `python -S -s -P -c ... ROOT FD WALLS`, without environment. It takes requests from
one socket, each with the file descriptors of its run, and answers on the run's own status socket:

    request   {"limits": [...]}  with [stdin, stdout, stderr, control, status]
    answer    {"pid": n} with a pidfd, once forked; {"exit": wait status, "cpu": s, "peak_kb": n}
    from the other side, on the status socket: anything at all, or its end: the run is killed

The program itself comes over the control channel, to the run alone: nothing of one run is ever in
the memory that the next one is forked from. When the request socket ends (its owner is gone,
however that happened), this process ends, and with it every run.

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
from tracefactory.sandbox.limits import Limits
from tracefactory.sandbox.walls import ENVIRONMENT, HIGH_FD, WALLS, Walls

WALLS_FAILED = 125
"""Exit status of a run that could not be walled in; what else it says comes by the channel."""

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


def main(root: str, request_fd: int, walls_name: str) -> NoReturn:
    """Put up the walls and serve until the other side is gone."""
    walls = WALLS[walls_name]()
    with socket.socket(fileno=request_fd) as requests:
        for name in PRELOADED:
            importlib.import_module(name)
        try:
            walls.raise_walls()
        except OSError as error:
            requests.send(json.dumps({"refused": str(error)}).encode())
            os._exit(1)
        os.environ.clear()
        os.environ.update(ENVIRONMENT)
        sys.path[:] = [path for path in sys.path if path != root]
        gc.collect()
        gc.freeze()
        requests.send(b'{"ready": true}')
        _serve(requests, walls)
    os._exit(0)


def _serve(requests: socket.socket, walls: Walls) -> None:
    selector = selectors.DefaultSelector()
    selector.register(requests, selectors.EVENT_READ)
    running, retired = 0, False
    while running or not retired:
        for key, _ in selector.select():
            if key.fileobj is requests:
                data, fds, _, _ = socket.recv_fds(requests, 1 << 16, 8)
                if not data:
                    return
                request = json.loads(data)
                if "retire" in request:
                    retired = True
                    continue
                run = _started(Limits(*request["limits"]), fds, walls)
                if run is not None:
                    running += 1
                    selector.register(run.pidfd, selectors.EVENT_READ, run)
                    selector.register(run.status, selectors.EVENT_READ, run)
                continue
            run = key.data
            if key.fileobj is run.status:  # it is to end, or nobody waits for it any more
                selector.unregister(run.status)
                with contextlib.suppress(OSError):
                    run.status.recv(64)  # else its close would be an error to the other side
                walls.end(run.pid, run.kept)
            else:
                selector.unregister(run.pidfd)
                with contextlib.suppress(KeyError):
                    selector.unregister(run.status)
                _report(run, walls)
                running -= 1


def _started(limits: Limits, fds: list[int], walls: Walls) -> _Run | None:
    status = socket.socket(fileno=fds[4])
    try:
        kept = walls.before_fork()
        pid = os.fork()
    except OSError as error:
        with contextlib.suppress(OSError):
            status.send(json.dumps({"lost": str(error)}).encode())
        status.close()
        for fd in fds[:4]:
            os.close(fd)
        return None
    if pid == 0:
        _become_run(limits, fds, walls, kept)
    walls.after_fork(kept)
    pidfd = os.pidfd_open(pid)
    for fd in fds[:4]:
        os.close(fd)
    with contextlib.suppress(OSError):
        socket.send_fds(status, [json.dumps({"pid": pid}).encode()], [pidfd])
    return _Run(pid, pidfd, status, kept)


def _become_run(limits: Limits, fds: list[int], walls: Walls, kept: object) -> NoReturn:
    try:
        signal.set_wakeup_fd(-1)
        # Above all numbers in use, so that none is overwritten before it is copied.
        copies = [fcntl.fcntl(fd, fcntl.F_DUPFD, HIGH_FD) for fd in fds[:4]]
        for target, fd in enumerate(copies):
            os.dup2(fd, target, inheritable=True)
        walls.enter(limits, kept)
        os.closerange(4, 1 << 16)
    except BaseException as error:
        # The harness hears it, and takes it for a fault of the set-up.
        with contextlib.suppress(BaseException):
            os.write(3, json.dumps({"end": "walls", "error": str(error)}).encode() + b"\n")
        os._exit(WALLS_FAILED)
    driver.main(3)


def _report(run: _Run, walls: Walls) -> None:
    _, status, usage = os.wait4(run.pid, 0)
    walls.clean(run.pid, run.kept)
    message = {
        "exit": status,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak_kb": usage.ru_maxrss,
    }
    with contextlib.suppress(OSError):
        run.status.send(json.dumps(message).encode())
    run.status.close()
    os.close(run.pidfd)
