"""One shard, read again: is the file what its record says, and do its rows add up to its figures?

Runs in a worker process, because a file can be made to crash its reader. Holds one row group.

Besides faults it gives a digest of every row, a few numbers each, by which rows of different views
are compared (digests.py, across.py).

Not here: the figures of single steps, which are not published row by row (recheck.py measures them
again), and of the lengths in copies of `sft`, which only `sft` can tell (across.py).
"""

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple, cast

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from tracefactory.audit.digests import Making, RowFaults, digest_of, digest_schema
from tracefactory.audit.faults import Fault, differences, short
from tracefactory.audit.indexed import has_part, part_faults
from tracefactory.audit.inside import Unsafe, path_of
from tracefactory.publish.rows import content_digest
from tracefactory.publish.stats import Measured, stats_of
from tracefactory.publisher.rows import rows_name, rows_of
from tracefactory.schemas.manifest import ShardStats, Stats
from tracefactory.schemas.traces import VIEW_SCHEMAS
from tracefactory.store.files import sha256_of

MAX_ROW_GROUP_BYTES = 1 << 30
"""Uncompressed: ten times what tracefactory writes."""

UNSEEN = frozenset({"steps", "limited_by_clock"})
"""Figures that no published column can tell."""

FROM_SFT = frozenset({
    "reasoning_chars", "answer_chars", "without_reasoning", "rows_with_false_steps",
    "correct_with_false_steps",
})  # fmt: skip
"""Figures of the COPIES that only the row of the same id in `sft` can tell."""

COPIES = frozenset({"pretrain", "sft_reasoning"})
"""Views that are `sft` in another shape."""


@dataclass(frozen=True, slots=True)
class ShardOrder:
    """What a worker needs to know."""

    root: str
    record: ShardStats
    seed: str
    """The auditor's: which rows a sample takes follows from it."""
    key: bytes
    """Of the digests, new in every audit."""
    instructions: tuple[str, ...]
    run_seed: int | None = None
    """The recipe's; see Making."""
    indexed: bool = False
    """Has the release an index of this program's definition?"""


class ShardFindings(NamedTuple):
    """What came of it."""

    faults: list[Fault]
    digest: pa.Table | None
    """One line a row; None where the file cannot be read."""


def read_shard(order: ShardOrder) -> ShardFindings:
    """Compare a shard with its record."""
    record = order.record
    try:
        path = path_of(Path(order.root), record.path)
    except FileNotFoundError:
        return ShardFindings([Fault("file_missing", record.path, "nothing", "a shard")], None)
    except Unsafe as error:
        return ShardFindings([Fault("file_unsafe", record.path, str(error), "a plain file")], None)
    faults = list(_bytes(path, record))
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            wrong = _shape(file, record)
            if any(fault.check in ("schema", "row_group_size") for fault in wrong):
                return ShardFindings([*faults, *wrong], None)
            found = _content(file, order)
        wrong += _listing(path, order)
        if order.indexed and has_part(record):
            wrong += part_faults(Path(order.root), record, path, order.instructions)
    except Exception as error:  # whatever a reader raises on a file made by somebody else
        said = short(f"{type(error).__name__}: {error}")
        return ShardFindings([*faults, Fault("unreadable", record.path, said, "Parquet")], None)
    return ShardFindings([*faults, *wrong, *found.faults], found.digest)


def _bytes(path: Path, record: ShardStats) -> Iterator[Fault]:
    size = path.stat().st_size
    if size != record.bytes:
        yield Fault("file_size", record.path, f"{size:,} bytes", f"{record.bytes:,}, its record")
    sha256 = sha256_of(path)
    if sha256 != record.file_sha256:
        yield Fault("file_sha256", record.path, sha256, f"{record.file_sha256}, its record")


def _shape(file: pq.ParquetFile, record: ShardStats) -> list[Fault]:
    """What the file's own metadata says, before any row is read."""
    faults: list[Fault] = []

    def differ(check: str, found: object, expected: object, who: str = "its record") -> None:
        if found != expected:
            faults.append(Fault(check, record.path, short(found), f"{short(expected)}, says {who}"))

    wanted = VIEW_SCHEMAS[record.config]
    if not file.schema_arrow.remove_metadata().equals(wanted):
        names = [f"{f.name}: {f.type}" for f in file.schema_arrow]
        other = [name for name in names if name not in [f"{f.name}: {f.type}" for f in wanted]]
        gone = [f.name for f in wanted if f.name not in file.schema_arrow.names]
        said = f"columns that should not be: {other}; missing: {gone}; or another order"
        faults.append(Fault("schema", record.path, short(said), f"the columns of {record.config}"))
    schema = hashlib.sha256(str(wanted).encode()).hexdigest()
    differ("shard_record", f"schema_sha256 {record.schema_sha256}", f"schema_sha256 {schema}",
           "the schema")  # fmt: skip
    differ("shard_record", f"row_groups {file.metadata.num_row_groups}",
           f"row_groups {record.row_groups}")  # fmt: skip
    groups = (file.metadata.row_group(i) for i in range(file.metadata.num_row_groups))
    largest = max((group.total_byte_size for group in groups), default=0)
    if largest > MAX_ROW_GROUP_BYTES:
        limit = f"at most {MAX_ROW_GROUP_BYTES:,} bytes"
        faults.append(Fault("row_group_size", record.path, f"{largest:,} bytes", limit))
    return faults


