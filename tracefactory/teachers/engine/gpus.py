"""Which GPUs this machine lends us, and how they are shared out among replicas.

Asked of `nvidia-smi`, as nothing that would hold them is imported.
"""

import os
import subprocess
from typing import NamedTuple

from tracefactory.errors import ResourceError

VISIBLE = "CUDA_VISIBLE_DEVICES"


class Gpu(NamedTuple):
    """One of them."""

    number: str
    name: str
    total_mib: int
    free_mib: int


def gpus() -> list[Gpu]:
    """All of this machine; none if it cannot say."""
    query = "--query-gpu=index,name,memory.total,memory.free"
    try:
        said = subprocess.run(
            ["nvidia-smi", query, "--format=csv,noheader,nounits"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=60,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    found: list[Gpu] = []
    for line in said.splitlines():
        number, *name, total, free = (part.strip() for part in line.split(","))
        if total.isdigit() and free.isdigit():
            found.append(Gpu(number, ", ".join(name), int(total), int(free)))
    return found


def lent() -> list[str]:
    """Those that are ours: what CUDA_VISIBLE_DEVICES says, else all."""
    said = os.environ.get(VISIBLE)
    if said is not None:
        return [one.strip() for one in said.split(",") if one.strip() not in ("", "-1")]
    return [gpu.number for gpu in gpus()]


def shares(per_replica: int, replicas: int | None) -> list[dict[str, str]]:
    """The environment of each replica's worker, beside this one's.

    Args:
        per_replica: GPUs that one needs.
        replicas: how many; None: as many as there are GPUs for, and one where there are none.

    Raises:
        ResourceError: there are GPUs, and too few.
    """
    ours = lent()
    if not ours:
        # An engine on the processor, or a server's own affair: one, as cores are shared by all.
        return [{} for _ in range(replicas or 1)]
    room = len(ours) // per_replica
    if room < (replicas or 1):
        raise ResourceError(
            f"{replicas or 1} replicas of {per_replica} GPUs each need more than the {len(ours)} "
            f"there are ({', '.join(ours)}); see `gpus` and `replicas` of the teacher"
        )
    return [
        {VISIBLE: ",".join(ours[n * per_replica : (n + 1) * per_replica])}
        for n in range(replicas or room)
    ]
