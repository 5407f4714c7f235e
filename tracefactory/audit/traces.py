"""Rows to be judged again, from a release's shards or from anybody's Parquet.

A row is read as plain data, by its number in a file; what is missing in it makes it a row that is
not judged, with a reason, and never an exception.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from tracefactory.audit.digests import Hasher
from tracefactory.audit.inside import path_of
from tracefactory.audit.shard import MAX_ROW_GROUP_BYTES
from tracefactory.schemas.attempt import Attempt
from tracefactory.schemas.problem import Problem
from tracefactory.sources.mapping import Column, Missing, apply_extract, look_up
from tracefactory.trusted import Refused
from tracefactory.user_turn import statement_of


@dataclass(frozen=True, slots=True)
class Trace:
    """One row to be judged again, and what it says of itself. None: it does not say."""

    id: str
    file: str
    problem: Problem
    attempt: Attempt
    verifier: str
    """As the row names it, `module:function@version`."""
    status: str | None
    reason: str | None = None
    final_answer: str | None = None
    n_true_steps: int | None = None
    n_false_steps: int | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """Rows of one file, by number."""

    root: str
    file: str
    rows: tuple[int, ...]
    """Ascending."""

    def halves(self) -> tuple["Span", ...]:
        """Two of half the rows each; none if there is one row."""
        middle = len(self.rows) // 2
        if not middle:
            return ()
        return (
            Span(self.root, self.file, self.rows[:middle]),
            Span(self.root, self.file, self.rows[middle:]),
        )


def read_span(span: Span, columns: Sequence[str] | None) -> Iterator[tuple[int, dict[str, Any]]]:
    """Its rows as plain data, with their numbers."""
    path = path_of(Path(span.root), span.file) if span.root else Path(span.file)
    bounds = _bounds(str(path))
    wanted = list(span.rows)
    for group, (start, stop) in enumerate(itertools.pairwise(bounds)):
        inside = [row for row in wanted if start <= row < stop]
        if not inside:
            continue
        table = _row_group(str(path), group, None if columns is None else tuple(columns))
        picked = table.take(pa.array([row - start for row in inside], pa.int64()))
        yield from zip(inside, picked.to_pylist(), strict=True)


def _bounds(path: str) -> list[int]:
    with pq.ParquetFile(path) as file:
        bounds = [0]
        for number in range(file.metadata.num_row_groups):
            bounds.append(bounds[-1] + file.metadata.row_group(number).num_rows)
        return bounds


@lru_cache(maxsize=1)  # the next job on this worker often reads the same one
def _row_group(path: str, group: int, columns: tuple[str, ...] | None) -> pa.Table:
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        if file.metadata.row_group(group).total_byte_size > MAX_ROW_GROUP_BYTES:
            raise Refused("a row group larger than an audit reads")
        named = None if columns is None else list(columns)
        return file.read_row_group(group, columns=named, use_threads=False)


# --- A release's own rows ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Release:
    """How rows of `sft` and `rejected` are read."""

    instructions: tuple[str, ...]
    options: str | None
    """Of problems that are not in `rl`."""
    index: str | None
    """Path of the settings by problem (see write_options); None: the release has no `rl`."""
    key: bytes

    def traces(self, span: Span) -> Iterator[Trace | Refused]:
        """The rows of a span, each as a trace or the reason why it is none."""
        find = _none if self.index is None else _index(self.index)
        for _, row in read_span(span, _COLUMNS):
            try:
                options = find(Hasher(self.key)(row["problem_id"]))
                yield self._trace(span.file, row, self.options if options is None else options)
            except (KeyError, IndexError, TypeError, AttributeError, UnicodeError):
                yield Refused("its row lacks what a trace needs")

    def _trace(self, file: str, row: Mapping[str, Any], options: str | None) -> Trace:
        turns = row["messages"]
        user, text = turns[0]["content"], turns[-1]["content"]
        verifier = row["verifier"] or ""
        problem = Problem(
            id=row["problem_id"],
            statement=statement_of(user, self.instructions),
            reference=row["answer"],
            verifier=verifier.partition("@")[0],
            verifier_options="" if options is None else options,
            split="train",
            domain=row["domain"],
            task_type=row["task_type"],
            source=row["source"],
            license=row["license"],
            origin="{}",
        )
        return Trace(
            row["id"], file, problem,
            _attempt(row["id"], problem.id, text, row["finish_reason"], row["attempt_index"]),
            verifier, row["status"], row["reason"], row["final_answer"],
            row["n_true_steps"], row["n_false_steps"],
        )  # fmt: skip


_COLUMNS = (
    "id", "messages", "problem_id", "domain", "task_type", "source", "license", "answer",
    "final_answer", "status", "reason", "verifier", "n_true_steps", "n_false_steps",
    "finish_reason", "attempt_index",
)  # fmt: skip


def _attempt(row_id: str, problem_id: str, text: str, finish: str, index: int) -> Attempt:
    return Attempt(row_id, problem_id, index, "", "", "", text, finish, None)


def write_options(problems: pl.DataFrame, path: Path) -> None:
    """Keep the settings of problems (digests of `rl`) where workers find them by a number."""
    table = problems.select("problem64", "options").unique("problem64").sort("problem64")
    table.with_columns(pl.col("options").cast(pl.Categorical)).write_parquet(path)


def _none(key: int) -> str | None:
    return None


@lru_cache(maxsize=1)
def _index(path: str) -> Callable[[int], str | None]:
    table = pl.read_parquet(path)
    keys, options = table.get_column("problem64").to_numpy(), table.get_column("options")

    def find(key: int) -> str | None:
        at = int(keys.searchsorted(keys.dtype.type(key)))
        return str(options[at]) if at < len(keys) and int(keys[at]) == key else None

    return find


# --- Rows of others ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Foreign:
    """Which columns of anybody's Parquet say what."""

    statement: str
    """Empty: there is none, and checkers are asked without it."""
    response: str
    reference: str
    after: str | None
    """The reference is what follows this in its column."""
    boxed: bool
    verdict: str | None
    verifier: str
    options: str

    def columns(self) -> list[str]:
        """The columns to read; a field of a struct (`column.field`) with its whole column."""
        named = [self.statement, self.response, self.reference, self.verdict or ""]
        return [name for name in dict.fromkeys(n.partition(".")[0] for n in named) if name]

    def traces(self, span: Span) -> Iterator[Trace | Refused]:
        """The rows of a span, each as a trace or the reason why it is none."""
        for number, row in read_span(span, self.columns()):
            try:
                yield self._trace(span.file, number, row)
            except (KeyError, IndexError, TypeError, AttributeError, UnicodeError):
                yield Refused("its row lacks what a trace needs")

    def _trace(self, file: str, number: int, row: Mapping[str, Any]) -> Trace:
        row_id = f"{file}:{number}"
        rule = Column(column=self.reference, after=self.after, boxed=True if self.boxed else None)
        reference = apply_extract(rule, row)
        problem = Problem(
            id=row_id,
            statement=(_text(self.statement, row, "user") or "") if self.statement else "",
            reference="" if isinstance(reference, Missing) else reference.strip(),
            verifier=self.verifier,
            verifier_options=self.options,
            split="train",
            domain="",
            task_type="",
            source="",
            license="unknown",
            origin="{}",
        )
        text = _text(self.response, row, "assistant") or ""
        status = None if self.verdict is None else read_verdict(look_up(self.verdict, row))
        return Trace(
            row_id, file, problem, _attempt(row_id, row_id, text, "stop", 0), self.verifier, status
        )


def _text(column: str, row: Mapping[str, Any], role: str) -> str | None:
    """A column's text; of a conversation, the first turn of the user or the last of the model."""
    value = look_up(column, row)
    if isinstance(value, list):
        turns = [t for t in cast("list[object]", value) if isinstance(t, dict)]
        said = [
            str(turn.get("content", turn.get("value", "")))
            for turn in cast("list[dict[str, object]]", turns)
            if str(turn.get("role", turn.get("from"))) in _ROLES[role]
        ]
        return (said[0] if role == "user" else said[-1]) if said else None
    found = apply_extract(column, row)
    return None if isinstance(found, Missing) else found


_ROLES = {"user": ("user", "human"), "assistant": ("assistant", "gpt")}


_YES = frozenset({"true", "correct", "yes", "1", "1.0", "passed", "pass", "right"})
_NO = frozenset({"false", "incorrect", "no", "0", "0.0", "failed", "fail", "wrong", "no_answer"})


def read_verdict(value: object) -> str:
    """`correct`, `incorrect`, or `unreadable`: what a column of verdicts says."""
    word = str(value).strip().casefold()
    return "correct" if word in _YES else "incorrect" if word in _NO else "unreadable"
