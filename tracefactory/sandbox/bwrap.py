"""The rung that stands on another program: bubblewrap, started anew for each run.

The same promises as namespaces.py, made by code that others wrote and many use; slower, since each
run starts an interpreter. `enter` replaces the run by bwrap, whose child limits itself and starts
the driver. bwrap has no environment of ours, and writes to a pipe of the zygote alone whether the
child was started at all: else a refused mount would look like a program that failed.

bwrap says of a child that signal N ended that it ended with 128 + N, and so does a child that says
so itself: those two are taken for one.
"""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
from typing import NamedTuple, NoReturn

from tracefactory.sandbox.bundle import UNPACK, sources_json
from tracefactory.sandbox.family import adopt, children, go_on_in_child, kill
from tracefactory.sandbox.interpreter import (
    DEVICES,
    SHORT_NAMES,
    interpreter,
    interpreter_for_nobody,
)
from tracefactory.sandbox.limits import ENVIRONMENT, Limits
from tracefactory.sandbox.rights import NOBODY, give_up_root
from tracefactory.sandbox.seccomp import box_filter

_CODE_FD, _SECCOMP_FD, _STATUS_FD = 4, 5, 6
_FIRST_SIGNAL_CODE = 128
_PROBE_LIMIT_S = 30.0
_BOOT = (
    UNPACK
    + f"""
import json, os
data, limits = b"", sys.argv[1]
while part := os.pread({_CODE_FD}, 1 << 20, len(data)):
    data += part
os.closerange({_CODE_FD}, 1 << 10)
for name in ("PYTHONHASHSEED", "LD_LIBRARY_PATH", "PWD"):
    os.environ.pop(name, None)
unpack(json.loads(data))
from tracefactory.sandbox import driver
from tracefactory.sandbox.limits import Limits, set_limits
limits = Limits(*json.loads(limits))
set_limits(limits, limits.processes)
driver.main(3)
"""
)


class _Kept(NamedTuple):
    """The pipe through which bwrap says what became of its child."""

    reading: int
    writing: int


class Bubblewrap:
    """The rung `bwrap`."""

    def raise_walls(self) -> None:
        """Find bwrap, learn what it can do here, become nobody."""
        program = shutil.which("bwrap", path="/usr/bin:/bin:/usr/local/bin")
        if program is None:
            raise OSError(2, "bwrap: not found; it is Debian's and Ubuntu's package bubblewrap")
        self._program = program
        prefix, readable = interpreter_for_nobody()
        self._python = [interpreter(prefix), "-S", "-s", "-P", "-B", "-c"]
        own = {"PYTHONHASHSEED": "0", "LD_LIBRARY_PATH": f"{prefix}/lib"}
        self._environment = ENVIRONMENT | own
        self._code = _sealed(sources_json())  # while this may read a home that only root may enter
        go_on_in_child()
        give_up_root()
        adopt()
        self._options = self._that_work(readable)
        self._running: set[int] = set()

    def before_fork(self) -> object:
        """A pipe that only bwrap itself writes to."""
        return _Kept(*os.pipe2(os.O_CLOEXEC))

    def folder(self, kept: object) -> str:
        """None: its /tmp has a size."""
        return ""

    def after_fork(self, pid: int | None, kept: object) -> None:
        """Only bwrap may hold the end that is written."""
        assert isinstance(kept, _Kept)
        os.close(kept.writing)
        if pid is None:
            os.close(kept.reading)
        else:
            self._running.add(pid)

    def enter(self, limits: Limits, kept: object) -> NoReturn:
        """Become bwrap."""
        assert isinstance(kept, _Kept)
        program, seccomp = os.pipe2(os.O_CLOEXEC)
        os.write(seccomp, box_filter())
        os.close(seccomp)
        _only(self._code, program, kept.writing)
        arguments = [
            self._program, "--size", str(limits.disk_mb << 20), "--tmpfs", "/tmp", *self._options,
            "--seccomp", str(_SECCOMP_FD), "--json-status-fd", str(_STATUS_FD), "--",
            *self._python, _BOOT, json.dumps(list(limits)),
        ]  # fmt: skip
        os.execve(self._program, arguments, self._environment)

    def end(self, pid: int, kept: object) -> None:
        """Kill the first process of the namespace, so that bwrap sees it end; else bwrap."""
        for inner in children(pid) or [pid]:
            kill(inner)

    def clean(self, pid: int, status: int, kept: object) -> int:
        """What is left if bwrap itself was killed; then what it said."""
        assert isinstance(kept, _Kept)
        with os.fdopen(kept.reading, "rb") as file:
            said = file.read()
        self._reap_orphans()
        self._running.discard(pid)
        code = os.waitstatus_to_exitcode(status)
        if code > 0 and b'"exit-code"' not in said:
            raise OSError(5, f"bwrap did not start the program (exit code {code})")
        number = code - _FIRST_SIGNAL_CODE
        return number if number in signal.valid_signals() else status

    def _reap_orphans(self) -> None:
        """End and wait for what a killed bwrap left to us."""
        for pid in set(children(os.getpid())) - self._running:
            kill(pid)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)

    def _that_work(self, readable: list[str]) -> list[str]:
        """The options for every run: a further lock where bwrap knows it and it works here.

        Raises:
            OSError: bwrap cannot limit /tmp, or does not work at all.
        """
        known = _output([self._program, "--help"], {})
        if "--size " not in known:
            raise OSError(38, "bwrap: too old, it knows no --size; 0.7 or newer is needed")
        refused = OSError(1, "bwrap: refused")
        for more in (["--disable-userns"], []):
            options = _options(readable, more)
            try:
                if not more or more[0] in known:
                    command = [self._program, "--tmpfs", "/tmp", *options, "--", *self._python, ""]
                    _output(command, self._environment)
                    return options
            except OSError as error:
                refused = error
        raise refused


