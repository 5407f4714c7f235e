"""Everything that is no shard, made again from the manifest and the shards' records, and compared.

Runs in a worker process: the report draws its sample from the shards, which somebody else made.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tracefactory.audit.faults import Fault, differences, short
from tracefactory.audit.inside import Unsafe, path_of, read_bytes
from tracefactory.audit.records import Records
from tracefactory.audit.statements import INDEX, ROWS, TABLE
from tracefactory.publish.card import card
from tracefactory.publish.release import contents_of, stats_table, texts
from tracefactory.store.commit import MANIFEST
from tracefactory.store.sums import SUMS

MAX_SHARDS = 1_000_000


@dataclass(frozen=True, slots=True)
class RemakeOrder:
    """What a worker needs to know."""

    root: str
    records: Records
    sums: Mapping[str, str]


def remake(order: RemakeOrder) -> list[Fault]:
    """What is not as it would be made from the manifest and the records."""
    return list(_faults(Path(order.root), order.records, order.sums))


def _faults(root: Path, records: Records, sums: Mapping[str, str]) -> Iterator[Fault]:
    extra = {name: sha256 for name, sha256 in sums.items() if name.startswith((ROWS, INDEX))}
    try:
        table = read_bytes(root, TABLE)
    except (OSError, Unsafe) as error:
        yield Fault("table_unreadable", TABLE, short(str(error)), "a table of the shards")
        table = b""
    yield from _table(root, records)
    try:
        lying = [(shard, path_of(root, shard.path)) for shard in records.shards]
        again = dict(texts(records.manifest, records.shards, lying, extra))
        # Not with a table of our own making: its bytes depend on the Parquet writer's version.
        contents = contents_of(records.shards, table)
        again["README.md"] = card(records.manifest, contents).encode()
    except Exception as error:  # templates and readers fed with somebody's word raise anything
        said = short(f"{type(error).__name__}: {error}")
        yield Fault("not_made_again", MANIFEST, said, "figures that a card can be made of")
        return
    for name, data in again.items():
        if name not in (TABLE, SUMS):
            yield from _same(root, name, data)


def _same(root: Path, name: str, expected: bytes) -> Iterator[Fault]:
    try:
        found = read_bytes(root, name)
    except FileNotFoundError:
        yield Fault("file_missing", name, "nothing", "a file of every release")
        return
    except (OSError, Unsafe) as error:
        yield Fault("file_unsafe", name, short(str(error)), "a plain file")
        return
    if found == expected:
        return
    left, right = found.decode("utf-8", "replace"), expected.decode("utf-8", "replace")
    pairs = zip([*left.splitlines(), ""], [*right.splitlines(), ""], strict=False)
    number, (a, b) = next(((n, p) for n, p in enumerate(pairs, 1) if p[0] != p[1]), (0, ("", "")))
    yield Fault("made_again", name, f"line {number}: {short(a)}", f"{short(b)}, made again")


def _table(root: Path, records: Records) -> Iterator[Fault]:
    """shards.parquet against the records."""
    try:
        with pq.ParquetFile(path_of(root, TABLE), page_checksum_verification=True) as file:
            if file.metadata.num_rows > MAX_SHARDS:
                raise Unsafe("more rows than there can be shards")
            found = file.read(use_threads=False)
    except (pa.ArrowException, OSError, Unsafe) as error:
        yield Fault("table_unreadable", TABLE, short(str(error)), "a table of the shards")
        return
    expected = stats_table(records.shards)
    if found.schema.remove_metadata() != expected.schema:
        yield Fault("table_schema", TABLE, short(str(found.schema.names)), "those of shard_stats")
        return
    left = {row["path"]: row for row in found.to_pylist()}
    right = {row["path"]: row for row in expected.to_pylist()}
    for place, stated, real in differences(left, right):
        yield Fault("table_differs", TABLE, f"{place} is {stated}", f"{real}, by the records")
