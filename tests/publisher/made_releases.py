"""Releases made by hand, row by row, for tests that need rows of their own choosing."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

import tracefactory
from tracefactory.publish.release import WRITER, over_shards, texts
from tracefactory.publish.rows import content_digest
from tracefactory.publisher.figures import figures
from tracefactory.schemas.manifest import SCHEMA_VERSION, Manifest, ShardStats
from tracefactory.schemas.traces import VIEW_SCHEMAS
from tracefactory.store.files import parquet_bytes

Row = tuple[str, str]
"""Id and answer text."""


def sft_row(row_id: str, text: str, recipe_id: str) -> dict[str, object]:
    row: dict[str, object] = dict.fromkeys(VIEW_SCHEMAS["sft"].names)
    fixed = {
        "domain": "mathematics", "task_type": "sum", "source": "made", "license": "CC0-1.0",
        "teacher": "solver", "teacher_revision": "program:1", "teacher_license": "Apache-2.0",
        "status": "correct", "reason": "equal", "verifier": "numeric@1", "finish_reason": "stop",
        "n_attempts": 1, "attempt_index": 0, "pass_rate": 0.1, "difficulty": 0.9,
    }  # fmt: skip
    said = f"<think>\n{text}\n</think>\n\n{text[:8]}"
    messages = [{"role": "user", "content": "?"}, {"role": "assistant", "content": said}]
    digest = hashlib.sha256(f"{row_id}{text}".encode()).hexdigest()
    named = {"id": row_id, "problem_id": row_id, "messages": messages, "answer": text[:8]}
    return row | fixed | named | {"recipe_id": recipe_id, "content_sha256": digest}


def shard(folder: Path, split: str, index: int, rows: Sequence[Row], recipe_id: str) -> ShardStats:
    schema = VIEW_SCHEMAS["sft"]
    table = pa.Table.from_pylist([sft_row(*row, recipe_id) for row in rows], schema=schema)
    data = bytes(parquet_bytes(table, published=True))
    path = f"sft/{split}-{index:05d}.parquet"
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(data)
    return ShardStats(
        path=path,
        config="sft",
        split=split,
        index=index,
        rows=len(rows),
        bytes=len(data),
        file_sha256=hashlib.sha256(data).hexdigest(),
        content_sha256=content_digest(table),
        row_groups=min(1, len(rows)),
        schema_sha256=hashlib.sha256(str(schema).encode()).hexdigest(),
        schema_version=SCHEMA_VERSION,
        writer=WRITER,
        recipe_id=recipe_id,
        seed=7,
        stats=figures("sft", table, None),
    )


def made(
    folder: Path, splits: Mapping[str, Sequence[Sequence[Row]]], recipe_id: str = "0" * 16
) -> Path:
    """A dataset folder whose config `sft` has these splits, shards and rows."""
    shards = [
        shard(folder, split, index, rows, recipe_id)
        for split in sorted(splits)
        for index, rows in enumerate(splits[split])
    ]
    empty = Manifest(
        name="made",
        schema_version=SCHEMA_VERSION,
        tracefactory=tracefactory.__version__,
        recipe_id=recipe_id,
        recipe={"name": "made", "seed": 7, "description": "", "stages": {}},
        seed=7,
        title="Made by hand",
        license=None,
        repository=None,
        parent_release=None,
        funnel={},
        rejected_rows={},
        inputs=[],
        configs={},
        files=[],
    )
    lying = [(one, folder / one.path) for one in shards]
    for path, data in texts(over_shards(empty, shards, None), shards, lying).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder
