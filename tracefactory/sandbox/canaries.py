"""Programs that try to get out, run behind the very walls that later hold everything else.

The launcher lays out what must not be reached: a file in its home and one in /tmp, a variable in
its environment, three listening sockets, itself as a target of signals. It believes the program
only where the program has no reason to lie; connections, files and survivors it looks for itself.
A canary that could not be tried does not hold.
"""

import contextlib
import json
import os
import secrets
import socket
import tempfile
import threading
from collections.abc import Generator
from pathlib import Path

from tracefactory.sandbox.box import Box
from tracefactory.sandbox.limits import Limits
from tracefactory.sandbox.pool import Lost, Pool, Unavailable
from tracefactory.sandbox.rung import Canary

_LIMITS = Limits(wall_s=20.0, cpu_s=10.0, memory_mb=256, processes=16)
_FORKS = 48
"""How many the canary tries: three times what is allowed."""
_COMM_CHARS = 15
_NOT_TO_BE_WRITTEN = ("", "/usr", "/etc", "/var/tmp", "/root", "/home")
_environment = threading.Lock()

_LOOK_ABOUT = """
import json, os, socket, sys
task = json.loads(input())
def attempt(what, *args, **kwargs):
    try:
        found = what(*args, **kwargs)
        return found if isinstance(found, str) else "done"
    except BaseException as error:
        return "!" + type(error).__name__ + " " + str(getattr(error, "errno", ""))
def read(path):
    with open(path, "rb") as file:
        return "read " + str(len(file.read(1 << 16))) + " bytes of " + path
def write(path, flags=os.O_WRONLY | os.O_CREAT):
    os.close(os.open(path, flags, 0o600))
    return "opened " + path
def connect(family, address):
    with socket.socket(family) as one:
        one.settimeout(1)
        one.connect(address)
        return "connected"
def signal(pid):
    if pid == os.getpid():
        raise ProcessLookupError
    os.kill(pid, 0)
    return "could signal the launcher"
def any_of(attempts):
    return next((one for one in attempts if not one.startswith("!")), attempts[-1])
processes = ("1", "self", str(os.getppid()), str(task["pid"]))
inner = {
    "home": any_of([attempt(read, path) for path in task["files"]]),
    "environment": "in os.environ" if task["marker"] in str(os.environ) else any_of(
        [attempt(read, "/proc/" + one + "/environ") for one in processes]),
    "core_pattern": attempt(write, "/proc/sys/kernel/core_pattern", os.O_WRONLY),
    "tcp": attempt(connect, socket.AF_INET, ("127.0.0.1", task["port"])),
    "unix socket": attempt(connect, socket.AF_UNIX, task["socket"]),
    "abstract socket": attempt(connect, socket.AF_UNIX, chr(0) + task["marker"]),
    "signals": attempt(signal, task["pid"]),
    "writing": any_of([attempt(write, path) for path in task["writes"]]),
    "other runs": "found " + task["left"] if any(
        task["left"] in names + folders
        for place in ("/tmp", "/dev/shm", "/var/tmp", os.getcwd())
        for _, folders, names in os.walk(place)) else "!nothing found",
}
print(json.dumps(inner))
"""

_LEAVE_FILES = """
import json, os
left = json.loads(input())["left"]
count = 0
for place in (os.getcwd(), "/tmp", "/dev/shm"):
    try:
        open(place + "/" + left, "w").close()
        count += 1
    except OSError:
        pass
print(json.dumps({"other runs": str(count) if count else "could not write at all"}))
"""

_FORK = """
import json, os, signal
wanted = json.loads(input())["forks"]
children, refused = [], ""
try:
    for _ in range(wanted):
        pid = os.fork()
        if not pid:
            while True:
                signal.pause()
        children.append(pid)
except OSError as error:
    refused = error.strerror
said = "%d forks %s" % (len(children), refused)
print(json.dumps({"processes": "!" + said if refused else said}))
"""

_SURVIVE = """
import ctypes, json, os, time
marker = json.loads(input())["comm"]
alive, told = os.pipe()
if not os.fork():
    try:
        os.setsid()
    except OSError:
        pass
    if not os.fork():
        ctypes.CDLL(None).prctl(15, marker.encode(), 0, 0, 0)
        os.write(told, b"1")
        time.sleep(15)
    os._exit(0)
os.read(alive, 1)
print(json.dumps({"survivor": "started"}))
"""

_ALLOCATE = """
import json
size = json.loads(input())["allocate"]
try:
    held = bytearray(size)
    found = "got %d MiB" % (len(held) >> 20)
except MemoryError:
    found = "!MemoryError"
print(json.dumps({"memory": found}))
"""

NAMES = (
    "home", "environment", "core_pattern", "tcp", "unix socket", "abstract socket", "signals",
    "writing", "other runs", "processes", "survivor", "memory",
)  # fmt: skip


