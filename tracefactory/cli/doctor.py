"""`tracefactory doctor`: can this machine do what a run needs? It really tries."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from tracefactory.cli.look import print_json
from tracefactory.errors import Exit
from tracefactory.sandbox import ladder
from tracefactory.sandbox.rung import Rung

out = Console(emoji=False)


def doctor_command(as_json: bool) -> int:
    """Run all checks; the exit code is 4 when one fails."""
    findings = [_finding(name, probe) for name, probe in _PROBES]
    rungs = _rungs()
    findings.append(_sandbox(rungs))
    if as_json:
        print_json(findings)
    else:
        for finding in findings:
            mark = "ok" if finding["ok"] else "FAILS"
            _print(f"{mark:>6}  {finding['check']}: {finding['found']}")
        for rung in rungs:
            _print_rung(rung)
    return int(Exit.DONE if all(finding["ok"] for finding in findings) else Exit.RESOURCE)


def _print(line: str) -> None:
    out.print(line, highlight=False, markup=False, soft_wrap=True)


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


class _Tried(NamedTuple):
    """One rung of the sandbox's ladder, with what a self-test found."""

    rung: Rung
    used: bool
    """The first that holds is the one that runs stand on."""
    seconds: float


def _rungs() -> list[_Tried]:
    """Every rung that is ever chosen unasked, in order."""
    found: list[_Tried] = []
    for name in (*ladder.LOCAL, "remote"):
        started = time.perf_counter()
        rung = ladder.tried(name)
        took = time.perf_counter() - started
        if rung.pool is not None:
            rung.pool.close()
        used = ladder.holds(rung) and not any(one.used for one in found)
        found.append(_Tried(rung, used, took))
    return found


def _sandbox(rungs: list[_Tried]) -> dict[str, object]:
    """The finding that counts: does any rung hold? The others are there to be compared."""
    used = [tried.rung.name for tried in rungs if tried.used]
    refused = f"nothing holds untrusted programs here; isolation: {ladder.UNSAFE} forgoes walls"
    shown = [
        {
            "rung": rung.name, "holds": ladder.holds(rung), "used": is_used,
            "seconds": round(seconds, 3),
            "canaries": [canary._asdict() for canary in rung.findings],
            "remedy": "" if ladder.holds(rung) else ladder.remedy(rung.name),
        }
        for rung, is_used, seconds in rungs
    ]  # fmt: skip
    found = f"{used[0]} holds untrusted programs" if used else refused
    return {"check": "sandbox", "ok": bool(used), "found": found, "rungs": shown}


def _print_rung(tried: _Tried) -> None:
    rung, used, seconds = tried
    held = [canary.name for canary in rung.findings if canary.held]
    if ladder.holds(rung):
        mark = "used" if used else "holds"
        _print(f"{mark:>14}  {rung.name} ({seconds:.1f} s): {', '.join(held)}")
        return
    _print(f"{'no':>14}  {rung.name}: to have it, {ladder.remedy(rung.name)}")
    if held:
        _print(f"{'':>16}held: {', '.join(held)}")
    for canary in rung.findings:
        if not canary.held:
            _print(f"{'':>16}{canary.name}: {canary.detail}")


_PROBES: tuple[tuple[str, Callable[[], str]], ...] = (
    ("versions", _versions),
    ("machine", _machine),
    ("disk", _disk),
    ("file system", _file_system),
    ("cluster", _cluster),
)
