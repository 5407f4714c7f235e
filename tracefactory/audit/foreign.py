"""The audit of Parquet that tracefactory did not make, by the columns that the auditor names.

Every row is judged by one checker; where a column has a verdict, the two are compared. The sample
and the rows for planted errors follow from the auditor's seed and the rows' numbers.
"""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tracefactory.audit.asked import Asked, Told
from tracefactory.audit.digests import rank
from tracefactory.audit.examine import judge_all, probe_all
from tracefactory.audit.outcome import Outcome
from tracefactory.audit.planted import ROWS as PROBE_ROWS
from tracefactory.audit.recheck import ROWS, Order, spans
from tracefactory.audit.traces import Foreign
from tracefactory.cluster import Pool
from tracefactory.errors import SourceError

Row = tuple[str, int]
"""A file, and a row's number in it."""


def audit_foreign(
    target: str, files: Sequence[Path], columns: Foreign, asked: Asked, pool: Pool, told: Told
) -> Outcome:
    """Audit the rows of Parquet files.

    Raises:
        SourceError: a file is no Parquet, a column is not there, or there are no rows.
        ResourceError: the cluster is gone.
    """
    outcome = Outcome(target, "parquet", compares=columns.verdict is not None)
    started = time.monotonic()
    counts = {str(path): _rows(path, columns) for path in files}
    outcome.files, outcome.rows = len(counts), sum(counts.values())
    if not outcome.rows:
        raise SourceError(f"{target}: no rows in {len(counts):,} files; there is nothing to audit")
    seed = outcome.seed = asked.drawn_with()
    outcome.seconds["read"] = time.monotonic() - started
    if asked.recheck:
        started = time.monotonic()
        rows = _sampled(counts, seed, asked.sample)
        outcome.sampled = len(rows) < outcome.rows
        size = max(1, min(ROWS, -(-len(rows) // (8 * pool.workers))))
        orders = _orders(rows, columns, asked.allowed, size)
        outcome.found = judge_all(orders, len(rows), pool, told)
        outcome.seconds["recheck"] = time.monotonic() - started
    if asked.planted:
        started = time.monotonic()
        rows = _sampled(counts, f"{seed}:planted", _enough(outcome, asked.planted))
        orders = _orders(rows, columns, asked.allowed, PROBE_ROWS)
        outcome.probe = probe_all(orders, len(rows), pool, told)
        outcome.seconds["planted"] = time.monotonic() - started
    return outcome


def _enough(outcome: Outcome, planted: int) -> int:
    """Rows among which there may be so many that are correct; which ones is not known before."""
    found = outcome.found
    if found is None or not found.now["correct"]:
        return planted
    return -(-planted * found.now.total() // found.now["correct"])


def _rows(path: Path, columns: Foreign) -> int:
    try:
        with pq.ParquetFile(path) as file:
            names = set(file.schema_arrow.names)
            rows: int = file.metadata.num_rows
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{path}: no Parquet that can be read ({str(error)[:200]})") from error
    for column in columns.columns():
        if column not in names:
            raise SourceError(
                f"{path}: no column {column!r}; there are {', '.join(sorted(names))[:500]}"
            )
    return rows


def _sampled(counts: dict[str, int], seed: str, n: int | None) -> list[Row]:
    """All rows, or those that come first in an order that follows from the seed."""
    rows = [(file, row) for file, count in counts.items() for row in range(count)]
    if n is None or n >= len(rows):
        return rows
    # By the file's place and not its name: the same files elsewhere give the same sample.
    place = {file: number for number, file in enumerate(counts)}
    return sorted(rows, key=lambda row: rank(seed, f"{place[row[0]]}:{row[1]}"))[:n]


def _orders(
    rows: Sequence[Row], columns: Foreign, allowed: tuple[str, ...], size: int
) -> Iterator[Order]:
    by_file: dict[str, list[int]] = {}
    for file, row in rows:
        by_file.setdefault(file, []).append(row)
    for file, numbers in by_file.items():
        for span in spans("", file, numbers, size):
            yield Order(span, columns, allowed, None)
