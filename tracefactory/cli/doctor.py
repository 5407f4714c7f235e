"""`tracefactory doctor`: can this machine do what a run needs? It really tries."""

import fcntl
import os
import shutil
import string
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from tracefactory.cli.look import print_json
from tracefactory.errors import Exit, ResourceError
from tracefactory.sandbox import ladder
from tracefactory.sandbox.rung import Rung

out = Console(emoji=False)


def doctor_command(python: str | None, model: str | None, as_json: bool) -> int:
    """Run all checks; the exit code is 4 when one fails."""
    findings = [_finding(name, probe) for name, probe in _PROBES]
    findings.append(_finding("vLLM", partial(_vllm, python, model)))
    if model is not None:
        findings.append(_finding("served model", partial(_served, python, model)))
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


def _gpus() -> str:
    from tracefactory.teachers.engine.gpus import VISIBLE, gpus, lent

    found = [f"{g.number} {g.name}, {g.free_mib:,} of {g.total_mib:,} MiB free" for g in gpus()]
    if not found:
        return "none (nvidia-smi names none); vLLM's build for processors does without"
    ours = f"; {VISIBLE} lends {', '.join(lent()) or 'none'}" if VISIBLE in os.environ else ""
    return "; ".join(found) + ours


def _vllm(python: str | None, model: str | None) -> str:
    """Which one; it may be absent unless somebody asked for it."""
    from tracefactory.teachers.engine.command import installed

    where = python or sys.executable
    try:
        found = installed(where)
    except ResourceError:
        if python is not None or model is not None:
            raise
        return f"none in {where}; a teacher `vllm` may name another Python: doctor --python PATH"
    kind = "for processors without GPU" if found.for_cpu else "for GPUs"
    asked = "" if model else "; serve something with --model FOLDER (or tiny: one made here)"
    return f"{found.version}, {kind}, in {where}{asked}"


def _served(python: str | None, model: str) -> str:
    """Serve a model as a run would, and ask it once."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(model).absolute() if Path(model).is_dir() else None
        if model == "tiny":
            path = Path(folder)
            _make_tiny(path)
        return _asked_once(python, model, path)


def _make_tiny(folder: Path) -> None:
    from tracefactory.cli.prove import need_torch

    need_torch()
    from tracefactory.prove.model import Size, SmallLlama
    from tracefactory.prove.save import save_model
    from tracefactory.prove.tokens import MIN_COUNT, tokens_of

    tokens = tokens_of([string.printable] * MIN_COUNT)
    save_model(folder, SmallLlama(Size(len(tokens)), 0), tokens)


def _asked_once(python: str | None, model: str, path: Path | None) -> str:
    from tracefactory.sources.families import FAMILIES
    from tracefactory.sources.families.make import make_problem
    from tracefactory.teachers.contract import Request
    from tracefactory.teachers.engine.life import leave
    from tracefactory.teachers.remote.loop import in_shared_loop
    from tracefactory.teachers.remote.settings import Sampling
    from tracefactory.teachers.vllm import VllmConfig, VllmTeacher

    name = "modular_sum"
    problem = make_problem(name, FAMILIES[name].knobs(), 0, "train", 0)
    sampling = Sampling(max_tokens=16, temperature=0.0)
    config = VllmConfig(model=model, path=path, python=python, sampling=sampling)
    teacher = VllmTeacher(config)
    request = Request(problem, 0, 0, [{"role": "user", "content": problem.statement}])

    async def once() -> str:
        started = time.monotonic()
        try:
            async for said in teacher.complete([request]):
                took = time.monotonic() - started
                return f"up and answering after {took:.0f} s; it said {said.text[:60]!r}"
        finally:
            await leave()
        raise ResourceError("the server ended without an answer")

    return in_shared_loop(once())


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
    ("GPUs", _gpus),
)
