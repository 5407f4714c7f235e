"""The filter of system calls that every box gets: a list of what no program of ours needs.

Denied calls fail with EPERM (clone3 with ENOSYS, so that libc falls back to clone, whose flags can
be seen); a foreign architecture kills the process. The list closes kernel surface and what the
namespaces do not hold: sockets but for pairs of streams, new namespaces, mounts, other processes'
memory, keys, BPF, performance counters, io_uring, handles instead of paths, memory that no limit
counts.

Not here: the limits (limits.py), installing the filter (syscalls.seccomp).
"""

import errno
import platform
import struct
from typing import NamedTuple

# Both architectures have most calls under other numbers: (x86-64, 64-bit ARM); None: has none.
_DENIED: dict[str, tuple[int | None, int | None]] = {
    "socket": (41, 198), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "process_madvise": (440, 440), "pidfd_getfd": (438, 438), "kcmp": (312, 272),
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39),
    "pivot_root": (155, 41), "chroot": (161, 51), "open_tree": (428, 428),
    "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432),
    "fspick": (433, 433), "mount_setattr": (442, 442), "add_key": (248, 217),
    "request_key": (249, 218), "keyctl": (250, 219), "bpf": (321, 280),
    "perf_event_open": (298, 241), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "userfaultfd": (323, 282), "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264), "personality": (135, 92), "memfd_create": (319, 279),
    "memfd_secret": (447, 447), "shmget": (29, 194), "msgget": (68, 186), "mq_open": (240, 180),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "reboot": (169, 142),
    "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89), "quotactl": (179, 60),
    "syslog": (103, 116), "settimeofday": (164, 170), "clock_settime": (227, 112),
    "adjtimex": (159, 171), "clock_adjtime": (305, 266), "sethostname": (170, 161),
    "setdomainname": (171, 162), "vhangup": (153, 58), "lookup_dcookie": (212, 18),
    "fanotify_init": (300, 262), "iopl": (172, None), "ioperm": (173, None),
    "modify_ldt": (154, None), "nfsservctl": (180, 42), "mbind": (237, 235),
    "set_mempolicy": (238, 237), "migrate_pages": (256, 238), "move_pages": (279, 239),
}  # fmt: skip
_WITHOUT_NAMESPACES: dict[str, tuple[int | None, int | None]] = {
    # Where no namespace holds a run together, its process group must.
    "setsid": (112, 157), "setpgid": (109, 154),
    # What the same user's other processes and files would feel, and Landlock does not know.
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
    "chown": (92, None), "lchown": (94, None), "fchown": (93, 55), "fchownat": (260, 54),
    "utime": (132, None), "utimes": (235, None), "futimesat": (261, None), "utimensat": (280, 88),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "removexattr": (197, 14),
    "lremovexattr": (198, 15), "fsetxattr": (190, 7), "fremovexattr": (199, 16),
    "setxattrat": (463, 463), "removexattrat": (466, 466), "file_setattr": (469, 469),
    "inotify_init": (253, None), "inotify_init1": (294, 26),
    "setpriority": (141, 140), "ioprio_set": (251, 30), "sched_setaffinity": (203, 122),
    "sched_setscheduler": (144, 119), "sched_setparam": (142, 118), "sched_setattr": (314, 274),
    "semget": (64, 190), "semop": (65, 193), "semtimedop": (220, 192), "semctl": (66, 191),
    "shmat": (30, 196), "shmctl": (31, 195), "msgsnd": (69, 189), "msgrcv": (70, 188),
    "msgctl": (71, 187),
    # Files in flight between two sockets: neither open, nor mapped, nor named (usage.py).
    "sendmsg": (46, 211), "sendmmsg": (307, 269),
}  # fmt: skip
_SIGNALS: dict[str, tuple[int | None, int | None]] = {
    "kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240), "pidfd_send_signal": (424, 424),
}  # fmt: skip


class _Argument(NamedTuple):
    """A call that one of its arguments decides about; the low 32 bits of it count."""

    numbers: tuple[int, int]
    place: int
    values: tuple[int, ...]
    denied: bool
    """With these values; else without them."""
    mask: int = 0xFFFFFFFF
    """The bits that are compared."""


