r"""What keeps a run in: each rung of the ladder that needs no other program, as a pair of steps.

`raise_walls` is done once, by the process that later forks the runs; `enter` by each run, between
its fork and its program.

    Namespaces   a root file system of its own (the interpreter and /usr, read-only; nothing else of
                 the host), an empty network, and for each run new user, process, mount and IPC
                 namespaces with a fresh /tmp. The kernel ends all processes of a run with its first
    Landlock     for kernels that refuse user namespaces: file access by Landlock, processes held
                 together by their group, which no call can leave
    Nothing      no walls at all, only limits; never chosen unless asked for by name

On top come no capabilities, no_new_privs, the filter of seccomp.py and resource limits, always.

Not here: running a program (driver.py), deciding which rung works (ladder.py).
"""

import contextlib
import fcntl
import hashlib
import os
import resource
import shutil
import signal
import stat
import struct
import sys
import tempfile
from pathlib import Path
from typing import Protocol

from tracefactory.sandbox import syscalls as call
from tracefactory.sandbox.limits import Limits, set_limits
from tracefactory.sandbox.seccomp import box_filter

NOBODY = 65534
HIGH_FD = 200
"""File descriptors from here on are the zygote's; a run closes them."""
_DEVICES = ("null", "zero", "full", "random", "urandom")
_KEPT_FLAGS = {
    # statvfs flag: mount flag. A user namespace may not take them away from a mount.
    2: call.MS_NOSUID, 4: call.MS_NODEV, 8: call.MS_NOEXEC, 1024: 1024, 2048: 2048, 4096: 1 << 21,
}  # fmt: skip
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "TMPDIR": "/tmp", "LC_ALL": "C.UTF-8"}


class Walls(Protocol):
    """One rung; lives in the zygote."""

    def raise_walls(self) -> None:
        """Once, before anything untrusted exists. Forks if it has to: goes on in the child."""

    def before_fork(self) -> object:
        """In the zygote, before each run; what it returns `enter` and `after` get."""

    def after_fork(self, kept: object) -> None:
        """In the zygote, once the run is forked."""

    def enter(self, limits: Limits, kept: object) -> None:
        """In the run, as its first act."""

    def end(self, pid: int, kept: object) -> None:
        """In the zygote: kill the run and all that it started."""

    def clean(self, pid: int, kept: object) -> None:
        """In the zygote, after the run's first process was waited for: leave nothing of it."""


