"""What a row is: its id and the hash of all its columns but `recipe_id`.

These stand in `manifest/rows/`, one file a shard, in the shard's order. So the next publication
finds out what is there already without loading any shard. `recipe_id` is left out because it
changes with every edit of a recipe, also where the row does not.
"""

import hashlib
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = "manifest/rows"
LEFT_OUT = "recipe_id"
BATCH = 4096
"""Rows that are Python objects at one time."""

ROWS_SCHEMA = pa.schema([pa.field("id", pa.string()), pa.field("row_sha256", pa.binary())])


def rows_name(path: str) -> str:
    """Where the rows of a shard are listed: `manifest/rows/sft-train-00000.parquet`."""
    return f"{FOLDER}/{path.replace('/', '-')}"


def listed(batch: pa.RecordBatch | pa.Table) -> pa.Table:
    """Id and hash of each row; a row without an id has its hash for one."""
    ids: list[str] = []
    hashes: list[bytes] = []
    for row in batch.to_pylist():
        row.pop(LEFT_OUT, None)
        digest = hashlib.sha256(orjson.dumps(row, option=orjson.OPT_SORT_KEYS))
        ids.append(row.get("id") or digest.hexdigest())
        hashes.append(digest.digest())
    return pa.table([pa.array(ids, pa.string()), pa.array(hashes, pa.binary())], ROWS_SCHEMA)


def rows_of(shard: Path) -> pa.Table:
    """Id and hash of each row of a file, a batch at a time."""
    with pq.ParquetFile(shard, page_checksum_verification=True) as file:
        parts = [listed(batch) for batch in file.iter_batches(BATCH, use_threads=False)]
    return pa.concat_tables(parts) if parts else ROWS_SCHEMA.empty_table()


def rows_of_table(table: pa.Table) -> pa.Table:
    """The same of a table."""
    parts = [listed(batch) for batch in table.to_batches(max_chunksize=BATCH)]
    return pa.concat_tables(parts) if parts else ROWS_SCHEMA.empty_table()
