"""Problems to audit, streamed as often as asked: from a run folder, or from files before any run.

Both hold a chunk or a row at a time, never all problems.

Not here: what is wrong with a problem (problems.py), and any check that files are what their
receipts say (`fsck` does that; outputs that are gone are passed over, as `inspect` does).
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tracefactory.errors import RecipeError, SourceError
from tracefactory.schemas.attempt import Attempt
from tracefactory.schemas.problem import PROBLEM_SCHEMA, Problem
from tracefactory.schemas.receipt import Output
from tracefactory.schemas.rows import records
from tracefactory.sources.mapping import (
    Extract,
    Missing,
    ProblemMap,
    apply_extract,
    missing_columns,
    seen_columns,
)
from tracefactory.sources.rows import BadRow, Row, pieces, read
from tracefactory.sources.tables import MAX_COLUMNS_NOTED, bucket_of
from tracefactory.status import stage_names
from tracefactory.store.home import RECEIPTS, Home, Receipts, canonical
from tracefactory.verifiers.contract import full_address, resolve_verifier


@dataclass(frozen=True, slots=True)
class Answered:
    """What one attempt came to."""

    teacher: str
    index: int
    status: str
    final_answer: str | None


@dataclass(frozen=True, slots=True)
class Item:
    """A problem, and the verdicts on the attempts at it as far as there are any."""

    problem: Problem
    answered: tuple[Answered, ...] = ()


class ProblemSource(Protocol):
    """Problems that can be read more than once."""

    total: int | None
    """How many problems there are; None when only reading tells."""
    left_out: Counter[str]
    """Rows that are no problems, by reason; complete after the first reading."""

    def items(self, *, answers: bool) -> Iterator[Item]:
        """All problems in a fixed order, with their verdicts if `answers`."""
        ...


@dataclass(slots=True)
class _Group:
    """The chunks of one name, of whatever source: where a problem and its verdicts meet."""

    problems: list[Output] = field(default_factory=list[Output])
    verdicts: list[Output] = field(default_factory=list[Output])


class RunProblems:
    """The problems of a run folder, from its receipts alone: takes no lock.

    Receipts of earlier versions of the recipe count as long as their slots were not done anew; a
    problem that stands in several chunks is given once (about 100 bytes a problem to know that).
    """

    def __init__(self, run: Path) -> None:
        self._home = Home(run)
        self._groups: dict[str, _Group] = {}
        self.left_out: Counter[str] = Counter()
        stages = set(stage_names(run))
        verdicts: list[tuple[str, Output]] = []
        for receipt in Receipts(run / RECEIPTS):
            stage, _, rest = receipt.slot.partition("/")
            if stage not in stages:
                continue  # the recipe no longer has it
            for key, n in receipt.counts.items():
                if key.startswith("rejected:"):
                    self.left_out[key.removeprefix("rejected:")] += n
            chunk = rest.rpartition(".r")[0]
            for output in receipt.outputs:
                if output.role == "problems" and (run / output.name).exists():
                    self._groups.setdefault(chunk, _Group()).problems.append(output)
                elif output.role == "verdicts" and (run / output.name).exists():
                    verdicts.append((chunk, output))
        for chunk, output in verdicts:
            group = self._group_of(chunk)
            if group is not None:
                group.verdicts.append(output)
        rows = sum(o.rows for group in self._groups.values() for o in group.problems)
        self.total: int | None = rows
        if not rows:
            raise RecipeError(
                f"{run} has no problems yet; `tracefactory status {run}` says how far the run is"
            )

    def _group_of(self, chunk: str) -> _Group | None:
        """A verify stage that joins branches puts the branch before the chunk's name."""
        while chunk not in self._groups:
            _, dot, chunk = chunk.partition(".")
            if not dot:
                return None
        return self._groups[chunk]

    def items(self, *, answers: bool) -> Iterator[Item]:
        """Chunk by chunk, in the order of their names."""
        seen: set[int] = set()
        for _, group in sorted(self._groups.items()):
            found = self._answers(group) if answers else {}
            for output in group.problems:
                table = self._home.read(output).select(PROBLEM_SCHEMA.names)
                for problem in records(Problem, table):
                    key = bucket_of(problem.id)
                    if key not in seen:
                        seen.add(key)
                        yield Item(problem, tuple(found.get(problem.id, {}).values()))

    def _answers(self, group: _Group) -> dict[str, dict[tuple[str, int], Answered]]:
        """By problem, each attempt once: of several verdicts on it one that says correct counts."""
        found: dict[str, dict[tuple[str, int], Answered]] = {}
        columns = ["problem_id", "teacher", "attempt_index", "status", "final_answer"]
        for output in group.verdicts:
            rows = self._home.read(output, columns).select(columns).columns
            for problem_id, *values in zip(*(c.to_pylist() for c in rows), strict=True):
                answered = Answered(*values)
                by_attempt = found.setdefault(problem_id, {})
                who = (answered.teacher, answered.index)
                if who not in by_attempt or answered.status == "correct":
                    by_attempt[who] = answered
        return found


