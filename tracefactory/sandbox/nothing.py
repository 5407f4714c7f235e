"""No walls, only limits: for programs that are trusted, and for proving that the canaries sing.

Never chosen unless asked for by name; every record then says so.
"""

import os
import resource
import tempfile

from tracefactory.sandbox.family import adopt, end_group, go_on_in_child, kill_group
from tracefactory.sandbox.limits import Limits, set_limits
from tracefactory.sandbox.remove import remove_tree


class Nothing:
    """The rung `none-unsafe`."""

    def raise_walls(self) -> None:
        """Nothing, but that what escapes a run ends with the zygote."""
        self._folder = go_on_in_child("tracefactory-unsafe-")
        if os.getuid() == 0:
            os.chown(self._folder, 0, 0)
        adopt()

    def before_fork(self) -> object:
        """A folder for what the run writes."""
        return tempfile.mkdtemp(dir=self._folder)

    def folder(self, kept: object) -> str:
        """Its folder is on the host's disk."""
        return str(kept)

    def after_fork(self, pid: int | None, kept: object) -> None:
        """No run, no folder."""
        if pid is None:
            remove_tree(str(kept))

    def enter(self, limits: Limits, kept: object) -> None:
        """Limits only."""
        os.setsid()
        os.chdir(str(kept))
        set_limits(limits, resource.getrlimit(resource.RLIMIT_NPROC)[1])

    def end(self, pid: int, kept: object) -> None:
        """Kill the group; what left it goes on."""
        kill_group(pid)

    def clean(self, pid: int, status: int, kept: object) -> int:
        """The group, as far as it stayed together, and the folder."""
        end_group(pid)
        remove_tree(str(kept))
        return status
