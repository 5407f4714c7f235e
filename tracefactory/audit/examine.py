"""The audit of a release, in three parts: integrity, re-check, planted errors.

Every shard is read and every row judged in worker processes; here results are put together.
"""

import hashlib
import secrets
import time
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import polars as pl

from tracefactory.audit.asked import Asked, Told
from tracefactory.audit.crew import Job, ends
from tracefactory.audit.faults import Fault, differences
from tracefactory.audit.integrity import checker_settings, integrity, word_of
from tracefactory.audit.outcome import Outcome
from tracefactory.audit.place import SCRATCH
from tracefactory.audit.planted import ROWS as PROBE_ROWS
from tracefactory.audit.planted import Probe, probe
from tracefactory.audit.recheck import ROWS, Found, Order, lost, recheck, spans
from tracefactory.audit.recipe_says import RecipeSays, recipe_says
from tracefactory.audit.records import Records, read_records
from tracefactory.audit.statements import (
    same_program,
)
from tracefactory.audit.traces import Release, write_options
from tracefactory.cluster import Done, End, Pool
from tracefactory.publisher.disk import TEMPORARY_ADVICE, written
from tracefactory.publisher.scratch import scratch


def audit_release(root: Path, asked: Asked, pool: Pool, told: Told) -> Outcome:
    """Audit a release in a local folder.

    Raises:
        SourceError: it has no manifest that can be read.
        ResourceError: the cluster is gone.
    """
    records, faults = read_records(root)
    says = recipe_says(records.manifest.recipe)
    outcome = Outcome(str(root), "release", records.manifest.name, faults=faults)
    outcome.manifest_sha256 = hashlib.sha256(records.manifest_bytes).hexdigest()
    outcome.seed, key = asked.drawn_with(), secrets.token_bytes(16)
    with _timed(outcome, "integrity"):
        digest = integrity(root, records, says, key, outcome, pool, told)
        word_of(root, asked, outcome)
    outcome.settings = checker_settings(digest.filter(pl.col("config") == "rl"))
    traces = digest.filter(pl.col("config").is_in(["sft", "rejected"]))
    outcome.rows = traces.height
    with scratch(SCRATCH) as folder:
        reader = _reader(digest, says, key, folder)
        measure = says.measure if same_program(records) else None
        make = partial(_orders, root, reader, asked.allowed, measure)
        if asked.recheck:
            with _timed(outcome, "recheck"):
                chosen = traces if asked.sample is None else traces.sort("rank").head(asked.sample)
                outcome.sampled = chosen.height < traces.height
                outcome.found = judge_all(
                    make(chosen, ROWS, pool.workers), chosen.height, pool, told
                )
                outcome.faults += outcome.found.faults
                outcome.faults += _step_faults(records, outcome.found, sampled=outcome.sampled)
        if asked.planted:
            with _timed(outcome, "planted"):
                # From the other end of the order than a sample of the re-check.
                correct = traces.filter(pl.col("status") == "correct")
                picked = correct.sort("rank", descending=True).head(asked.planted)
                outcome.probe = probe_all(make(picked, PROBE_ROWS, 1), picked.height, pool, told)
    return outcome


@contextmanager
def _timed(outcome: Outcome, part: str) -> Generator[None]:
    started = time.monotonic()
    yield
    outcome.seconds[part] = time.monotonic() - started


# --- Judging -------------------------------------------------------------------------------------


def _reader(digest: pl.DataFrame, says: RecipeSays, key: bytes, folder: Path) -> Release:
    problems = digest.filter(pl.col("config") == "rl")
    index = None
    if problems.height:
        index = folder / "options.parquet"
        with written(index, TEMPORARY_ADVICE):
            write_options(problems, index)
    path = None if index is None else str(index)
    return Release(says.instructions, says.options, path, key)


def _orders(
    root: Path,
    reader: Release,
    allowed: tuple[str, ...],
    measure: str | None,
    rows: pl.DataFrame,
    at_most: int,
    workers: int,
) -> Iterator[Order]:
    """Pieces of at most so many rows, and small enough that all workers have some."""
    size = max(1, min(at_most, -(-rows.height // (8 * workers))))
    for (path,), group in rows.sort("path", "row").group_by("path", maintain_order=True):
        for span in spans(str(root), str(path), group.get_column("row").to_list(), size):
            yield Order(span, reader, allowed, measure)


def judge_all(orders: Iterator[Order], rows: int, pool: Pool, told: Told) -> Found:
    """Judge the rows of all orders."""
    found, done = Found(), 0
    for job, end in ends(pool, _jobs("recheck", recheck, orders)):
        part = end.value if isinstance(end, Done) else lost(job.order, _why(end))
        found.merge(part)
        done += len(job.order.span.rows)
        told("rows judged again", done, rows)
    found.changes.sort(key=lambda change: (change.file, change.id))
    return found


def probe_all(orders: Iterator[Order], rows: int, pool: Pool, told: Told) -> Probe:
    """Plant a wrong answer in each row of all orders."""
    found, done = Probe(), 0
    for job, end in ends(pool, _jobs("probe", probe, orders)):
        if isinstance(end, Done):
            found.merge(end.value)
        else:
            found.unused[_why(end)] += len(job.order.span.rows)
        done += len(job.order.span.rows)
        told("wrong answers planted", done, rows)
    found.accepted.sort()
    return found


def _jobs(name: str, function: Callable[[Order], object], orders: Iterator[Order]) -> Iterator[Job]:
    for number, order in enumerate(orders):
        yield Job(f"{name}-{number}", function, order)


def _why(end: End) -> str:
    error = getattr(end, "error", None)
    if error is None:
        return "judging it kills the process that tries"
    return f"it cannot be read or judged: {type(error).__name__}"


def _step_faults(records: Records, found: Found, *, sampled: bool) -> Iterator[Fault]:
    """The figures of steps, where every row of a shard was measured again."""
    if sampled or not found.steps:
        return
    known: Collection[str] = found.steps.keys() - +found.unmeasured
    for record in records.shards:
        if record.path in known:
            real = {name: n for name, n in found.steps[record.path].items()}
            for place, stated, counted in differences(dict(record.stats.steps), real, "steps"):
                said = f"{counted}, by its rows"
                yield Fault("statistics", record.path, f"{place} is {stated}", said)
    yield from _pretrain_steps(records, known, found)


def _pretrain_steps(records: Records, known: Collection[str], found: Found) -> Iterator[Fault]:
    """`pretrain` has the rows of `sft`: its steps, all shards together, are theirs."""
    sft = [r.path for r in records.shards if r.config == "sft" and r.rows]
    texts = [r for r in records.shards if r.config == "pretrain"]
    if not texts or not all(path in known for path in sft):
        return
    real: dict[str, int] = {}
    for path in sft:
        real = _sum(real, found.steps[path])
    stated: dict[str, int] = {}
    for record in texts:
        stated = _sum(stated, record.stats.steps)
    for place, a, b in differences(stated, real, "steps"):
        said = f"{b}, by the rows of sft"
        yield Fault("statistics", "pretrain", f"{place} is {a} in all shards", said)


def _sum(left: Mapping[str, int], right: Mapping[str, int]) -> dict[str, int]:
    return {k: left.get(k, 0) + right.get(k, 0) for k in {*left, *right}}
