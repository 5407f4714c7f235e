"""System calls that Python does not have: namespaces, mounts, capabilities, seccomp, Landlock.

Each function raises OSError with the name of the call, so that a refusal says what was refused.
Linux on x86-64 and 64-bit ARM only (`supported`).

Not here: what a box needs of them (namespaces.py, landlock.py).
"""

import ctypes
import os
import platform
import struct
from typing import Final

CLONE_NEWNS: Final = 0x00020000
CLONE_NEWCGROUP: Final = 0x02000000
CLONE_NEWUTS: Final = 0x04000000
CLONE_NEWIPC: Final = 0x08000000
CLONE_NEWUSER: Final = 0x10000000
CLONE_NEWPID: Final = 0x20000000
CLONE_NEWNET: Final = 0x40000000

MS_RDONLY: Final = 1
MS_NOSUID: Final = 2
MS_NODEV: Final = 4
MS_NOEXEC: Final = 8
MS_REMOUNT: Final = 32
MS_BIND: Final = 4096
MS_REC: Final = 16384
MS_PRIVATE: Final = 1 << 18
MNT_DETACH: Final = 2

PR_SET_PDEATHSIG: Final = 1
PR_SET_DUMPABLE: Final = 4
PR_SET_SECCOMP: Final = 22
PR_CAPBSET_DROP: Final = 24
PR_SET_CHILD_SUBREAPER: Final = 36
PR_SET_NO_NEW_PRIVS: Final = 38
PR_CAP_AMBIENT: Final = 47
_PR_CAP_AMBIENT_CLEAR_ALL: Final = 4
_SECCOMP_MODE_FILTER: Final = 2
_CAP_VERSION_3: Final = 0x20080522
_LAST_CAPABILITY: Final = 63

# Numbers of calls that glibc has no function for, on both architectures alike.
_LANDLOCK_CREATE_RULESET: Final = 444
_LANDLOCK_ADD_RULE: Final = 445
_LANDLOCK_RESTRICT_SELF: Final = 446
_PIVOT_ROOT: Final = {"x86_64": 155, "aarch64": 41}
_CAPSET: Final = {"x86_64": 126, "aarch64": 91}

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def supported() -> str:
    """Why these calls cannot work here; empty if they may."""
    if platform.system() != "Linux":
        return f"needs Linux, this is {platform.system()}"
    if platform.machine() not in _PIVOT_ROOT:
        return f"needs x86-64 or 64-bit ARM, this is {platform.machine()}"
    return ""


def _checked(result: int, name: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def unshare(flags: int) -> None:
    """Leave the namespaces of these kinds for new ones."""
    _checked(_libc.unshare(ctypes.c_int(flags)), "unshare")


def setns(fd: int, kind: int) -> None:
    """Enter the namespace that `fd` stands for."""
    _checked(_libc.setns(ctypes.c_int(fd), ctypes.c_int(kind)), "setns")


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    """Attach a file system, or change how it is attached."""
    result = _libc.mount(
        source.encode(),
        target.encode(),
        kind.encode() if kind else None,
        ctypes.c_ulong(flags),
        data.encode() if data else None,
    )
    _checked(result, f"mount {kind or 'bind'} on {target}")


def umount(target: str, flags: int = 0) -> None:
    """umount2(2)."""
    _checked(_libc.umount2(target.encode(), ctypes.c_int(flags)), f"umount {target}")


def pivot_root(new_root: str, put_old: str) -> None:
    """Make a mount the root."""
    number = _PIVOT_ROOT[platform.machine()]
    _checked(_libc.syscall(number, new_root.encode(), put_old.encode()), "pivot_root")


def prctl(option: int, *values: int) -> int:
    """Set something about this process."""
    padded = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    return _checked(_libc.prctl(ctypes.c_int(option), *padded), f"prctl {option}")


def die_with_parent(signal_number: int) -> None:
    """Be sent this signal when the THREAD that created this process ends."""
    prctl(PR_SET_PDEATHSIG, signal_number)


def drop_capabilities() -> None:
    """All of them, from every set, for good."""
    for capability in range(_LAST_CAPABILITY + 1):
        if _libc.prctl(PR_CAPBSET_DROP, ctypes.c_ulong(capability), 0, 0, 0) < 0:
            break  # beyond the last one that this kernel knows, or already without the right
    _libc.prctl(PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    header = struct.pack("II", _CAP_VERSION_3, 0)
    nothing = struct.pack("IIIIII", 0, 0, 0, 0, 0, 0)
    _checked(_libc.syscall(_CAPSET[platform.machine()], header, nothing), "capset")


class _FilterProgram(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def seccomp(program: bytes) -> None:
    """Install a BPF filter (seccomp.py); needs no_new_privs."""
    prog = _FilterProgram(len(program) // 8, program)
    pointer = ctypes.cast(ctypes.pointer(prog), ctypes.c_void_p).value or 0
    prctl(PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, pointer)


def landlock_abi() -> int:
    """The version of Landlock that the kernel speaks; 0 without it. The call is the only probe."""
    return max(0, int(_libc.syscall(_LANDLOCK_CREATE_RULESET, None, 0, 1)))


def landlock(handled: bytes, rules: list[tuple[int, str]]) -> None:
    """Restrict this process: of the handled accesses only those that the rules allow remain.

    Args:
        handled: struct landlock_ruleset_attr.
        rules: allowed accesses beneath a path.
    """
    ruleset = _checked(
        _libc.syscall(_LANDLOCK_CREATE_RULESET, handled, ctypes.c_size_t(len(handled)), 0),
        "landlock_create_ruleset",
    )
    try:
        for allowed, path in rules:
            fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
            try:
                rule = struct.pack("=Qi", allowed, fd)
                _checked(
                    _libc.syscall(_LANDLOCK_ADD_RULE, ruleset, 1, rule, 0), f"landlock rule {path}"
                )
            finally:
                os.close(fd)
        _checked(_libc.syscall(_LANDLOCK_RESTRICT_SELF, ruleset, 0), "landlock_restrict_self")
    finally:
        os.close(ruleset)
