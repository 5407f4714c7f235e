"""Settle a release against the one that is published: what stays, what changes, what is new.

    a published shard, all of whose rows are here unchanged     stays: not sent, not even loaded
    one with rows gone or changed                               is written again, in the same order
    rows that no published shard has                            go to new shards, after the last

So a shard's bytes change only when its rows do, however the local shards are cut. Where nothing is
published, shards are sent as they are.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from tracefactory.publisher.deal import Deal, Written
from tracefactory.publisher.disk import TEMPORARY_ADVICE, written
from tracefactory.publisher.head import Head
from tracefactory.publisher.index import Index
from tracefactory.publisher.local import Local
from tracefactory.publisher.rows import rows_name, rows_of
from tracefactory.publisher.verdicts import ALL_IN_COLUMNS, can_be_counted, run_of, verdicts
from tracefactory.repeats.index import SPEC, TURNS, index_of, instructions_of, names_of
from tracefactory.repeats.index import spec_bytes as definition
from tracefactory.schemas.manifest import ShardStats
from tracefactory.store.files import parquet_bytes, sha256_of, write_new


@dataclass(frozen=True, slots=True)
class Beside:
    """A file that goes with a shard: the list of its rows, its index."""

    source: Path | None
    """None: it is at the target already."""
    sha256: str


@dataclass(frozen=True, slots=True)
class Settled:
    """A shard of the release that will be."""

    stats: ShardStats
    source: Path | None
    """Its file; None: it is at the target already."""
    beside: Mapping[str, Beside]
    """What goes with it, by path."""


Group = tuple[str, str]


DEFINITION = hashlib.sha256(definition()).hexdigest()
"""sha256 of the definition by which indexes are made here."""


def has_index(local: Local, shard: ShardStats | None = None) -> bool:
    """Does the release have an index, and this shard a part in it?"""
    wanted = shard is None or shard.config in TURNS.values()
    return wanted and SPEC in local.sums


def group_of(shard: ShardStats) -> Group:
    """Config and split."""
    return shard.config, shard.split


def settle(local: Local, head: Head | None, work: Path) -> Iterator[Settled]:
    """The shards of the release that will be, each as soon as it is known or written.

    `work` is an empty folder for what is written. Holds one shard's rows at a time, and 32 bytes
    for each row of the largest split.

    Raises:
        IntegrityError: local or published files are not what their records say.
        ResourceError: disk full.
    """
    groups: dict[Group, list[ShardStats]] = {}
    for shard in local.shards:
        groups.setdefault(group_of(shard), []).append(shard)
    for group in sorted(groups, key=".".join):
        published = [s for s in (head.shards if head else ()) if group_of(s) == group]
        one = _Split(local, head, work, groups[group], published)
        # A split without rows keeps its one empty file: readers of the config need it.
        empty = not any(shard.rows for shard in groups[group])
        as_it_is = empty or one.alike() or not one.can_be_counted()
        yield from one.as_they_are() if as_it_is else one.settled()


class _Split:
    """One config and split."""

    def __init__(
        self,
        local: Local,
        head: Head | None,
        work: Path,
        shards: Sequence[ShardStats],
        published: Sequence[ShardStats],
    ) -> None:
        self._local, self._head, self._work = local, head, work
        self._shards, self._published = shards, published
        self._by_hash = {shard.file_sha256: shard for shard in published}

    def alike(self) -> bool:
        """Is nothing published of it, or are the published shards these very files?"""
        there = {(shard.path, shard.file_sha256) for shard in self._published}
        return not there or there == {(shard.path, shard.file_sha256) for shard in self._shards}

    def can_be_counted(self) -> bool:
        """Are figures of rows in other shards to be had? If not, shards are sent as they are."""
        return all(can_be_counted(self._local, shard) for shard in self._shards)

    def as_they_are(self) -> Iterator[Settled]:
        """Nothing to settle with."""
        for shard in self._shards:
            same = self._by_hash.get(shard.file_sha256)
            kept = self._kept(same) if same is not None and same.path == shard.path else None
            if kept is not None:
                yield kept
            else:
                source = self._local.checked(shard)
                yield self._new(shard, source, rows_of(source))

    def settled(self) -> Iterator[Settled]:
        """Kept shards first, in the target's order; then those written again, then new ones."""
        index = Index(self._local_rows(shard) for shard in self._shards)
        names: dict[int, ShardStats] = {}
        for number, shard in enumerate(self._published):
            rows = self._published_rows(shard)
            if rows is None:
                continue
            here, unchanged = index.matched(rows)
            kept = self._kept(shard) if unchanged and self._fits(shard) else None
            if kept is not None:
                yield kept
            elif len(here):
                index.send(here, number)
                names[number] = shard
        names |= self._cut(index)
        yield from self._written(index, names)

    def _cut(self, index: Index) -> dict[int, ShardStats]:
        """Share rows that are new out among new shards, none larger than the largest local one."""
        rows = index.unseen()
        most = max(shard.rows for shard in self._shards)
        parts = -(-len(rows) // most)
        after = 1 + max(shard.index for shard in self._published)
        found: dict[int, ShardStats] = {}
        for part in range(parts):
            number, place = len(self._published) + part, after + part
            model = self._shards[0]
            found[number] = replace(
                model, index=place, path=f"{model.config}/{model.split}-{place:05d}.parquet"
            )
            index.send(rows[len(rows) * part // parts : len(rows) * (part + 1) // parts], number)
        return found

    def _written(self, index: Index, names: dict[int, ShardStats]) -> Iterator[Settled]:
        with Deal(self._work, self._shards[0]) as deal:
            for number, shard in enumerate(self._shards):
                rows, targets, places = index.moves(number)
                if len(rows):
                    deal.out(self._local.checked(shard), rows, targets, places)
            run = run_of(self._local)
            if run is not None and names and self._shards[0].config not in ALL_IN_COLUMNS:
                for measures in verdicts(run):
                    deal.measured(measures, index)
            for number, shard in names.items():
                yield self._sent(deal.gather(number, shard))

    def _sent(self, written: Written) -> Settled:
        return self._new(written.stats, written.path, written.rows)

    def _new(self, shard: ShardStats, source: Path, rows: pa.Table) -> Settled:
        listed = {rows_name(shard.path): self._written_down(rows_name(shard.path), rows)}
        return Settled(shard, source, listed | self._indexed(shard, source))

    def _written_down(self, name: str, table: pa.Table) -> Beside:
        path = self._work / name
        with written(path, TEMPORARY_ADVICE):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_new(path, parquet_bytes(table, published=True))
        return Beside(path, sha256_of(path))

    def _indexed(self, shard: ShardStats, file: Path) -> dict[str, Beside]:
        """The index of a shard that lies here, where the release has one."""
        if not has_index(self._local, shard):
            return {}
        names = names_of(shard.path)
        if file == self._local.folder / shard.path and self._local.sums[SPEC] == DEFINITION:
            return {name: Beside(self._local.beside(name), self._local.sums[name])
                    for name in names}  # fmt: skip
        lines = instructions_of(self._local.manifest.recipe)
        tables = index_of(file, shard.config, lines)
        return {n: self._written_down(n, table) for n, table in zip(names, tables, strict=True)}

    def _index_there(self, shard: ShardStats) -> dict[str, Beside] | None:
        """The index of a published shard; None: it is not to be had."""
        assert self._head is not None
        if not has_index(self._local, shard):
            return {}
        place, sums = self._head.place, self._head.sums
        names = names_of(shard.path)
        if sums.get(SPEC) == DEFINITION and all(
            name in sums and place.has(name, sums[name]) for name in names
        ):
            return {name: Beside(None, sums[name]) for name in names}
        file = place.fetch(shard.path)  # published without an index, or with another
        return None if file is None else self._indexed(shard, file)

    def _kept(self, shard: ShardStats) -> Settled | None:
        """The published shard, if it is there as its record says and its rows are listed."""
        assert self._head is not None
        place, name = self._head.place, rows_name(shard.path)
        listed = self._head.sums.get(name)
        if listed is None or not place.holds(shard) or not place.has(name, listed):
            return None
        index = self._index_there(shard)
        return None if index is None else Settled(
            shard, None, {name: Beside(None, listed)} | index
        )  # fmt: skip

    def _fits(self, shard: ShardStats) -> bool:
        """Would its columns go with those of the local shards?"""
        return shard.schema_sha256 == self._shards[0].schema_sha256

    def _published_rows(self, shard: ShardStats) -> pa.Table | None:
        assert self._head is not None
        return self._head.rows(shard)

    def _local_rows(self, shard: ShardStats) -> pa.Table:
        """Not read where the very same file is published: its rows are listed there."""
        same = self._by_hash.get(shard.file_sha256)
        listed = self._published_rows(same) if same is not None else None
        return rows_of(self._local.checked(shard)) if listed is None else listed
