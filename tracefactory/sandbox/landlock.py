"""The rung for kernels that refuse user namespaces: Landlock, and a filter that says no more often.

What a namespace would hide is here only forbidden: files outside two places cannot be opened, but
their names can be asked for; what it writes is on the host's disk, where its sum is watched and not
bounded (usage.disk_bytes); the kernel counts the processes of all runs together.
"""

import os
import signal
import struct
import tempfile

from tracefactory.sandbox import syscalls as call
from tracefactory.sandbox.family import (
    adopt,
    end_group,
    go_on_in_child,
    kill_group,
    processes_of_user,
)
from tracefactory.sandbox.interpreter import DEVICES, SHORT_NAMES, interpreter_for_nobody
from tracefactory.sandbox.limits import Limits, set_limits
from tracefactory.sandbox.remove import remove_tree
from tracefactory.sandbox.rights import give_up_all, give_up_root
from tracefactory.sandbox.seccomp import box_filter

# Bits of access to files: execute 1, write 2, read 4, list 8, ...; how many each version knows.
_READING, _READ_AND_WRITE = 0b1101, 0b110
_ACCESSES = {1: 13, 2: 14, 3: 15, 4: 15}
_ALL_ACCESSES = 16
_BIND_AND_CONNECT_TCP = 0b11
_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11
_ABI_WITH_NETWORK, _ABI_WITH_SCOPES = 4, 6


class Landlock:
    """The rung `landlock`."""

    def raise_walls(self) -> None:
        """Become nobody; the rest each run does for itself."""
        self._abi = call.landlock_abi()
        if not self._abi:
            raise OSError(38, "landlock: the kernel has none")
        self._folder = go_on_in_child("tracefactory-box-")
        _, self._readable = interpreter_for_nobody()
        give_up_root()
        adopt()

    def before_fork(self) -> object:
        """A folder for what the run writes."""
        self._others = processes_of_user()
        return tempfile.mkdtemp(dir=self._folder)

    def folder(self, kept: object) -> str:
        """Its folder is on the host's disk."""
        return str(kept)

    def after_fork(self, pid: int | None, kept: object) -> None:
        """No run, no folder."""
        if pid is None:
            remove_tree(str(kept))

    def enter(self, limits: Limits, kept: object) -> None:
        """A process group of its own that nothing leaves, and the file system beneath two roots."""
        call.die_with_parent(signal.SIGKILL)
        os.setsid()
        os.chdir(str(kept))
        os.environ.update({"HOME": str(kept), "TMPDIR": str(kept)})
        set_limits(limits, self._others + limits.processes)
        call.prctl(call.PR_SET_NO_NEW_PRIVS, 1)
        _lock_files(self._abi, self._readable, str(kept))
        give_up_all(box_filter(namespaces=False, signals=self._abi >= _ABI_WITH_SCOPES))

    def end(self, pid: int, kept: object) -> None:
        """Kill the group."""
        kill_group(pid)

    def clean(self, pid: int, status: int, kept: object) -> int:
        """Kill and wait for what is left of the group; then its folder goes."""
        end_group(pid)
        remove_tree(str(kept))
        return status


def _lock_files(abi: int, readable: list[str], folder: str) -> None:
    """Reading beneath the readable paths, anything beneath the folder; no TCP, no signals out."""
    every = (1 << _ACCESSES.get(abi, _ALL_ACCESSES)) - 1
    fields = 1 + (abi >= _ABI_WITH_NETWORK) + (abi >= _ABI_WITH_SCOPES)
    handled = struct.pack("=QQQ", every, _BIND_AND_CONNECT_TCP, _ABSTRACT_SOCKETS_AND_SIGNALS)
    short = [f"/{name}" for name in SHORT_NAMES if os.path.isdir(f"/{name}")]
    rules = [(_READING, path) for path in (*readable, *short)]
    rules += [(_READ_AND_WRITE, f"/dev/{name}") for name in DEVICES]
    call.landlock(handled[: 8 * fields], [*rules, (every, folder)])
