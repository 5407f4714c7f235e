"""Run in every Dask worker process as it starts, also after a restart."""

import signal
from typing import Any

import pyarrow as pa


def dask_setup(worker: Any) -> None:  # noqa: ANN401  (a distributed.Worker; not imported for its type)
    """Leave Ctrl-C to the driver, which alone decides what it means; one thread a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it reaches the whole process group of a terminal
    pa.set_cpu_count(1)
