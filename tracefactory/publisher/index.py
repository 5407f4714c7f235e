"""Where each row of the local release stands: 32 bytes a row, whatever the rows' size.

Ids and hashes are kept by their first 8 bytes. Two ids that share those are found and refused, so
nothing is ever taken for what it is not; among a hundred million ids that is one chance in 3,000.
"""

import hashlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tracefactory.errors import IntegrityError

Words = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]

NOWHERE = -1


def keys_of(ids: pa.ChunkedArray) -> Words:
    """First 8 bytes of the sha256 of each id."""
    digests = (hashlib.sha256(i.encode()).digest()[:8] for i in ids.to_pylist())
    return np.frombuffer(b"".join(digests), dtype=">u8").astype(np.uint64)


def sums_of_rows(rows: pa.Table) -> Words:
    """First 8 bytes of the hash of each row."""
    digests = (value[:8] for value in rows.column("row_sha256").to_pylist())
    return np.frombuffer(b"".join(digests), dtype=">u8").astype(np.uint64)


class Index:
    """The rows of one split, sorted by key, and where each of them shall go."""

    def __init__(self, shards: Iterable[pa.Table]) -> None:
        """Args: ids and hashes of each local shard in turn."""
        keys: list[Words] = []
        sums: list[Words] = []
        numbers: list[Numbers] = []
        rows: list[Numbers] = []
        for number, listed in enumerate(shards):
            keys.append(keys_of(listed.column("id")))
            sums.append(sums_of_rows(listed))
            numbers.append(np.full(listed.num_rows, number, np.int32))
            rows.append(np.arange(listed.num_rows, dtype=np.int32))
        together = np.concatenate(keys) if keys else np.zeros(0, np.uint64)
        order = np.argsort(together, kind="stable")
        self.keys: Words = together[order]
        if (self.keys[1:] == self.keys[:-1]).any():
            raise IntegrityError("two rows of one split have the same id; nothing was published")
        self.sums: Words = np.concatenate(sums)[order] if sums else together
        self.shard: Numbers = np.concatenate(numbers)[order] if numbers else _none(0)
        self.row: Numbers = np.concatenate(rows)[order] if rows else _none(0)
        self.target: Numbers = _none(len(self.keys))
        """Number of the shard that a row is written to; NOWHERE: it is published already."""
        self.place: Numbers = _none(len(self.keys))
        """Its place among the rows there."""
        self.seen: Flags = np.zeros(len(self.keys), np.bool_)

    def matched(self, published: pa.Table) -> tuple[Numbers, bool]:
        """Where the rows of a published shard stand here, and whether all are here unchanged.

        Raises:
            IntegrityError: a row stands twice in what is published.
        """
        keys = keys_of(published.column("id"))
        if not len(self.keys):
            return _none(0), not len(keys)
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        found = self.keys[at] == keys
        same = found & (self.sums[at] == sums_of_rows(published))
        here = at[found].astype(np.int32)
        if self.seen[here].any() or len(np.unique(here)) < len(here):
            raise IntegrityError("the published release has a row twice; audit it before going on")
        self.seen[here] = True
        return here, bool(same.all())

    def send(self, rows: Numbers, target: int) -> None:
        """Have rows written to a shard, in this order."""
        self.target[rows] = target
        self.place[rows] = np.arange(len(rows), dtype=np.int32)

    def unseen(self) -> Numbers:
        """Rows that no published shard has, in the order of their ids' hashes."""
        return np.flatnonzero(~self.seen).astype(np.int32)

    def targets(self, ids: pa.ChunkedArray) -> Numbers:
        """Where rows of these ids go; NOWHERE: they stay, or are none of this split."""
        keys = keys_of(ids)
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[at] == keys, self.target[at], NOWHERE).astype(np.int32)

    def moves(self, shard: int) -> tuple[Numbers, Numbers, Numbers]:
        """(row, target, place) of the rows of a local shard that are to be written, by row."""
        here = np.flatnonzero((self.shard == shard) & (self.target != NOWHERE))
        here = here[np.argsort(self.row[here])]
        return self.row[here], self.target[here], self.place[here]


def _none(n: int) -> Numbers:
    return np.full(n, NOWHERE, np.int32)