class FileProblems:
    """The rows of JSONL, JSON, CSV or Parquet files, by the rules by which `sample` reads them.

    A problem's id is where it stands: `FILE:LINE`.
    """

    total: int | None = None

    def __init__(
        self,
        path: str,
        statement: Extract,
        reference: Extract,
        verifier: str,
        options: dict[str, str],
    ) -> None:
        """Look at the files and try the checker's options.

        Raises:
            SourceError: the files can't be read.
            RecipeError: the checker doesn't take these options.
            AddressError: there is no such checker.
        """
        self.left_out: Counter[str] = Counter()
        self._path = path
        self._map = ProblemMap(statement=statement, reference=reference)
        self._verifier = full_address(verifier)
        self._options = canonical(options).decode()
        verify = resolve_verifier(self._verifier)
        self._pieces = pieces(Path(path))
        if options:
            try:
                verify(self._problem("", "", "1"), Attempt("", "", 0, "", "", "", "", "stop", None))
            except (ValueError, ImportError) as error:
                raise RecipeError(f"{self._verifier}: {error}") from error

    def items(self, *, answers: bool) -> Iterator[Item]:
        """Row by row.

        Raises:
            SourceError: while iterating: no row at all can be used; says which columns there are.
        """
        left_out: Counter[str] = Counter()
        columns: set[str] = set()
        usable = False
        for piece in self._pieces:
            for row in read(piece):
                if isinstance(row, Row) and len(columns) < MAX_COLUMNS_NOTED:
                    columns.update(seen_columns(row.value))
                problem = self._problem_of(piece.path, row)
                if isinstance(problem, Problem):
                    usable = True
                    yield Item(problem)
                else:
                    left_out[problem] += 1
        self.left_out = left_out
        if not usable:
            absent = missing_columns(self._map, columns) if columns else None
            worst = ", ".join(f"{n} x {reason}" for reason, n in left_out.most_common(3))
            raise SourceError(
                f"{self._path}: {absent}, which is --statement and --reference"
                if absent
                else f"{self._path}: not one row can be used ({worst}); is it the right file, and "
                "do --statement, --reference and --after or --boxed say where things stand?"
            )

    def _problem_of(self, path: str, row: Row | BadRow) -> Problem | str:
        """The problem, or the reason why the row is none."""
        if isinstance(row, BadRow):
            return row.reason
        texts: list[str] = []
        for rule in (self._map.statement, self._map.reference):
            text = apply_extract(rule, row.value)
            if isinstance(text, Missing):
                return text.reason
            texts.append(text.strip())
        return self._problem(f"{path}:{row.line}", *texts)

    def _problem(self, problem_id: str, statement: str, reference: str) -> Problem:
        return Problem(
            id=problem_id,
            statement=statement,
            reference=reference,
            verifier=self._verifier,
            verifier_options=self._options,
            split="train",
            domain="",
            task_type="",
            source="local",
            license="unknown",
            origin="{}",
        )
