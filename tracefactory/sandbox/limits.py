"""What one run may use, and how the kernel is told."""

import math
import resource
from typing import NamedTuple

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "TMPDIR": "/tmp", "LC_ALL": "C.UTF-8"}
"""All that a program finds in its environment."""


class Limits(NamedTuple):
    """Of one run. The clock, output and sums are watched from outside, the rest by the kernel."""

    wall_s: float = 10.0
    cpu_s: float = 10.0
    """Of all threads and waited-for children of a process together."""
    memory_mb: int = 1024
    """Address space of each process; the sum of what all hold in memory is watched too."""
    processes: int = 64
    """Processes and threads."""
    output_bytes: int = 8 << 20
    """Of standard output; of standard error the last part is kept."""
    disk_mb: int = 64
    """In /tmp, which is memory; on the rungs landlock and none-unsafe a folder on disk, watched."""
    open_files: int = 128


def set_limits(limits: Limits, processes: int) -> None:
    """Set this process's resource limits; `processes` is the count for the kernel."""
    memory, disk = limits.memory_mb << 20, limits.disk_mb << 20
    cpu = math.ceil(limits.cpu_s)
    # The hard one kills at once; the soft one would send what the first process of a namespace
    # does not hear.
    for kind, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_FSIZE, disk),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, processes),
        (resource.RLIMIT_MEMLOCK, 0),
    ):
        _, hard = resource.getrlimit(kind)
        if hard != resource.RLIM_INFINITY:
            value = min(value, hard)
        resource.setrlimit(kind, (value, value))