def give_up_root() -> None:
    """Become nobody, if this is root: to the kernel, root in a box is root."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        call.prctl(call.PR_SET_DUMPABLE, 1)  # else /proc/self belongs to root


def readable_paths() -> list[str]:
    """What of the host a program may read: /usr, and the interpreter if it lives elsewhere."""
    found = ["/usr"]
    for prefix in (sys.base_prefix, sys.base_exec_prefix):
        path = os.path.realpath(prefix)
        if path != "/" and not any(path == one or path.startswith(one + "/") for one in found):
            found.append(path)
    return found


def interpreter_for_nobody() -> list[str]:
    """The readable paths; if root's interpreter stands where nobody else may go, a copy instead.

    sys.path then names the copy, so that this process and its forks import from there.
    """
    paths = readable_paths()
    closed = [path for path in paths if os.getuid() == 0 and not _open_to_all(path)]
    if not closed:
        return paths
    folder = _copied_interpreter()
    sys.path[:] = [path.replace(os.path.realpath(sys.base_prefix), folder) for path in sys.path]
    return [path for path in paths if path not in closed] + [folder]


def _copied_interpreter() -> str:
    """The interpreter and its library where all may read them; made once for each interpreter."""
    key = hashlib.sha256(f"{sys.base_prefix}\0{sys.version}".encode()).hexdigest()[:16]
    folder = f"/tmp/tracefactory-python-{key}"
    with contextlib.suppress(FileNotFoundError):
        found = os.lstat(folder)
        if stat.S_ISDIR(found.st_mode) and found.st_uid == 0 and not found.st_mode & 0o022:
            return folder
        raise OSError(17, f"{folder} exists and is not root's: remove it")
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    fresh = tempfile.mkdtemp(prefix="tracefactory-python-", dir="/tmp")
    shutil.copytree(
        f"{sys.base_prefix}/lib/{name}", f"{fresh}/lib/{name}", symlinks=True,
        ignore=shutil.ignore_patterns("site-packages", "test", "idlelib", "tkinter", "ensurepip"),
    )  # fmt: skip
    for library in Path(sys.base_prefix, "lib").glob("libpython*.so*"):
        shutil.copy2(library, f"{fresh}/lib/{library.name}")
    os.mkdir(f"{fresh}/bin")
    shutil.copy2(f"{sys.base_prefix}/bin/{name}", f"{fresh}/bin/{name}")
    os.chmod(fresh, 0o755)
    try:
        os.rename(fresh, folder)
    except OSError:  # another process was first
        shutil.rmtree(fresh, ignore_errors=True)
    return folder


def _open_to_all(path: str) -> bool:
    """May every user enter the folder and all above it?"""
    parts = Path(path)
    return all(os.stat(part).st_mode & 0o001 for part in (parts, *parts.parents))


class Namespaces:
    """The default rung."""

    def raise_walls(self) -> None:
        """Leave all namespaces of the host; goes on as the first process of a new one."""
        # The host's /proc, for what a run must write about itself; no run inherits it.
        self._proc = _high(os.open("/proc", os.O_PATH | os.O_DIRECTORY))
        built = os.getuid() == 0 and _built_by_root()
        readable = [] if built else interpreter_for_nobody()
        give_up_root()
        user, group = os.getuid(), os.getgid()
        call.unshare(
            call.CLONE_NEWUSER | call.CLONE_NEWNS | call.CLONE_NEWNET | call.CLONE_NEWIPC
            | call.CLONE_NEWUTS | call.CLONE_NEWPID | call.CLONE_NEWCGROUP
        )  # fmt: skip
        _map_ids(self._proc, user, group)
        child = os.fork()
        if child:
            _wait_for(child)
        call.die_with_parent(signal.SIGKILL)
        self._pids = _high(os.open("self/ns/pid", os.O_RDONLY, dir_fd=self._proc))
        if not built:
            _build_root(readable)

    def before_fork(self) -> object:
        """The next child is the first process of its own namespace."""
        call.unshare(call.CLONE_NEWPID)
        return None

    def after_fork(self, kept: object) -> None:
        """Later children are not in it."""
        call.setns(self._pids, call.CLONE_NEWPID)

    def enter(self, limits: Limits, kept: object) -> None:
        """New user, mount and IPC namespaces, a fresh /tmp, no rights."""
        user, group = os.getuid(), os.getgid()
        call.unshare(call.CLONE_NEWUSER | call.CLONE_NEWNS | call.CLONE_NEWIPC)
        _map_ids(self._proc, user, group)
        call.mount(
            "tmpfs", "/tmp", "tmpfs", call.MS_NOSUID | call.MS_NODEV,
            f"size={limits.disk_mb}m,nr_inodes=4096,mode=0700",
        )  # fmt: skip
        os.chdir("/tmp")
        set_limits(limits, limits.processes)
        _without_rights(box_filter())

    def end(self, pid: int, kept: object) -> None:
        """The kernel ends the rest of the namespace."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def clean(self, pid: int, kept: object) -> None:
        """Nothing: all of it went with the namespaces."""


def _high(fd: int) -> int:
    """The same file under a number that a run's own files do not take."""
    high = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, HIGH_FD)
    os.close(fd)
    return high


def _wait_for(child: int) -> None:
    """Stay as the parent of the first process until it ends."""
    os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    _, status = os.waitpid(child, 0)
    os._exit(os.waitstatus_to_exitcode(status) & 255)