_ARGUMENTS = (
    # socketpair: streams only. A datagram may be sent from a pair to any address.
    _Argument((53, 199), 1, (1, 5), denied=False, mask=0xF),
    # mmap: shared memory without a file, which stays when no process has it in its tables.
    _Argument((9, 222), 3, (0x21,), denied=True, mask=0x2F),
    _Argument((72, 25), 1, (1024,), denied=True),  # fcntl: F_SETLEASE, which makes others wait
)
_ARGUMENTS_WITHOUT_NAMESPACES = (  # these come first
    _Argument((302, 261), 0, (0,), denied=False),  # prlimit64: another process's limits
    _Argument((72, 25), 1, (8, 10, 15, 1024), denied=True),  # fcntl: F_SETOWN, ..SIG, ..OWN_EX
    _Argument((16, 29), 1, (0x8901, 0x8902), denied=True),  # ioctl: FIOSETOWN, SIOCSPGRP
    _Argument((157, 167), 0, (1,), denied=True),  # prctl: PDEATHSIG
)
_CLONE = (56, 220)
_CLONE3 = (435, 435)
_NEW_NAMESPACES = 0x7E020080  # every CLONE_NEW* flag, time and cgroup too
_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000

_LOAD, _AND, _JUMP_EQUAL, _JUMP_AT_LEAST = 0x20, 0x54, 0x15, 0x35
_JUMP_ANY, _RETURN = 0x45, 0x06
_ALLOW, _KILL, _FAIL = 0x7FFF0000, 0x80000000, 0x00050000


def _step(code: int, value: int, true: int = 0, false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, true, false, value)


def _on_argument(argument: _Argument, column: int) -> list[bytes]:
    """Steps that end with a decision if the call is this one."""
    last = len(argument.values) - 1
    found, other = _FAIL | errno.EPERM, _ALLOW
    if not argument.denied:
        found, other = other, found
    inner = [_step(_LOAD, 16 + 8 * argument.place), _step(_AND, argument.mask)]
    for place, value in enumerate(argument.values):
        inner.append(_step(_JUMP_EQUAL, value, last - place + 1, 0))
    inner += [_step(_RETURN, other), _step(_RETURN, found)]
    return [_step(_JUMP_EQUAL, argument.numbers[column], 0, len(inner)), *inner]


def box_filter(*, namespaces: bool = True, signals: bool = True) -> bytes:
    """The BPF program.

    Args:
        namespaces: the run has a process namespace of its own; else it may not leave its group.
        signals: signals may be sent; without a namespace or scope they would reach others.
    """
    machine = platform.machine()
    column = 0 if machine == "x86_64" else 1
    denied = dict(_DENIED)
    if not namespaces:
        denied |= _WITHOUT_NAMESPACES
    if not signals:
        denied |= _SIGNALS
    numbers = [pair[column] for pair in denied.values()]
    steps = [
        _step(_LOAD, 4),
        _step(_JUMP_EQUAL, _ARCHITECTURE[machine], 1, 0),
        _step(_RETURN, _KILL),
        _step(_LOAD, 0),
        _step(_JUMP_AT_LEAST, _X32, 0, 1),
        _step(_RETURN, _KILL),
        _step(_JUMP_EQUAL, _CLONE3[column], 0, 1),
        _step(_RETURN, _FAIL | errno.ENOSYS),
        _step(_JUMP_EQUAL, _CLONE[column], 0, 4),
        _step(_LOAD, 16),  # the low half of its first argument, the flags
        _step(_JUMP_ANY, _NEW_NAMESPACES, 0, 1),
        _step(_RETURN, _FAIL | errno.EPERM),
        _step(_RETURN, _ALLOW),
    ]
    for argument in (*(() if namespaces else _ARGUMENTS_WITHOUT_NAMESPACES), *_ARGUMENTS):
        steps += _on_argument(argument, column)
    for number in numbers:
        if number is not None:
            steps += [_step(_JUMP_EQUAL, number, 0, 1), _step(_RETURN, _FAIL | errno.EPERM)]
    steps.append(_step(_RETURN, _ALLOW))
    return b"".join(steps)
