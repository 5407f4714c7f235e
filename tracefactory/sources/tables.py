"""From tables of other people's rows to chunks of problems (and their attempts), in two steps.

    read    a piece of the input -> problems, attempts and malformed rows, each with a bucket number
    bucket  a range of bucket numbers from all pieces -> one chunk: whole problems, in id order

The bucket is a hash of the problem's id, so a chunk holds all that is known of a problem wherever
in the input it stands, and the chunks are the same however the input is ordered.

Not here: reading files (rows.py), rules from columns to fields (mapping.py), running the steps.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import orjson
import pyarrow as pa
from pydantic import TypeAdapter

from tracefactory.errors import ResourceError, SourceError
from tracefactory.hash_ranges import within
from tracefactory.schemas.attempt import ATTEMPT_SCHEMA, Attempt
from tracefactory.schemas.problem import PROBLEM_SCHEMA, Problem
from tracefactory.schemas.rows import table_of
from tracefactory.sources.fingerprint import OrderFree, content_id
from tracefactory.sources.mapping import (
    AttemptMap,
    Extract,
    Missing,
    ProblemMap,
    Rule,
    apply_extract,
    missing_columns,
    seen_columns,
)
from tracefactory.sources.programs import (
    AnyProblemMap,
    Made,
    ProgramMap,
    UnusableRow,
    read_program,
)
from tracefactory.sources.rows import BadRow, Row
from tracefactory.stages.contract import MALFORMED_SCHEMA, Inputs, Result
from tracefactory.verifiers.contract import Verifier, resolve_verifier

_WHERE = [
    pa.field("bucket", pa.uint64(), nullable=False),  # first 8 bytes of sha256(problem id)
    pa.field("content", pa.string(), nullable=False),  # hash of the problem's fields
]
READ_PROBLEM_SCHEMA = pa.schema(
    [*PROBLEM_SCHEMA, *_WHERE, pa.field("file", pa.string()), pa.field("line", pa.int64())]
)
READ_ATTEMPT_SCHEMA = pa.schema([*ATTEMPT_SCHEMA, *_WHERE])

MAX_COLUMNS_NOTED = 200

_ANY_MAP: TypeAdapter[ProblemMap | ProgramMap] = TypeAdapter(AnyProblemMap)


@dataclass(frozen=True, slots=True)
class Rules:
    """How a row becomes a problem and its attempts, and what is true of all rows."""

    problem: ProblemMap | ProgramMap
    attempts: tuple[AttemptMap, ...]
    verifier: str
    options: str
    source: str
    license: str
    domain: str
    task_type: str

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Rules":
        """Read back what `to_json` wrote."""
        return cls(
            _ANY_MAP.validate_python(data["problem"]),
            tuple(AttemptMap.model_validate(a) for a in data["attempts"]),
            **{k: v for k, v in data.items() if k not in ("problem", "attempts")},
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data, for a task's config."""
        return {
            **{name: getattr(self, name) for name in self.__dataclass_fields__},
            "problem": self.problem.model_dump(mode="json", exclude_none=True),
            "attempts": [a.model_dump(mode="json", exclude_none=True) for a in self.attempts],
        }


def bucket_of(problem_id: str) -> int:
    """64-bit bucket number of a problem."""
    return int.from_bytes(hashlib.sha256(problem_id.encode()).digest()[:8], "big")


def _field(rule: Extract | None, row: Mapping[str, object], default: str | None = None) -> str:
    if rule is None:
        if default is None:
            raise UnusableRow("missing")
        return default
    found = apply_extract(rule, row)
    if isinstance(found, Missing):
        raise UnusableRow(found.reason)
    return found


_SPLIT = re.compile("[A-Za-z0-9_]{1,64}")
"""Names that `datasets` and file systems take; `all` means every split to `datasets`."""


def _split(rule: Extract | None, row: Mapping[str, object]) -> str:
    split = _field(rule, row, "train")
    if split == "all" or not _SPLIT.fullmatch(split):
        raise UnusableRow("bad_split")
    return split