def _map_ids(proc: int, user: int, group: int) -> None:
    """This user and group are nobody in the new user namespace, and nobody else exists."""
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{NOBODY} {user} 1"),
        ("gid_map", f"{NOBODY} {group} 1"),
    ):
        fd = os.open(f"self/{name}", os.O_WRONLY, dir_fd=proc)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)


def _built_by_root() -> bool:
    """Build the root while this is still root, who may enter any home; False if it may not."""
    try:
        call.unshare(call.CLONE_NEWNS)
    except OSError:  # root in a container often is no master of mounts
        return False
    _build_root(readable_paths())
    return True


def _build_root(readable: list[str]) -> None:
    """A root that holds the readable paths, five devices and an empty /tmp, /proc and /dev/shm."""
    call.mount("none", "/", "", call.MS_REC | call.MS_PRIVATE)
    base = "/tmp"
    links = {name: os.readlink(f"/{name}") for name in _SHORT_NAMES if os.path.islink(f"/{name}")}
    folders = [
        f"/{name}" for name in _SHORT_NAMES if name not in links and os.path.isdir(f"/{name}")
    ]
    fds = {path: os.open(path, os.O_PATH) for path in (*readable, *folders)}
    devices = {name: os.open(f"/dev/{name}", os.O_PATH) for name in _DEVICES}
    call.mount("tmpfs", base, "tmpfs", call.MS_NOSUID | call.MS_NODEV, "size=1m,mode=0755")
    for path, fd in fds.items():
        os.makedirs(base + path, exist_ok=True)
        _bind(fd, base + path, read_only=True)
    for name, target in links.items():
        os.symlink(target, f"{base}/{name}")
    for folder in ("tmp", "proc", "dev", "etc", ".host"):
        os.mkdir(f"{base}/{folder}")
    for name, fd in devices.items():
        Path(f"{base}/dev/{name}").touch()
        _bind(fd, f"{base}/dev/{name}", read_only=False)
    os.symlink("/tmp", f"{base}/dev/shm")
    for fd in (*fds.values(), *devices.values()):
        os.close(fd)
    os.chdir(base)
    call.pivot_root(".", ".host")
    os.chdir("/")
    call.umount("/.host", call.MNT_DETACH)
    os.rmdir("/.host")
    call.mount(
        "none",
        "/",
        "",
        call.MS_REMOUNT | call.MS_BIND | call.MS_RDONLY | call.MS_NOSUID | call.MS_NODEV,
    )


_SHORT_NAMES = ("bin", "sbin", "lib", "lib32", "lib64")


def _bind(fd: int, target: str, *, read_only: bool) -> None:
    call.mount(f"/proc/self/fd/{fd}", target, "", call.MS_BIND | call.MS_REC)
    flags = call.MS_BIND | call.MS_REMOUNT | call.MS_NOSUID | (call.MS_RDONLY if read_only else 0)
    now = os.statvfs(target).f_flag
    for seen, kept in _KEPT_FLAGS.items():
        flags |= kept if now & seen else 0
    call.mount("none", target, "", flags)


def _without_rights(program: bytes) -> None:
    call.drop_capabilities()
    call.prctl(call.PR_SET_NO_NEW_PRIVS, 1)
    call.seccomp(program)


# Landlock's bits of access to files: execute 1, write 2, read 4, list 8; how many a version knows.
_READING, _READ_AND_WRITE = 0b1101, 0b110
_ACCESSES = {1: 13, 2: 14, 3: 15, 4: 15}
_ALL_ACCESSES = 16
_ABI_WITH_NETWORK, _ABI_WITH_SCOPES = 4, 6


