"""Rows of chunks as they are compared: their content, their place in the order, their bands.

Texts are read one chunk at a time, and stay where they are: what goes on is 40 bytes a row, 20
bands of 20 bytes where a row can be near another, and the shingles of candidates alone.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tracefactory.nearness.documents import Documents, of_problems, of_traces
from tracefactory.nearness.signature import mix
from tracefactory.nearness.spec import BANDS
from tracefactory.nearness.tokens import I64, U64
from tracefactory.repeats.tables import (
    BAND_SCHEMA,
    HELD_OUT,
    NODE_SCHEMA,
    PLAIN,
    TEXT_SCHEMA,
    VERIFIED,
)
from tracefactory.schemas.attempt import ATTEMPT_SCHEMA
from tracefactory.schemas.problem import PROBLEM_SCHEMA, is_held_out
from tracefactory.schemas.verdict import VERDICT_SCHEMA
from tracefactory.stages.contract import DECISION_SCHEMA, Inputs
from tracefactory.stages.split import split_of
from tracefactory.task import Chunk

LONG = 20
"""Tokens from which the same text is the same trace, whatever the problem: shorter ones, such as
`The answer is 4.`, are compared within their group alone."""

Numbers = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Settings:
    """What a recipe says of how near is near."""

    across: bool
    numbers: bool

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Settings":
        """Out of an order."""
        return cls(bool(config["across"]), bool(config["numbers"]))


@dataclass(frozen=True, slots=True)
class Compared:
    """Some rows and their documents."""

    ids: list[str]
    tier: Numbers
    flaw: Numbers
    place: Numbers
    high: U64
    low: U64
    blocks: U64
    documents: Documents
    paired: npt.NDArray[np.bool_]
    """Could there be another one to be near?"""

    def nodes(self, group: int) -> pa.Table:
        """One line a row."""
        columns = [
            pa.array(self.high), pa.array(self.low), pa.array(self.tier, pa.int8()),
            pa.array(self.flaw), pa.array(self.documents.lengths, pa.int32()),
            pa.array(self.place), pa.array(self.ids, pa.string()),
            pa.array(np.full(len(self.ids), group, np.int32)),
        ]  # fmt: skip
        return pa.Table.from_arrays(columns, schema=NODE_SCHEMA)

    def bands(self, group: int) -> pa.Table:
        """Twenty lines for each content that can be near another."""
        near = np.flatnonzero(self.documents.near() & self.paired)
        _, first = np.unique(
            mix(self.high[near] ^ mix(self.blocks[near].copy())), return_index=True
        )
        chosen = near[first]
        hashes = self.documents.bands(self.blocks)[chosen]
        columns = [
            pa.array(hashes.reshape(-1)),
            pa.array(np.repeat(self.high[chosen], BANDS)),
            pa.array(np.full(len(chosen) * BANDS, group, np.int32)),
        ]
        return pa.Table.from_arrays(columns, schema=BAND_SCHEMA)

    def texts(self, group: int, parts: Mapping[int, int]) -> pa.Table:
        """Lines of contents that are wanted, with the part that they are wanted in."""
        nodes = self.nodes(group)
        contents: list[int] = self.high.tolist()
        rows = [row for row, content in enumerate(contents) if content in parts]
        seen: set[tuple[int, int]] = set()
        shingles: list[U64 | None] = []
        for row in rows:
            key = contents[row], int(self.blocks[row])
            shingles.append(None if key in seen else self.documents.shingles(row))
            seen.add(key)
        wanted = nodes.take(pa.array(rows, pa.int64()))
        columns = [
            pa.array([parts[contents[row]] for row in rows], pa.uint64()),
            *wanted.columns,
            pa.array(self.blocks[rows]),
            pa.array(np.ones(len(rows), np.bool_)),
            pa.array(shingles, pa.list_(pa.uint64())),
        ]
        return pa.Table.from_arrays(columns, schema=TEXT_SCHEMA)


def by_hash(tables: Iterable[pa.Table], schema: pa.Schema, *keys: str) -> pa.Table:
    """Some tables as one, sorted."""
    parts = list(tables)
    together = pa.concat_tables(parts) if parts else schema.empty_table()
    return together.sort_by([(key, "ascending") for key in keys])


def id_hash(row_id: str) -> int:
    """64 bits of an id."""
    import hashlib

    return int.from_bytes(hashlib.blake2b(row_id.encode(), digest_size=8).digest(), "little")


# --- Problems ------------------------------------------------------------------------------------


def problems(
    inputs: Inputs, chunks: Iterable[Chunk], only: frozenset[str] | None = None
) -> Iterator[Compared]:
    """The problems of each chunk."""
    for chunk in chunks:
        table = inputs.table(
            "problems", PROBLEM_SCHEMA, chunk, ["id", "statement", "reference", "split"]
        )
        if only is not None:
            table = table.filter(pa.array([i in only for i in table.column("id").to_pylist()]))
        if not table.num_rows:
            continue
        ids: list[str] = table.column("id").to_pylist()
        moved = split_of(inputs, chunk)
        own: list[str] = table.column("split").to_pylist()
        splits = [moved.get(i, s) for i, s in zip(ids, own, strict=True)]
        solved = _solved(inputs, chunk)
        documents = of_problems(
            table.column("statement").combine_chunks(), table.column("reference").combine_chunks()
        )
        tiers = [
            HELD_OUT if is_held_out(split) else VERIFIED if solved[i] else PLAIN
            for i, split in zip(ids, splits, strict=True)
        ]
        yield Compared(
            ids,
            np.array(tiers, np.int32),
            np.array([-solved[i] for i in ids], np.int32),
            np.zeros(len(ids), np.int32),
            documents.high,
            documents.low,
            documents.blocks(),
            documents,
            np.ones(len(ids), np.bool_),
        )


def _solved(inputs: Inputs, chunk: Chunk) -> Counter[str]:
    """Correct traces of each problem that are still there."""
    rows = inputs.table("verdicts", VERDICT_SCHEMA, chunk, ["attempt_id", "problem_id", "status"])
    gone = dropped(inputs, chunk)
    found: Counter[str] = Counter()
    for attempt, problem, status in zip(*(c.to_pylist() for c in rows.columns), strict=True):
        if status == "correct" and attempt not in gone:
            found[problem] += 1
    return found


def dropped(inputs: Inputs, chunk: Chunk) -> set[str]:
    """Attempts that an earlier stage dropped."""
    table = inputs.table("decisions", DECISION_SCHEMA, chunk, ["attempt_id"])
    return set(table.column(0).to_pylist())


# --- Traces --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Roots:
    """What became of the problems of a group of chunks."""

    of: Mapping[str, str]
    """Problem -> the one that stands for it, of those that have a duplicate (maybe themselves)."""
    banned: frozenset[str]
    """Problems that repeat one which is held out: no trace of them may stay."""


def traces(
    inputs: Inputs,
    chunks: Iterable[Chunk],
    roots: Roots,
    settings: Settings,
    only: frozenset[str] | None = None,
) -> Iterator[Compared]:
    """The traces of each chunk that are still there."""
    for chunk in chunks:
        table = inputs.table(
            "attempts", ATTEMPT_SCHEMA, chunk, ["id", "problem_id", "index", "text"]
        )
        gone = dropped(inputs, chunk)
        keep = [
            i not in gone and p not in roots.banned and (only is None or i in only)
            for i, p in zip(
                table.column("id").to_pylist(), table.column("problem_id").to_pylist(), strict=True
            )
        ]
        table = table.filter(pa.array(keep, pa.bool_()))
        if table.num_rows:
            yield _traces(inputs, chunk, table, roots, settings)


def _traces(
    inputs: Inputs, chunk: Chunk, table: pa.Table, roots: Roots, settings: Settings
) -> Compared:
    ids: list[str] = table.column("id").to_pylist()
    owners: list[str] = table.column("problem_id").to_pylist()
    problems = inputs.table("problems", PROBLEM_SCHEMA, chunk, ["id", "statement"])
    number = {p: n for n, p in enumerate(problems.column("id").to_pylist())}
    instruction = chunk.facts.get("instruction", "")
    statements = [f"{s}\n\n{instruction}" for s in problems.column("statement").to_pylist()]
    asked: I64 = np.array([number[p] for p in owners], np.int64)
    verdicts = _verdicts(inputs, chunk)
    judged = [verdicts.get(i, _UNJUDGED) for i in ids]
    documents = of_traces(
        table.column("text").combine_chunks(), [v[1] for v in judged], statements, asked
    )
    counts = Counter(owners)
    groups = np.array([id_hash(roots.of.get(p, p)) for p in owners], np.uint64)
    short = documents.lengths < LONG
    apart = mix(documents.high ^ groups)
    paired = [settings.across or counts[p] > 1 or p in roots.of for p in owners]
    return Compared(
        ids,
        np.array([VERIFIED if v[0] == "correct" else PLAIN for v in judged], np.int32),
        np.array([v[2] for v in judged], np.int32),
        table.column("index").to_numpy().astype(np.int32),
        np.where(short, apart, documents.high),
        documents.low,
        documents.blocks(numbers=settings.numbers, groups=None if settings.across else groups),
        documents,
        np.array(paired, np.bool_),
    )


_UNJUDGED = ("", "", 0)


def _verdicts(inputs: Inputs, chunk: Chunk) -> dict[str, tuple[str, str, int]]:
    """Status, final answer and false steps of each attempt."""
    columns = ["attempt_id", "status", "final_answer", "n_false_steps"]
    table = inputs.table("verdicts", VERDICT_SCHEMA, chunk, columns)
    return {
        attempt: (status, answer or "", false or 0)
        for attempt, status, answer, false in zip(
            *(c.to_pylist() for c in table.columns), strict=True
        )
    }