def _index(rule: Extract | None, row: Mapping[str, object]) -> int:
    """Number of an attempt; -1 where the input gives none."""
    if rule is None:
        return -1
    text = _field(rule, row).strip()
    if not text.isdecimal() or len(text) > 9:
        raise UnusableRow("bad_index")
    return int(text)


def _made(rules: Rules, row: Mapping[str, object]) -> Made:
    """Statement and reference, and for programs the checker's settings."""
    if not isinstance(rules.problem, ProblemMap):
        return read_program(rules.problem, row)
    statement = _field(rules.problem.statement, row)
    return Made(statement, _field(rules.problem.reference, row).strip(), {}, None)


def _problem(rules: Rules, row: Mapping[str, object], made: Made) -> Problem:
    fields = rules.problem
    statement = made.statement.strip()
    if not statement:
        raise UnusableRow("empty:statement")
    options = rules.options
    if made.options:
        merged = made.options | orjson.loads(options)  # what the recipe says comes first
        options = orjson.dumps(merged, option=orjson.OPT_SORT_KEYS).decode()
    source = _field(fields.source, row, rules.source)
    made_id = f"{re.sub('[^A-Za-z0-9_.-]+', '_', source)}-{content_id(statement)}"
    return Problem(
        id=_field(fields.id, row, made_id),
        statement=statement,
        reference=made.reference,
        verifier=rules.verifier,
        verifier_options=options,
        split=_split(fields.split, row),
        domain=_field(fields.domain, row, rules.domain),
        task_type=_field(fields.task_type, row, rules.task_type),
        source=source,
        license=_field(fields.license, row, rules.license),
        origin="{}",
    )


def _attempt(rule: AttemptMap, problem: Problem, row: Mapping[str, object]) -> Attempt:
    return Attempt(
        id="",
        problem_id=problem.id,
        index=_index(rule.index, row),
        teacher=rule.teacher,
        teacher_revision=rule.revision or "unknown",
        teacher_license=rule.teacher_license or "unknown",
        text=_field(rule.text, row),
        finish_reason=_field(rule.finish_reason, row, "stop"),
        seed=None,
    )


def self_check(problem: Problem, verify: Verifier, specimen: str | None = None) -> str | None:
    """Does the checker accept the reference as its own answer? None, or the reason why not.

    A `specimen` is a response known to be right; for references that are no answer themselves.

    Raises:
        ResourceError: the checker could not do its work, which says nothing about the reference.
    """
    marker = orjson.loads(problem.verifier_options).get("answer_after")
    answer = f"{marker} {problem.reference}" if marker else f"\\boxed{{{problem.reference}}}"
    text = answer if specimen is None else specimen
    itself = Attempt("", problem.id, 0, "reference", "", "", text, "stop", None)
    verdict = verify(problem, itself)
    if verdict.status == "error":
        raise ResourceError(
            f"problem {problem.id}: its checker {problem.verifier} could not run "
            f"({verdict.reason}): {verdict.evidence[:2000]}"
        )
    return None if verdict.status == "correct" else f"bad_reference:{verdict.reason}"