def examine(pool: Pool) -> tuple[Canary, ...]:
    """Run every canary; one named `start` if no run can be started at all."""
    try:
        with _laid_out() as task:
            found = _tried(pool, task)
    except Unavailable as error:
        return (Canary("start", False, str(error)),)
    return tuple(_judged(name, found.get(name)) for name in NAMES)


def _judged(name: str, said: str | None) -> Canary:
    """What begins with ! is a refusal."""
    if said is None:
        return Canary(name, False, "the canary did not finish")
    return Canary(name, said.startswith("!"), said.removeprefix("!"))


def _tried(pool: Pool, task: dict[str, object]) -> dict[str, str]:
    """What each canary said, or what the launcher saw."""
    found: dict[str, str] = {}
    left = _said(pool, _LEAVE_FILES, task).get("other runs", "")
    found |= _said(pool, _LOOK_ABOUT, task)
    if not left.isdigit():
        found["other runs"] = left or "the first run did not finish"
    for name, connected in _connections(task).items():
        if connected:
            found[name] = "connected"
    found |= _said(pool, _FORK, task)
    found |= _said(pool, _ALLOCATE, task)
    if "survivor" in _said(pool, _SURVIVE, task):
        pid = _process_called(str(task["comm"]))
        found["survivor"] = f"process {pid} goes on" if pid else "!ended with its run"
    return found


def _said(pool: Pool, program: str, task: dict[str, object]) -> dict[str, str]:
    """The program's last line; nothing if it did not come so far."""
    plain = {name: value for name, value in task.items() if not isinstance(value, socket.socket)}
    with contextlib.suppress(Lost, ValueError):
        with Box(pool, _LIMITS, json.dumps(plain).encode() + b"\n") as box:
            box.send({"job": "program", "program": program})
            text = box.finish().stdout
        answer = json.loads(text)
        return {str(name): str(value) for name, value in answer.items()}
    return {}


@contextlib.contextmanager
def _laid_out() -> Generator[dict[str, object]]:
    """Everything that is not to be reached; gone again afterwards."""
    marker = f"tfc{secrets.token_hex(6)}"[:_COMM_CHARS]
    with contextlib.ExitStack() as stack:
        folders = [Path(stack.enter_context(_folder_in(place))) for place in (_home(), "/tmp")]
        for folder in folders:
            folder.chmod(0o777)  # so that only the walls are in the way
            (folder / "canary").write_text(marker)
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        path = str(folders[1] / "socket")
        unix = stack.enter_context(_listening(path))
        Path(path).chmod(0o777)
        abstract = stack.enter_context(_listening(f"\0{marker}"))
        stack.enter_context(_variable(marker))
        writes = [str(folder / "written") for folder in folders]
        writes += [f"{place}/{marker}" for place in _NOT_TO_BE_WRITTEN]
        stack.callback(_remove, [*writes, f"/tmp/left-{marker}", f"/dev/shm/left-{marker}"])
        yield {
            "marker": marker, "comm": marker, "left": f"left-{marker}", "pid": os.getpid(),
            "files": [str(folder / "canary") for folder in folders],
            "writes": writes,
            "port": tcp.getsockname()[1], "socket": path, "forks": _FORKS, "allocate": 512 << 20,
            "tcp": tcp, "unix socket": unix, "abstract socket": abstract,
        }  # fmt: skip


def _folder_in(place: str) -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix=".tracefactory-", dir=place)


def _remove(paths: list[str]) -> None:
    """What a canary wrote that did get out."""
    for path in paths:
        with contextlib.suppress(OSError):
            os.unlink(path)


def _home() -> str:
    """The launcher's home; another place where it has none that it may write to."""
    home = os.path.expanduser("~")
    return home if os.access(home, os.W_OK | os.X_OK) else "/var/tmp"


def _listening(address: str) -> socket.socket:
    server = socket.socket(socket.AF_UNIX)
    server.bind(address)
    server.listen()
    return server


@contextlib.contextmanager
def _variable(marker: str) -> Generator[None]:
    """A variable in this process's environment, for what is started meanwhile to inherit."""
    with _environment:
        os.environ["TRACEFACTORY_CANARY"] = marker
        try:
            yield
        finally:
            os.environ.pop("TRACEFACTORY_CANARY", None)


def _connections(task: dict[str, object]) -> dict[str, bool]:
    """Who was connected to, by what waits to be accepted."""
    found: dict[str, bool] = {}
    for name, server in task.items():
        if isinstance(server, socket.socket):
            server.setblocking(False)
            try:
                server.accept()[0].close()
                found[name] = True
            except BlockingIOError:
                found[name] = False
    return found


def _process_called(name: str) -> int:
    """A process that goes by this name; 0 if none does."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/comm", encoding="utf-8") as file:
            if file.read().strip() == name:
                return int(pid)
    return 0