def _options(readable: list[str], more: list[str]) -> list[str]:
    """The command line, but for /tmp and the program."""
    found = [
        "--unshare-all", "--unshare-user", *more, "--uid", str(NOBODY), "--gid", str(NOBODY),
        "--cap-drop", "ALL", "--new-session", "--die-with-parent", "--as-pid-1",
        "--dir", "/proc", "--dir", "/etc", "--dir", "/dev", "--symlink", "/tmp", "/dev/shm",
    ]  # fmt: skip
    for name in DEVICES:
        found += ["--dev-bind", f"/dev/{name}", f"/dev/{name}"]
    for name in SHORT_NAMES:
        if os.path.islink(f"/{name}"):
            found += ["--symlink", os.readlink(f"/{name}"), f"/{name}"]
        elif os.path.isdir(f"/{name}"):
            found += ["--ro-bind", f"/{name}", f"/{name}"]
    for path in readable:
        found += ["--ro-bind", path, path]
    return [*found, "--remount-ro", "/", "--chdir", "/tmp"]


def _output(command: list[str], environment: dict[str, str]) -> str:
    """What it prints.

    Raises:
        OSError: it failed.
    """
    try:
        done = subprocess.run(
            command, env=environment, cwd="/", stdin=subprocess.DEVNULL, capture_output=True,
            timeout=_PROBE_LIMIT_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise OSError(110, f"bwrap: no answer in {_PROBE_LIMIT_S:g} s") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise OSError(1, said or f"bwrap: exit code {done.returncode}")
    return done.stdout.decode(errors="replace")


def _sealed(data: bytes) -> int:
    """A file in memory that nobody can change any more."""
    fd = os.memfd_create("box", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(fd, data)
    seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    return fd


def _only(*fds: int) -> None:
    """Keep 0 to 3 and these, as 4 and what follows; they go along to the next program."""
    copies = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 1 << 8) for fd in fds]
    for target, fd in enumerate(copies, _CODE_FD):
        os.dup2(fd, target, inheritable=True)
    os.closerange(_CODE_FD + len(fds), os.sysconf("SC_OPEN_MAX"))
