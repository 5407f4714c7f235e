"""`tracefactory doctor`: can this machine do what a run needs? It really tries."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from tracefactory.cli.look import print_json
from tracefactory.errors import Exit

out = Console(emoji=False)


def doctor_command(as_json: bool) -> int:
    """Run all checks; the exit code is 4 when one fails."""
    findings = [_finding(name, probe) for name, probe in _PROBES]
    if as_json:
        print_json(findings)
    else:
        for finding in findings:
            mark = "ok" if finding["ok"] else "FAILS"
            out.print(
                f"{mark:>6}  {finding['check']}: {finding['found']}",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )
    return int(Exit.DONE if all(finding["ok"] for finding in findings) else Exit.RESOURCE)


def _finding(name: str, probe: Callable[[], str]) -> dict[str, object]:
    try:
        return {"check": name, "ok": True, "found": probe()}
    except Exception as error:  # whatever goes wrong is what doctor is there to say
        return {"check": name, "ok": False, "found": f"{type(error).__name__}: {error}"}


def _versions() -> str:
    return ", ".join(
        f"{name} {version(name)}" for name in ("distributed", "pyarrow", "polars", "datasets")
    )


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB of memory"


def _disk() -> str:
    free = shutil.disk_usage(Path.cwd()).free
    if free < 1 << 30:
        raise OSError(f"only {free / 2**20:.0f} MiB free in {Path.cwd()}")
    return f"{free / 2**30:.0f} GiB free in {Path.cwd()}"


def _file_system() -> str:
    """The four things the store stands on: rename over, hard link, fsync, record locks."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        one, two = folder / "one", folder / "two"
        one.write_bytes(b"1")
        two.write_bytes(b"2")
        os.rename(one, two)  # noqa: PTH104  (a probe of the very call)
        started = time.perf_counter()
        with two.open("r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.fsync(file.fileno())
        took = time.perf_counter() - started
        try:
            os.link(two, one)
            links = "hard links"
        except OSError:
            links = "no hard links (datasets will be copied)"
        return f"rename, locks, {links}, fsync {1000 * took:.1f} ms"


def _cluster() -> str:
    from tracefactory.cluster import DaskPool, Done

    with DaskPool(workers=1) as pool:
        pool.submit("probe", os.getpid)
        for _ in range(60):
            for _, end in pool.ended(1.0):
                if isinstance(end, Done):
                    return f"a worker process started and answered (pid {end.value})"
    raise TimeoutError("a worker was started, but did not answer in a minute")


_PROBES: tuple[tuple[str, Callable[[], str]], ...] = (
    ("versions", _versions),
    ("machine", _machine),
    ("disk", _disk),
    ("file system", _file_system),
    ("cluster", _cluster),
)
