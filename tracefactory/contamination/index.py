"""The items of all benchmarks as sorted hashes: made once, kept as Parquet, loaded by each worker.

    items    one row an item with tokens of its own; others with the same tokens are named beside it
    grams    (hash, item) of all runs of 8 tokens, sorted; the same masked, of 5 tokens
    short    (hash, length, item) of items of fewer than 11 tokens, as wholes

`own` marks the grams by which an item is looked for: those that at most `max_items` items have
(stock phrases have none), or its 8 rarest where it has no such gram. In memory a gram takes about
30 bytes.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from tracefactory.contamination.grams import (
    I64,
    MASKED_N,
    SHORT,
    U64,
    N,
    grams,
    masked,
    runs,
    tokens_of,
    whole,
)
from tracefactory.contamination.search import GramSet, ShortSet
from tracefactory.nearness.tokens import NUMBER, Tokens
from tracefactory.stages.contract import Inputs, Result
from tracefactory.task import Chunk

RAREST: Final = 8
"""Grams by which an item is looked for that has none of its own."""
_NO_DIGITS: Final = re.compile("[^0-9]+")
SHORTEST: Final = 3
"""Tokens; items of fewer are left out: they stand in every other text."""
SPECIFIC: Final = 5
"""Tokens from which on a short item with a number is looked for inside a statement, too."""

INDEX_SCHEMA = pa.schema(
    [
        pa.field("benchmark", pa.string(), nullable=False),
        pa.field("item", pa.string(), nullable=False),
        pa.field("n_tokens", pa.int32(), nullable=False),
        pa.field("digits", pa.string(), nullable=False),  # all of the text, in their order
        pa.field("also", pa.list_(pa.string()), nullable=False),  # `benchmark/item`: same tokens
    ]
)
GRAM_SCHEMA = pa.schema(
    [
        pa.field("hash", pa.uint64(), nullable=False),
        pa.field("item", pa.int32(), nullable=False),
        pa.field("own", pa.bool_(), nullable=False),
    ]
)
SHORT_SCHEMA = pa.schema(
    [
        pa.field("hash", pa.uint64(), nullable=False),
        pa.field("item", pa.int32(), nullable=False),
        pa.field("n_tokens", pa.int32(), nullable=False),
        pa.field("inside", pa.bool_(), nullable=False),  # also where a text says more than it
    ]
)
TABLES = {
    "index_items": INDEX_SCHEMA,
    "index_grams": GRAM_SCHEMA,
    "index_masked": GRAM_SCHEMA,
    "index_short": SHORT_SCHEMA,
}


def build(items: pa.Table, max_items: int) -> Result:
    """The index of all items, whatever their order."""
    items = items.sort_by(
        [("benchmark", "ascending"), ("item", "ascending"), ("text", "ascending")]
    )
    tokens = tokens_of(items.column("text").combine_chunks())
    first, also = _distinct(tokens, items)
    chosen = _of_texts(tokens, first)
    lengths = chosen.counts()
    long = _of_texts(chosen, np.flatnonzero(lengths >= SHORT))
    number = np.flatnonzero(lengths >= SHORT)
    bare = masked(long)
    tables = {
        "index_items": pa.table(
            {
                "benchmark": items.column("benchmark").take(first),
                "item": items.column("item").take(first),
                "n_tokens": pa.array(lengths, pa.int32()),
                "digits": [
                    digits_of(text) for text in items.column("text").take(first).to_pylist()
                ],
                "also": pa.array(also, pa.list_(pa.string())),
            }
        ).cast(INDEX_SCHEMA),
        "index_grams": _postings(long, N, number, max_items),
        "index_masked": _postings(bare, MASKED_N, number, max_items),
        "index_short": _short(chosen),
    }
    counts = {
        "distinct_items": len(first),
        "too_short": int((lengths < SHORTEST).sum()),
        "grams": tables["index_grams"].num_rows,
        "masked_grams": tables["index_masked"].num_rows,
    }
    return Result(tables, counts)


def _distinct(tokens: Tokens, items: pa.Table) -> tuple[I64, list[list[str]]]:
    """The first item of each sequence of tokens, and the names of the others with the same."""
    first: dict[bytes, int] = {}
    also: dict[int, list[str]] = {}
    names = zip(
        items.column("benchmark").to_pylist(), items.column("item").to_pylist(), strict=True
    )
    for number, (benchmark, item) in enumerate(names):
        digest = hashlib.blake2b(tokens.of(number).tobytes(), digest_size=16).digest()
        at = first.setdefault(digest, number)
        others = also.setdefault(at, [])
        if at != number:
            others.append(f"{benchmark}/{item}")
    return np.array(list(also), np.int64), list(also.values())


def digits_of(text: str) -> str:
    """All digits of a text in their order: no punctuation changes them."""
    return _NO_DIGITS.sub("", text)


def _of_texts(tokens: Tokens, texts: I64) -> Tokens:
    """The tokens of some of the texts."""
    counts = tokens.counts()[texts]
    ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    at = np.arange(ends[-1]) + np.repeat(tokens.offsets[:-1][texts] - ends[:-1], counts)
    return Tokens(tokens.hashes[at], tokens.kinds[at], ends)


def _postings(tokens: Tokens, n: int, number: I64, max_items: int) -> pa.Table:
    """(hash, item, own), sorted by hash and item; `number` is each text's item."""
    places, texts = whole(tokens.offsets, n)
    found = grams(tokens.hashes, n)[places]
    order = np.lexsort((texts, found))
    found, texts = found[order], texts[order]
    new = np.ones(len(found), np.bool_)
    new[1:] = (found[1:] != found[:-1]) | (texts[1:] != texts[:-1])
    found, texts = found[new], texts[new]
    own = _own(found, texts, len(tokens), max_items)
    columns = [found, number[texts].astype(np.int32), own]
    return pa.Table.from_arrays([pa.array(c) for c in columns], schema=GRAM_SCHEMA)


