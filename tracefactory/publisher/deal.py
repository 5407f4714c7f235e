"""Write shards whose rows come from many local ones: deal the rows out, then gather each shard's.

Each local shard is read once, a batch at a time; what goes to one new shard is laid down in a
folder of its own. Then the new shards are put together one by one. So memory holds one shard's
rows, and disk what is written again, once more.
"""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tracefactory.publish.release import WRITER
from tracefactory.publish.rows import content_digest
from tracefactory.publisher.disk import TEMPORARY_ADVICE, written
from tracefactory.publisher.figures import figures
from tracefactory.publisher.index import NOWHERE, Index, Numbers
from tracefactory.publisher.rows import BATCH, rows_of_table
from tracefactory.schemas.manifest import ShardStats
from tracefactory.store.files import (
    parquet_bytes,
    row_group_rows,
    sha256_of,
    write_new,
)

PLACE = "__place"


@dataclass(frozen=True, slots=True)
class Written:
    """A shard that was put together."""

    stats: ShardStats
    path: Path
    rows: pa.Table
    """Id and hash of each row."""


class Deal:
    """Rows on their way from local shards to those that will be published."""

    def __init__(self, work: Path, model: ShardStats) -> None:
        """Args: a folder to write in; any local shard of the split."""
        self._work, self._model = work, model
        self._spool = work / "spool"
        self._pieces = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        shutil.rmtree(self._spool, ignore_errors=True)

    def out(self, shard: Path, rows: Numbers, targets: Numbers, places: Numbers) -> None:
        """Lay down rows of a local shard, by target. `rows` ascends."""
        first = 0
        with pq.ParquetFile(shard, page_checksum_verification=True) as file:
            for batch in file.iter_batches(BATCH, use_threads=False):
                start, end = np.searchsorted(rows, (first, first + batch.num_rows))
                here = slice(int(start), int(end))
                if start < end:
                    self._lay(batch, rows[here] - first, targets[here], places[here])
                first += batch.num_rows

    def _lay(self, batch: pa.RecordBatch, rows: Numbers, targets: Numbers, places: Numbers) -> None:
        for target in np.unique(targets):
            chosen = targets == target
            part = batch.take(pa.array(rows[chosen])).append_column(PLACE, pa.array(places[chosen]))
            self._lay_down(pa.Table.from_batches([part]), str(target))

    def measured(self, measures: pa.Table, index: Index) -> None:
        """Lay down what was measured of rows, beside them."""
        targets = index.targets(measures.column("attempt_id"))
        for target in np.unique(targets[targets != NOWHERE]):
            self._lay_down(measures.filter(pa.array(targets == target)), f"{target}.measures")

    def _lay_down(self, table: pa.Table, folder: str) -> None:
        self._pieces += 1
        path = self._spool / folder / f"{self._pieces:08d}.arrow"
        with written(path, TEMPORARY_ADVICE):
            path.parent.mkdir(parents=True, exist_ok=True)
            with pa.OSFile(str(path), "wb") as file:
                options = pa.ipc.IpcWriteOptions(compression="lz4")
                with pa.ipc.new_stream(file, table.schema, options=options) as stream:
                    stream.write_table(table)

    def _picked_up(self, folder: str) -> pa.Table | None:
        """All that was laid down there, which lies there no more then."""
        parts: list[pa.Table] = []
        for path in sorted((self._spool / folder).glob("*.arrow")):
            with pa.OSFile(str(path), "rb") as file, pa.ipc.open_stream(file) as stream:
                parts.append(stream.read_all())
        shutil.rmtree(self._spool / folder, ignore_errors=True)
        return pa.concat_tables(parts) if parts else None

    def table(self, target: int) -> pa.Table:
        """The rows of a shard, in their places; they lie here no more then."""
        table = self._picked_up(str(target))
        assert table is not None, "rows were sent to it"
        return table.sort_by(PLACE).drop_columns([PLACE])

    def gather(self, target: int, name: ShardStats) -> Written:
        """Put a shard together; `name` says its path, config, split and number."""
        table = self.table(target)
        data = parquet_bytes(table, published=True)
        path = self._work / name.path
        with written(path, TEMPORARY_ADVICE):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_new(path, data)
        stats = replace(
            self._model,
            path=name.path,
            index=name.index,
            rows=table.num_rows,
            bytes=len(data),
            file_sha256=sha256_of(path),
            content_sha256=content_digest(table),
            row_groups=-(-table.num_rows // row_group_rows(table, published=True)),
            writer=WRITER,
            stats=figures(name.config, table, self._picked_up(f"{target}.measures")),
        )
        return Written(stats, path, rows_of_table(table))
