"""The index of a release: what later runs find its rows by, without its texts.

A release made with a near dedupe carries one, a pure function of its shards and of the frozen
definition (nearness/spec.py):

    index/spec.json                        the definition; another one is refused
    index/sft-train-00000.bands.parquet    (hash, row), sorted by hash: twenty lines a row
    index/sft-train-00000.rows.parquet     id, problem, 128 bits of content, guard, sketch

and the same of `rl`. Of a release without one it is made of the shards themselves: it costs their
texts, and gives the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from tracefactory.nearness.documents import Documents, of_problems, of_traces
from tracefactory.nearness.jaccard import SKETCH
from tracefactory.nearness.signature import raw_bands, signatures
from tracefactory.nearness.spec import BANDS, spec
from tracefactory.repeats.tables import numbers_of
from tracefactory.user_turn import statement_of

FOLDER = "index"
ROLE = "index-"
"""How the roles begin of what a publish stage leaves of it."""
FACT = "near"
"""Of chunks that a near dedupe has seen: their release gets an index."""
SPEC = f"{FOLDER}/spec.json"
TURNS = {"problems": "rl", "traces": "sft"}
"""Which view has the texts of a turn."""

ROWS_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("problem_id", pa.string()),
        pa.field("high", pa.uint64()),
        pa.field("low", pa.uint64()),
        pa.field("answers", pa.uint64()),
        pa.field("numbers", pa.uint64()),
        pa.field("length", pa.int32()),  # in tokens
        pa.field("near", pa.bool_()),  # long enough to be near another
        pa.field("sketch", pa.list_(pa.uint64())),  # the 256 least shingles
    ]
)
BANDS_SCHEMA = pa.schema([pa.field("hash", pa.uint64()), pa.field("row", pa.int32())])


def names_of(path: str) -> tuple[str, str]:
    """Where the index of a shard stands: its rows, its bands."""
    stem = f"{FOLDER}/{path.replace('/', '-').removesuffix('.parquet')}"
    return f"{stem}.rows.parquet", f"{stem}.bands.parquet"


def spec_bytes() -> bytes:
    """spec.json."""
    return orjson.dumps(spec(), option=orjson.OPT_INDENT_2) + b"\n"


def index_tables(tables: Mapping[str, pa.Table], lines: Sequence[str]) -> dict[str, pa.Table]:
    """The index of all tables of a shard task, by `<view>.<split>`; roles of outputs."""
    found: dict[str, pa.Table] = {}
    for role, table in tables.items():
        if role.partition(".")[0] in TURNS.values():
            rows, bands = indexed(role.partition(".")[0], table, lines)
            found |= {f"{ROLE}rows.{role}": rows, f"{ROLE}bands.{role}": bands}
    return found


# --- Made ----------------------------------------------------------------------------------------


def indexed(config: str, shard: pa.Table, instructions: Sequence[str]) -> tuple[pa.Table, pa.Table]:
    """The index of a shard of `sft` or `rl`: rows, and bands."""
    made = _problems(shard, instructions) if config == "rl" else _traces(shard)
    ids = shard.column("id").combine_chunks()
    near = made.near()
    sketches = [made.shingles(row)[:SKETCH] for row in range(len(made))]
    rows = pa.Table.from_arrays(
        [
            ids, shard.column("problem_id").combine_chunks(), pa.array(made.high),
            pa.array(made.low), pa.array(made.answers), pa.array(made.numbers),
            pa.array(made.lengths, pa.int32()), pa.array(near),
            pa.array(sketches, pa.list_(pa.uint64())),
        ],
        schema=ROWS_SCHEMA,
    )  # fmt: skip
    chosen = np.flatnonzero(near).astype(np.int32)
    hashes = raw_bands(signatures(made.tokens))[chosen].reshape(-1)
    owners = np.repeat(chosen, BANDS)
    order = np.lexsort((owners, hashes))
    bands = pa.Table.from_arrays(
        [pa.array(hashes[order]), pa.array(owners[order])], schema=BANDS_SCHEMA
    )
    return rows, bands


def _problems(shard: pa.Table, instructions: Sequence[str]) -> Documents:
    prompts = ["".join(turn["content"] for turn in p) for p in shard.column("prompt").to_pylist()]
    lines = sorted(filter(None, instructions), key=len, reverse=True)
    statements = [statement_of(prompt, lines) for prompt in prompts]
    return of_problems(statements, shard.column("solution").to_pylist())


def _traces(shard: pa.Table) -> Documents:
    turns: list[list[dict[str, str]]] = shard.column("messages").to_pylist()
    answers = [answer or "" for answer in shard.column("final_answer").to_pylist()]
    asked = [row[0]["content"] for row in turns]
    return of_traces([row[-1]["content"] for row in turns], answers, asked, np.arange(len(turns)))


def instructions_of(recipe: Mapping[str, Any]) -> list[str]:
    """The lines that a recipe puts behind statements."""
    stages = recipe.get("stages")
    found = stages.values() if isinstance(stages, Mapping) else ()
    lines = {s.get("instruction") for s in found if isinstance(s, Mapping)}
    return sorted(line for line in lines if isinstance(line, str) and line)


def index_of(path: Path, config: str, instructions: Sequence[str]) -> tuple[pa.Table, pa.Table]:
    """The index of a shard that lies here, made of its file: rows, and bands."""
    parts = list(_read_in_parts(path, config, instructions))
    if not parts:
        return ROWS_SCHEMA.empty_table(), BANDS_SCHEMA.empty_table()
    bands = pa.concat_tables([part[1] for part in parts])
    rows = pa.concat_tables([part[0] for part in parts]).combine_chunks()
    order = np.lexsort((bands.column("row").to_numpy(), numbers_of(bands, "hash")))
    return rows, bands.take(pa.array(order)).combine_chunks()


def _read_in_parts(
    path: Path, view: str, instructions: Sequence[str]
) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Some thousand rows at a time; rows are counted on."""
    columns = ["id", "problem_id", *(("prompt", "solution") if view == "rl" else
                                     ("messages", "final_answer"))]  # fmt: skip
    first = 0
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        for batch in file.iter_batches(5000, columns=columns, use_threads=False):
            rows, bands = indexed(view, pa.Table.from_batches([batch]), instructions)
            moved = pa.array(bands.column("row").to_numpy() + np.int32(first))
            yield rows, bands.set_column(1, BANDS_SCHEMA.field("row"), moved)
            first += batch.num_rows
