"""What keeps a run in: the rungs of the ladder that stand on this machine, and what each does when.

    namespaces   a root file system of its own (the interpreter and /usr, read-only; nothing else
                 of the host), an empty network, and for each run new user, process, mount and IPC
                 namespaces with a fresh /tmp. The kernel ends all processes of a run with its first
    bwrap        the same promises by bubblewrap, with a new interpreter for each run
    landlock     for kernels that refuse user namespaces: file access by Landlock, processes held
                 together by their group, which no call can leave
    none-unsafe  no walls at all, only limits; never chosen unless asked for by name

On top come no capabilities, no_new_privs, the filter of seccomp.py and resource limits, always.

Not here: running a program (driver.py), deciding which rung works (ladder.py).
"""

from typing import Protocol

from tracefactory.sandbox.bwrap import Bubblewrap
from tracefactory.sandbox.landlock import Landlock
from tracefactory.sandbox.limits import Limits
from tracefactory.sandbox.namespaces import Namespaces
from tracefactory.sandbox.nothing import Nothing


class Walls(Protocol):
    """One rung; lives in the zygote. An OSError says what was refused."""

    def raise_walls(self) -> None:
        """Once, before anything untrusted exists. Forks if it has to: goes on in the child."""

    def before_fork(self) -> object:
        """In the zygote, before each run; what it returns the steps below get."""

    def folder(self, kept: object) -> str:
        """What the run may write on a disk that bounds it not, to be watched; empty: nothing."""
        ...

    def after_fork(self, pid: int | None, kept: object) -> None:
        """In the zygote, once the run is forked; None if it could not be."""

    def enter(self, limits: Limits, kept: object) -> None:
        """In the run, as its first act. Returns behind the walls, or starts the driver there."""

    def end(self, pid: int, kept: object) -> None:
        """In the zygote: kill the run and all that it started."""

    def clean(self, pid: int, status: int, kept: object) -> int:
        """In the zygote, after the run's first process was waited for: leave nothing of it.

        Returns:
            The wait status of the program.

        Raises:
            OSError: the program was never started, and not because of itself.
        """
        ...


WALLS: dict[str, type[Walls]] = {
    "namespaces": Namespaces,
    "bwrap": Bubblewrap,
    "landlock": Landlock,
    "none-unsafe": Nothing,
}