def _own(found: U64, texts: I64, n_texts: int, max_items: int) -> Any:  # noqa: ANN401 (a mask)
    """By which of its grams a text is looked for."""
    new = np.ones(len(found), np.bool_)
    new[1:] = found[1:] != found[:-1]
    of_key = np.diff(np.append(np.flatnonzero(new), len(found)))
    n_items = np.repeat(of_key, of_key)
    own = n_items <= max_items
    none = np.bincount(texts[own], minlength=n_texts) == 0
    poor = np.flatnonzero(none[texts])
    order = poor[np.lexsort((found[poor], n_items[poor], texts[poor]))]
    counts = np.bincount(texts[order], minlength=n_texts)
    rank = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    own[order[rank < RAREST]] = True
    return own


def _short(tokens: Tokens) -> pa.Table:
    """Items that are looked for as wholes."""
    lengths = tokens.counts()
    every = dict(runs(tokens.hashes, SHORTEST, SHORT - 1))
    rows: list[tuple[int, int, int, bool]] = []
    for item in np.flatnonzero((lengths >= SHORTEST) & (lengths < SHORT)).tolist():
        n, start = int(lengths[item]), int(tokens.offsets[item])
        number = bool((tokens.kinds[start : start + n] == NUMBER).any())
        inside = n >= N or (n >= SPECIFIC and number)
        rows.append((int(every[n][start]), item, n, inside))
    rows.sort()
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    arrays = [pa.array(c, f.type) for c, f in zip(columns, SHORT_SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=SHORT_SCHEMA)


@dataclass(frozen=True, slots=True)
class Index:
    """All items, ready to be searched."""

    benchmarks: Sequence[str]
    items: Sequence[str]
    digits: Sequence[str]
    grams: GramSet
    masked: GramSet
    short: ShortSet

    def nbytes(self) -> int:
        """Bytes of the hashes in memory."""
        return self.grams.nbytes() + self.masked.nbytes() + self.short.nbytes()

    @classmethod
    def of(cls, tables: dict[str, pa.Table], max_items: int) -> "Index":
        """Read the tables of `build`."""
        items = tables["index_items"]
        n = items.num_rows
        return cls(
            items.column("benchmark").to_pylist(),
            items.column("item").to_pylist(),
            items.column("digits").to_pylist(),
            GramSet.of(tables["index_grams"], n, N, max_items),
            GramSet.of(tables["index_masked"], n, MASKED_N, max_items),
            ShortSet.of(tables["index_short"]),
        )


_loaded: dict[tuple[str, ...], Index] = {}
"""The last index of this process: a worker's tasks mostly share one."""


def load(inputs: Inputs, chunk: Chunk, max_items: int) -> Index:
    """The index from its files, kept for the next task."""
    names = tuple(o.name for role in TABLES for o in chunk.files.get(role, ()))
    key = (str(inputs.home.path), str(max_items), *names)
    if key not in _loaded:
        tables = {role: inputs.table(role, schema, chunk) for role, schema in TABLES.items()}
        _loaded.clear()
        _loaded[key] = Index.of(tables, max_items)
    return _loaded[key]
