"""Giving up what a process may do; none of it can be taken back."""

import os

from tracefactory.sandbox import syscalls as call

NOBODY = 65534


def give_up_root() -> None:
    """Become nobody, if this is root: to the kernel, root in a box is root."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        call.prctl(call.PR_SET_DUMPABLE, 1)  # else /proc/self belongs to root


def give_up_all(program: bytes) -> None:
    """No capability, none to gain, and from now on the filter (seccomp.py)."""
    call.drop_capabilities()
    call.prctl(call.PR_SET_NO_NEW_PRIVS, 1)
    call.seccomp(program)