def _content(file: pq.ParquetFile, order: ShardOrder) -> ShardFindings:
    """Every row, a row group at a time."""
    record, rows = order.record, RowFaults(order.record.path)
    parts: list[Stats] = []
    digests: list[pa.Table] = []
    hashes: list[pa.Table] = []
    making = Making(
        order.seed, order.key, order.instructions, record.split, record.recipe_id, order.run_seed
    )
    for number in range(file.metadata.num_row_groups):
        table = file.read_row_group(number, use_threads=False)
        table.validate(full=True)  # also that texts are UTF-8
        hashes.append(table.select(["content_sha256"]))
        digest = digest_of(record.config, table, making, rows)
        digests.append(digest)
        parts.append(stats_of(record.config, table, _Recounted(table, digest)))
    faults = list(rows.all())
    whole = pa.concat_tables(hashes) if hashes else None
    n = whole.num_rows if whole is not None else 0
    if n != record.rows:
        said = f"{record.rows:,}, its record"
        faults.append(Fault("shard_rows", record.path, f"{n:,} rows", said))
    sha256 = hashlib.sha256().hexdigest() if whole is None else content_digest(whole)
    if sha256 != record.content_sha256:
        faults.append(
            Fault("content_sha256", record.path, sha256, f"{record.content_sha256}, its record")
        )
    faults += _figures(Stats.fold(parts), record)
    digest = pa.concat_tables(digests) if digests else digest_schema().empty_table()
    numbers = pa.array(range(digest.num_rows), pa.int32())
    return ShardFindings(faults, digest.set_column(0, "row", numbers))


def _listing(path: Path, order: ShardOrder) -> Iterator[Fault]:
    """The list of rows that a publication puts beside a shard, if there is one."""
    name = rows_name(order.record.path)
    try:
        listing = path_of(Path(order.root), name)
    except FileNotFoundError:
        return
    listed, real = pq.read_table(listing, page_checksum_verification=True), rows_of(path)
    if listed.schema.remove_metadata() != real.schema or listed.num_rows != real.num_rows:
        found = f"{listed.num_rows:,} rows of {listed.schema.names}"
        yield Fault("row_listing", name, found, f"{real.num_rows:,} of {real.schema.names}")
        return
    for stated, row in zip(listed.to_pylist(), real.to_pylist(), strict=True):
        if stated != row:
            said = f"{row['id']} {row['row_sha256'].hex()}, the row there"
            yield Fault("row_listing", name, short(stated["id"]), short(said))
            return


def _figures(found: Stats, record: ShardStats) -> Iterator[Fault]:
    """Statistics that the rows do not bear out."""
    unseen = UNSEEN | (FROM_SFT if record.config in COPIES else frozenset())
    if not found.rows:  # an empty view's figures come from no row: those of a zero are its own
        unseen |= {name for name in asdict(found) if name not in ("rows", "statuses")}
    told, counted = asdict(record.stats), asdict(found)
    for name in sorted(told.keys() - unseen):
        for place, stated, real in differences(told[name], counted[name], name):
            yield Fault("statistics", record.path, f"{place} is {stated}", f"{real}, by its rows")


class _Recounted(Measured):
    """What the rows themselves tell of what was measured of them."""

    def __init__(self, table: pa.Table, digest: pa.Table) -> None:
        n = table.num_rows
        nothing = pa.nulls(n, pa.int32())
        false = table.column("n_false_steps") if "n_false_steps" in table.column_names else nothing
        columns = {
            "attempt_id": table.column("id"),
            "n_reasoning_chars": digest.column("n_reasoning"),
            "n_answer_chars": digest.column("n_answer"),
            "n_true_steps": nothing,
            "n_rounded_steps": nothing,
            "n_repaired_steps": nothing,
            "n_false_steps": false,
            "n_uncheckable_steps": nothing,
            "steps_evidence": pa.nulls(n, pa.string()),
            "limited_by": pa.nulls(n, pa.string()),
        }
        frame = cast("pl.DataFrame", pl.from_arrow(pa.table(columns)))
        # An id that stands twice is a fault of its own, and must not count four times here.
        self.frame = frame.unique("attempt_id", keep="first", maintain_order=True)
