"""The index that a release carries for later runs, made again from its shards and compared.

A wrong index lets a later run drop what was never published, or keep what was, so all of it is made
again: both tables of a shard follow from its rows and the frozen definition alone.

Not here: an index of another definition, which nothing here can make again.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from tracefactory.audit.faults import Fault, short
from tracefactory.audit.inside import Unsafe, path_of, read_bytes
from tracefactory.audit.records import Records
from tracefactory.errors import IntegrityError
from tracefactory.repeats.index import (
    BANDS_SCHEMA,
    FOLDER,
    ROWS_SCHEMA,
    SPEC,
    TURNS,
    index_of,
    names_of,
    spec_bytes,
)
from tracefactory.schemas.manifest import ShardStats
from tracefactory.store.files import read_parquet

_STEP = 4096
"""Rows that are Python objects at one time."""


def has_part(record: ShardStats) -> bool:
    """Is a shard one of those that an index is of?"""
    return record.config in TURNS.values()


def same_definition(root: Path) -> bool | None:
    """Is the index of this program's definition? None: there is none."""
    try:
        return read_bytes(root, SPEC) == spec_bytes()
    except (OSError, Unsafe):
        return None


def named_faults(records: Records, sums: Mapping[str, str]) -> Iterator[Fault]:
    """A part of the index for each shard, and no other; nothing where there is no index at all."""
    there = {name for name in sums if name.startswith(f"{FOLDER}/")}
    if not there:
        return
    wanted = {SPEC: "every index"}
    for record in records.shards:
        if has_part(record):
            wanted |= dict.fromkeys(names_of(record.path), record.path)
    for name in sorted(wanted.keys() - there):
        yield Fault("index_missing", name, "nothing", f"the index of {wanted[name]}")
    for name in sorted(there - wanted.keys()):
        yield Fault("index_unlisted", short(name), "a file", "the index of a shard there is")


def part_faults(
    root: Path, record: ShardStats, shard: Path, instructions: Sequence[str]
) -> Iterator[Fault]:
    """The index of one shard against its rows."""
    made = index_of(shard, record.config, instructions)
    for name, schema, real in zip(
        names_of(record.path), (ROWS_SCHEMA, BANDS_SCHEMA), made, strict=True
    ):
        try:
            found = read_parquet(path_of(root, name))
        except FileNotFoundError:
            continue  # said by named_faults
        except (IntegrityError, pa.ArrowException, OSError, Unsafe) as error:
            yield Fault("index_unreadable", name, short(str(error)), "Parquet")
            continue
        if found.schema.remove_metadata() != schema or found.num_rows != real.num_rows:
            said = f"{found.num_rows:,} rows of {found.schema.names}"
            yield Fault("index_differs", name, short(said), f"{real.num_rows:,} of {schema.names}")
        elif not found.equals(real):
            yield _difference(name, found, real)


def _difference(name: str, found: pa.Table, real: pa.Table) -> Fault:
    """The first line that is another."""
    for first in range(0, real.num_rows, _STEP):
        pair = found.slice(first, _STEP), real.slice(first, _STEP)
        if pair[0].equals(pair[1]):
            continue
        for at, (stated, row) in enumerate(zip(*(part.to_pylist() for part in pair), strict=True)):
            if stated != row:
                keys = [key for key in row if stated[key] != row[key]]
                line = f"line {first + at}: {', '.join(f'{key} {stated[key]}' for key in keys)}"
                wanted = ", ".join(f"{key} {row[key]}" for key in keys)
                return Fault("index_differs", name, short(line), f"{short(wanted)}, by its rows")
    return Fault("index_differs", name, "other values", "those of its rows")