class Reading:
    """What one piece of an input has given so far."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.verify = resolve_verifier(rules.verifier)
        # Imports keep problems with a bad reference, so that their attempts are shown as rejected.
        self.keep_bad = bool(rules.attempts)
        self.problems: list[dict[str, Any]] = []
        self.attempts: list[dict[str, Any]] = []
        self.malformed: list[dict[str, Any]] = []
        self.fingerprint = OrderFree()
        self.columns: set[str] = set()
        self.chars = 0

    def bad(self, file: str, line: int, reason: str, excerpt: str) -> None:
        """Note a row that is no problem."""
        self.malformed.append({"file": file, "line": line, "reason": reason, "excerpt": excerpt})

    def add(self, file: str, row: Row | BadRow) -> None:
        """Take one row."""
        if isinstance(row, BadRow):
            self.bad(file, row.line, row.reason, row.excerpt)
            return
        if len(self.columns) < MAX_COLUMNS_NOTED:
            self.columns.update(seen_columns(row.value))
        self.fingerprint.add(row.value)
        excerpt = str(row.value)[:200]
        try:
            made = _made(self.rules, row.value)
            problem = _problem(self.rules, row.value, made)
        except UnusableRow as error:
            self.bad(file, row.line, str(error), excerpt)
            return
        # Programs without a known solution: the form of their tests is all that can be checked.
        checkable = not made.options or made.specimen is not None
        reason = self_check(problem, self.verify, made.specimen) if checkable else None
        if reason is not None:
            self.bad(file, row.line, reason, problem.reference[:200])
            if not self.keep_bad:
                return
        where = {"bucket": bucket_of(problem.id), "content": content_id(*_fields(problem))}
        self.problems.append({**_plain(problem), **where, "file": file, "line": row.line})
        self.chars += len(problem.statement)
        for rule in self.rules.attempts:
            try:
                attempt = _attempt(rule, problem, row.value)
            except UnusableRow as error:
                self.bad(file, row.line, f"attempt of {rule.teacher}: {error}", excerpt)
                continue
            self.attempts.append({**_plain(attempt), **where})
            self.chars += len(attempt.text)

    def result(self) -> Result:
        """The tables of this piece, ordered by bucket."""
        reasons = Counter(f"rejected:{row['reason']}" for row in self.malformed)
        tables = {
            "problems_read": _by_bucket(self.problems, READ_PROBLEM_SCHEMA),
            "attempts_read": _by_bucket(self.attempts, READ_ATTEMPT_SCHEMA),
            "malformed": pa.Table.from_pylist(self.malformed, schema=MALFORMED_SCHEMA),
        }
        return Result(
            {
                role: table
                for role, table in tables.items()
                if table.num_rows or role == "problems_read"
            },
            {
                "read": len(self.problems),
                "rejected": len(self.malformed),
                "chars": self.chars,
                **reasons,
            },
            {
                "fingerprint": self.fingerprint.hex(),
                "columns": orjson.dumps(sorted(self.columns)).decode(),
            },
        )


def _plain(record: Problem | Attempt) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


def _fields(problem: Problem) -> list[str]:
    return [str(value) for value in _plain(problem).values()]


def _by_bucket(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    key = "id" if "statement" in schema.names else "problem_id"
    rows.sort(key=lambda row: (row["bucket"], row[key]))
    return pa.Table.from_pylist(rows, schema=schema)


def read_rows(rows: Iterable[tuple[str, Row | BadRow]], rules: Rules) -> Result:
    """The `read` step on rows with the name of their file."""
    reading = Reading(rules)
    for file, row in rows:
        reading.add(file, row)
    return reading.result()


def check_read(
    receipts_counts: Iterable[Mapping[str, int]],
    columns: Iterable[str],
    rules: Rules,
    what: str,
    attempts: int,
) -> None:
    """Is anything usable? A whole input of bad rows is a bad set-up, not bad data.

    `attempts` is how many stored attempts were read.

    Raises:
        SourceError: no row could be used, or no attempt of any; says which columns there are, or
            the commonest reasons.
    """
    total: Counter[str] = Counter()
    for counts in receipts_counts:
        total.update(counts)
    if total["read"] and (attempts or not rules.attempts):
        return
    seen = set(columns)
    both: tuple[Rule, ...] = (rules.problem, *rules.attempts)
    for rule in both:
        absent = missing_columns(rule, seen) if seen else None
        if absent:
            raise SourceError(f"{what}: {absent}")
    reasons = {
        k.removeprefix("rejected:"): n for k, n in total.items() if k.startswith("rejected:")
    }
    worst = ", ".join(f"{n} x {k}" for k, n in sorted(reasons.items(), key=lambda x: -x[1])[:3])
    if total["read"]:
        raise SourceError(
            f"{what}: {total['read']} problems, but not one attempt at them ({worst}); do the "
            "columns of `attempts:` name the right parts?"
        )
    raise SourceError(
        f"{what}: not one of {total['rejected']} rows can be used ({worst or 'there are none'}); "
        "is it the right file, and do the columns of `problem:` name the right parts?"
    )


# The bucket step.


def fill_bucket(inputs: Inputs, low: int, high: int) -> Result:
    """All problems with bucket numbers in [low, high), each once, with their attempts."""
    problems = _selected(inputs, "problems_read", READ_PROBLEM_SCHEMA, low, high)
    attempts = _selected(inputs, "attempts_read", READ_ATTEMPT_SCHEMA, low, high)
    kept, malformed = _one_each(problems, bool(attempts) or "attempts_read" in inputs.chunk.files)
    sound = {(p["id"], p["content"]) for p in kept}
    rows = [a for a in attempts if (a["problem_id"], a["content"]) in sound]
    records = [Problem(**{n: p[n] for n in PROBLEM_SCHEMA.names}) for p in kept]
    tables = {"problems": table_of(records, PROBLEM_SCHEMA)}
    if "attempts_read" in inputs.chunk.files:
        tables["attempts"] = table_of(list(_numbered(rows)), ATTEMPT_SCHEMA)
    if malformed:
        tables["malformed"] = pa.Table.from_pylist(malformed, schema=MALFORMED_SCHEMA)
    splits = Counter(f"split:{p.split}" for p in records)
    return Result(
        tables,
        {
            "problems": len(records),
            **splits,
            "attempts": len(rows),
            "rejected": len(malformed),
            **Counter(f"rejected:{m['reason']}" for m in malformed),
        },
        {
            "verifiers": ",".join(sorted({p.verifier for p in records})),
            "train": str(splits["split:train"]),
        },
    )


def _selected(
    inputs: Inputs, role: str, schema: pa.Schema, low: int, high: int
) -> list[dict[str, Any]]:
    bounds = within("bucket", low, high)
    rows: list[dict[str, Any]] = []
    for output in inputs.chunk.files.get(role, ()):
        table = inputs.home.read(output, filters=bounds)
        rows += cast("list[dict[str, Any]]", table.select(schema.names).to_pylist())
    return rows


def _one_each(
    rows: list[dict[str, Any]], imported: bool
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """One problem an id; what happens to the others does not depend on their order.

    Rows that contradict each other under one id are all refused: nobody knows which is right.
    """
    contents: dict[str, set[str]] = {}
    for row in rows:
        contents.setdefault(row["id"], set()).add(row["content"])
    kept: dict[str, dict[str, Any]] = {}
    malformed: list[dict[str, Any]] = []
    for row in sorted(rows, key=lambda r: (r["id"], r["content"], r["file"], r["line"])):
        same = len(contents[row["id"]]) == 1
        if same and (kept.setdefault(row["id"], row) is row or imported):
            continue  # stored generations may repeat their problem in every row
        reason = "duplicate_id:same_problem" if same else "duplicate_id:other_content"
        excerpt = f"{row['id']}: {row['statement']}"[:200]
        malformed.append(
            {"file": row["file"], "line": row["line"], "reason": reason, "excerpt": excerpt}
        )
    return list(kept.values()), malformed


def _numbered(rows: list[dict[str, Any]]) -> Iterator[Attempt]:
    """Attempts in a fixed order, numbered per problem and teacher where they have no number."""

    def text_hash(row: dict[str, Any]) -> bytes:
        return hashlib.sha256(row["text"].encode()).digest()

    used: Counter[tuple[str, str]] = Counter()
    for row in sorted(
        rows, key=lambda r: (r["problem_id"], r["teacher"], r["index"], text_hash(r))
    ):
        attempt = Attempt(**{name: row[name] for name in ATTEMPT_SCHEMA.names})
        who = (attempt.problem_id, attempt.teacher)
        index = max(attempt.index, used[who])
        used[who] = index + 1
        yield replace(attempt, index=index, id=f"{attempt.problem_id}/{attempt.teacher}/{index}")