def _lock_files(abi: int, readable: list[str], folder: str) -> None:
    """Only reading beneath the readable paths, anything beneath the folder; no TCP, no signals out."""
    every = (1 << _ACCESSES.get(abi, _ALL_ACCESSES)) - 1
    fields = 1 + (abi >= _ABI_WITH_NETWORK) + (abi >= _ABI_WITH_SCOPES)
    handled = struct.pack("=QQQ", every, 3, 3)[: 8 * fields]
    short = [f"/{name}" for name in _SHORT_NAMES if os.path.isdir(f"/{name}")]
    rules = [(_READING, path) for path in (*readable, *short)]
    rules += [(_READ_AND_WRITE, f"/dev/{name}") for name in _DEVICES]
    call.landlock(handled, [*rules, (every, folder)])


class Landlock:
    """Without namespaces."""

    def raise_walls(self) -> None:
        """Nothing that the runs could not do for themselves."""
        self._abi = call.landlock_abi()
        if not self._abi:
            raise OSError(38, "landlock: the kernel has none")
        child = os.fork()
        if child:
            _wait_for(child)
        call.die_with_parent(signal.SIGKILL)
        self._readable = interpreter_for_nobody()
        give_up_root()
        call.prctl(call.PR_SET_CHILD_SUBREAPER, 1)
        self._others = _processes_of_user()

    def before_fork(self) -> object:
        """A folder for what the run writes."""
        return tempfile.mkdtemp(prefix="tracefactory-box-", dir="/tmp")

    def after_fork(self, kept: object) -> None:
        """Nothing."""

    def enter(self, limits: Limits, kept: object) -> None:
        """A process group of its own that nothing leaves, and the file system beneath two roots."""
        os.setsid()
        os.chdir(str(kept))
        os.environ.update({"HOME": str(kept), "TMPDIR": str(kept)})
        set_limits(limits, self._others + limits.processes)
        call.drop_capabilities()
        call.prctl(call.PR_SET_NO_NEW_PRIVS, 1)
        _lock_files(self._abi, self._readable, str(kept))
        call.seccomp(box_filter(namespaces=False, signals=self._abi >= _ABI_WITH_SCOPES))

    def end(self, pid: int, kept: object) -> None:
        """Kill the group."""
        _kill_group(pid)

    def clean(self, pid: int, kept: object) -> None:
        """Kill and wait for what is left of the group; then its folder goes."""
        _end_group(pid, str(kept))


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _end_group(pid: int, folder: str) -> None:
    """Kill the group, wait for all of it (they are our children now), remove the folder."""
    _kill_group(pid)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitid(os.P_PGID, pid, os.WEXITED)
            _kill_group(pid)
    shutil.rmtree(folder, ignore_errors=True)


def _processes_of_user() -> int:
    """How many threads this user has already: the kernel counts them all together."""
    user, count = os.getuid(), 0
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if entry.stat().st_uid == user:
                    count += len(os.listdir(f"{entry.path}/task"))
    return count


class Nothing:
    """No walls; see the module."""

    def raise_walls(self) -> None:
        """Nothing."""
        child = os.fork()
        if child:
            _wait_for(child)
        call.die_with_parent(signal.SIGKILL)
        call.prctl(call.PR_SET_CHILD_SUBREAPER, 1)

    def before_fork(self) -> object:
        """A folder for what the run writes."""
        return tempfile.mkdtemp(prefix="tracefactory-unsafe-", dir="/tmp")

    def after_fork(self, kept: object) -> None:
        """Nothing."""

    def enter(self, limits: Limits, kept: object) -> None:
        """Limits only."""
        os.setsid()
        os.chdir(str(kept))
        set_limits(limits, resource.getrlimit(resource.RLIMIT_NPROC)[1])

    def end(self, pid: int, kept: object) -> None:
        """Kill the group; what left it goes on."""
        _kill_group(pid)

    def clean(self, pid: int, kept: object) -> None:
        """The group, as far as it stayed together, and the folder."""
        _end_group(pid, str(kept))


WALLS: dict[str, type[Walls]] = {
    "namespaces": Namespaces, "landlock": Landlock, "none-unsafe": Nothing,
}  # fmt: skip
