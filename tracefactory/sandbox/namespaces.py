"""The default rung: namespaces of the kernel, new for each run, without any other program.

Not here: the same by another program (bwrap.py), the interpreter's place (interpreter.py).
"""

import fcntl
import os
from pathlib import Path

from tracefactory.sandbox import syscalls as call
from tracefactory.sandbox.family import go_on_in_child, kill
from tracefactory.sandbox.interpreter import (
    DEVICES,
    SHORT_NAMES,
    interpreter_for_nobody,
    readable_paths,
)
from tracefactory.sandbox.limits import Limits, set_limits
from tracefactory.sandbox.rights import NOBODY, give_up_all, give_up_root
from tracefactory.sandbox.seccomp import box_filter

HIGH_FD = 200
"""File descriptors from here on are the zygote's; a run closes them."""
_KEPT_FLAGS = {
    # statvfs flag: mount flag. A user namespace may not take them away from a mount.
    2: call.MS_NOSUID, 4: call.MS_NODEV, 8: call.MS_NOEXEC, 1024: 1024, 2048: 2048, 4096: 1 << 21,
}  # fmt: skip


class Namespaces:
    """The rung `namespaces`."""

    def raise_walls(self) -> None:
        """Leave all namespaces of the host; goes on as the first process of a new one."""
        # The host's /proc, for what a run must write about itself; no run inherits it.
        self._proc = _high(os.open("/proc", os.O_PATH | os.O_DIRECTORY))
        built = os.getuid() == 0 and _built_by_root()
        readable = [] if built else interpreter_for_nobody()[1]
        give_up_root()
        user, group = os.getuid(), os.getgid()
        call.unshare(
            call.CLONE_NEWUSER | call.CLONE_NEWNS | call.CLONE_NEWNET | call.CLONE_NEWIPC
            | call.CLONE_NEWUTS | call.CLONE_NEWPID | call.CLONE_NEWCGROUP
        )  # fmt: skip
        _map_ids(self._proc, user, group)
        go_on_in_child()
        self._pids = _high(os.open("self/ns/pid", os.O_RDONLY, dir_fd=self._proc))
        if not built:
            _build_root(readable)
        self._in_tmp = [path for path in readable_paths() if path.startswith("/tmp/")]
        self._filter = box_filter()  # once: it is the same for every run

    def before_fork(self) -> object:
        """The next child is the first process of its own namespace."""
        call.unshare(call.CLONE_NEWPID)
        return None

    def folder(self, kept: object) -> str:
        """None: its /tmp has a size."""
        return ""

    def after_fork(self, pid: int | None, kept: object) -> None:
        """Later children are not in it."""
        call.setns(self._pids, call.CLONE_NEWPID)

    def enter(self, limits: Limits, kept: object) -> None:
        """New user, mount and IPC namespaces, a fresh /tmp, no rights."""
        os.setsid()  # a signal to its group goes to all of the group, in whatever namespace
        user, group = os.getuid(), os.getgid()
        call.unshare(call.CLONE_NEWUSER | call.CLONE_NEWNS | call.CLONE_NEWIPC)
        _map_ids(self._proc, user, group)
        covered = {path: os.open(path, os.O_PATH) for path in self._in_tmp}
        call.mount(
            "tmpfs", "/tmp", "tmpfs", call.MS_NOSUID | call.MS_NODEV,
            f"size={limits.disk_mb}m,nr_inodes=4096,mode=0700",
        )  # fmt: skip
        os.fchdir(self._proc)
        for path, fd in covered.items():
            os.makedirs(path)
            _bind(f"self/fd/{fd}", path, read_only=True)
        os.chdir("/tmp")
        set_limits(limits, limits.processes)
        give_up_all(self._filter)

    def end(self, pid: int, kept: object) -> None:
        """The kernel ends the rest of the namespace."""
        kill(pid)

    def clean(self, pid: int, status: int, kept: object) -> int:
        """Nothing: all of it went with the namespaces."""
        return status


def _high(fd: int) -> int:
    """The same file under a number that a run's own files do not take."""
    high = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, HIGH_FD)
    os.close(fd)
    return high


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
    """A root that holds the readable paths, four devices and an empty /tmp, /proc and /dev/shm."""
    call.mount("none", "/", "", call.MS_REC | call.MS_PRIVATE)
    base = "/tmp"
    links = {name: os.readlink(f"/{name}") for name in SHORT_NAMES if os.path.islink(f"/{name}")}
    own = [f"/{name}" for name in SHORT_NAMES if name not in links and os.path.isdir(f"/{name}")]
    # Opened before the new root covers /tmp, where an interpreter may stand.
    folders = {path: os.open(path, os.O_PATH) for path in (*readable, *own)}
    devices = {f"/dev/{name}": os.open(f"/dev/{name}", os.O_PATH) for name in DEVICES}
    call.mount("tmpfs", base, "tmpfs", call.MS_NOSUID | call.MS_NODEV, "size=1m,mode=0755")
    for name in ("tmp", "proc", "dev", "etc", ".host"):
        os.mkdir(f"{base}/{name}")
    for path, fd in folders.items():
        os.makedirs(base + path, exist_ok=True)
        _bind(f"/proc/self/fd/{fd}", base + path, read_only=True)
    for path, fd in devices.items():
        Path(base + path).touch()
        _bind(f"/proc/self/fd/{fd}", base + path, read_only=False)
    for name, target in links.items():
        os.symlink(target, f"{base}/{name}")
    os.symlink("/tmp", f"{base}/dev/shm")
    for fd in (*folders.values(), *devices.values()):
        os.close(fd)
    _move_into(base)


def _move_into(base: str) -> None:
    """The folder becomes the root, read-only; the old root is out of reach for good."""
    os.chdir(base)
    call.pivot_root(".", ".host")
    os.chdir("/")
    call.umount("/.host", call.MNT_DETACH)
    os.rmdir("/.host")
    flags = call.MS_REMOUNT | call.MS_BIND | call.MS_RDONLY | call.MS_NOSUID | call.MS_NODEV
    call.mount("none", "/", "", flags)


def _bind(source: str, target: str, *, read_only: bool) -> None:
    call.mount(source, target, "", call.MS_BIND | call.MS_REC)
    flags = call.MS_BIND | call.MS_REMOUNT | call.MS_NOSUID | (call.MS_RDONLY if read_only else 0)
    now = os.statvfs(target).f_flag
    for seen, kept in _KEPT_FLAGS.items():
        flags |= kept if now & seen else 0
    call.mount("none", target, "", flags)
