"""A few numbers for every row, by which rows of different views are compared.

Texts become 64-bit hashes under a key that is new in every audit: nobody can prepare two texts that
share one. Rows are looked at one by one here, so what is wrong within a row is named here too.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa

from tracefactory.audit.faults import MAX_NAMED, Fault, short
from tracefactory.publish.views.overlaps import CONTENT as OVERLAP_CONTENT
from tracefactory.publish.views.sft_reasoning import divided
from tracefactory.schemas.overlap import LEVELS
from tracefactory.schemas.probe import OUTCOMES
from tracefactory.stages.generate import attempt_seed
from tracefactory.user_turn import statement_of
from tracefactory.verifiers.extract import split_reasoning

REPEATS = re.compile(r"(?:near-)?duplicate of (.*?)(?: \(Jaccard [01]\.[0-9]{2}\))?", re.DOTALL)
"""The reason of a row that a dedupe stage dropped for another one of the release."""
ELSEWHERE = re.compile(
    r"(?:its problem is a (?:near-)?duplicate of the held-out|published (?:near-)?duplicate of) .+",
    re.DOTALL,
)
"""The reason of one that repeats what is not among this release's traces."""
Line = dict[str, Any]
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Making:
    """What digests are made with."""

    seed: str
    key: bytes
    instructions: tuple[str, ...]
    split: str
    recipe_id: str
    run_seed: int | None = None
    """The recipe's, from which each attempt's follows; None: attempts were stored, not made."""


class RowFaults:
    """The faults of rows, of which the first few are named."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._found: dict[str, list[Fault]] = {}
        self._more: dict[str, int] = {}

    def add(self, check: str, row: object, found: object, expected: str) -> None:
        """One more; `row` is its id."""
        named = self._found.setdefault(check, [])
        if len(named) < MAX_NAMED:
            named.append(Fault(check, self._file, f"{short(row)}: {short(found)}", short(expected)))
        else:
            self._more[check] = self._more.get(check, 0) + 1

    def all(self) -> Iterator[Fault]:
        """All that were added, the first of each kind by name."""
        for check, named in self._found.items():
            yield from named
            if check in self._more:
                yield Fault(check, self._file, f"{self._more[check]:,} more rows", "as above")


class Hasher:
    """64-bit hashes of a few texts together, under a key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __call__(self, *texts: str | None) -> int:
        """The hash of these texts, each on its own."""
        data = orjson.dumps(texts)
        return int.from_bytes(hashlib.blake2b(data, digest_size=8, key=self._key).digest(), "big")


def rank(seed: str, row_id: str) -> int:
    """Place of a row in an order that follows from the auditor's seed and the row's id alone."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{row_id}".encode()).digest()[:8], "big")


_ORIGIN = ("problem_id", "domain", "task_type", "source", "license")
_MAKER = ("teacher", "teacher_revision", "teacher_license", "status", "verifier")
"""In `preference` each of them stands twice, behind `chosen_` and `rejected_`."""
_REST = (
    "final_answer", "reason", "n_true_steps", "n_false_steps", "pass_rate", "n_attempts",
    "difficulty", "finish_reason", "n_prompt_tokens", "n_reasoning_tokens", "n_answer_tokens",
    "tokenizer", "seed",
)  # fmt: skip
"""Columns of a trace that its other shapes have too, beside its text, origin and maker."""
_TOKENS = ("n_prompt_tokens", "n_reasoning_tokens", "n_answer_tokens")
_NEAR = 1e-6
"""Rates are 32-bit numbers."""
_KIND: dict[str, pa.DataType] = {
    "row": pa.int32(), "id": pa.string(), "id64": pa.uint64(), "rank": pa.uint64(),
    "problem64": pa.uint64(), "origin64": pa.uint64(), "asked64": pa.uint64(),
    "maker64": pa.uint64(), "text64": pa.uint64(), "teacher64": pa.uint64(),
    "split64": pa.uint64(), "chosen64": pa.uint64(), "loser64": pa.uint64(),
    "status": pa.string(), "verifier": pa.string(), "attempt_index": pa.int32(),
    "n_attempts": pa.int32(), "n_correct": pa.int32(), "n_rated": pa.int32(),
    "pass_rate": pa.float32(),
    "n_reasoning": pa.int32(), "n_answer": pa.int32(), "n_false": pa.int32(),
    "split": pa.string(), "options": pa.string(), "license": pa.string(),
    "dropped_by": pa.string(), "rest64": pa.uint64(), "tokens": pa.int64(),
}  # fmt: skip


def digest_schema() -> pa.Schema:
    """The columns of a digest, null where a view has no such thing; `row` is a number in a file."""
    return pa.schema(list(_KIND.items()))


def digest_of(config: str, table: pa.Table, making: Making, faults: RowFaults) -> pa.Table:
    """Digests of the rows of a view."""
    shape, made = _SHAPES[config], Hasher(making.key)
    lines: list[Line] = []
    for row in _each(table):
        # A shard that a publication kept from the release before names the recipe of that one.
        if row["recipe_id"] != making.recipe_id:
            said = f"{making.recipe_id}, the shard's record"
            faults.add("row_recipe_id", row["id"], f"recipe_id {row['recipe_id']}", said)
        line: Line = {
            "id": row["id"],
            "id64": made(row["id"]),
            "rank": rank(making.seed, row["id"]),
            "problem64": made(row["problem_id"]),
            "origin64": made(*(row[name] for name in _ORIGIN)),
            "license": row["license"],
            "split": making.split,
        }
        lines.append(line | shape(row, making, made, faults))
    return pa.Table.from_pylist(lines, schema=digest_schema())


def _trace(row: Row, making: Making, made: Hasher, faults: RowFaults) -> Line:
    """`sft` and `rejected`."""
    user, text = (turn["content"] for turn in _turns(row, faults))
    _content_hash(row, (user, text, row["answer"]), faults)
    reasoning, answer = split_reasoning(text)
    statement = statement_of(user, making.instructions)
    return _judged(row, making, made, faults) | {
        "asked64": made(statement, row["answer"]),
        "text64": made(f"{user}\n\n{text}"),
        "split64": made(user, *divided(text)),
        "n_reasoning": len(reasoning),
        "n_answer": len(answer),
        "n_false": row["n_false_steps"],
        "dropped_by": row.get("dropped_by"),
        "chosen64": _repeats(row, made),
    }


def _repeats(row: Row, made: Hasher) -> int | None:
    """The id of the row that a dropped one repeats, by its reason."""
    said = str(row.get("drop_reason") or "")
    if ELSEWHERE.fullmatch(said):
        return made(row["id"])  # nothing here to hold it against
    match = REPEATS.fullmatch(said)
    return made(match[1]) if match else None


def _rated(row: Row, faults: RowFaults) -> None:
    """A pass rate is a share, and the difficulty what is missing from it."""
    rate, hard = row["pass_rate"], row["difficulty"]
    if rate is not None and not 0 <= rate <= 1:
        faults.add("row_pass_rate", row["id"], f"pass_rate {rate}", "a share, from 0 to 1")
    elif (rate is None) != (hard is None):
        faults.add("row_difficulty", row["id"], f"difficulty {hard}", f"of a pass_rate {rate}")
    elif rate is not None and not abs(hard - (1 - rate)) <= _NEAR:  # so that NaN is a fault too
        faults.add("row_difficulty", row["id"], f"difficulty {hard}", f"1 - pass_rate, {1 - rate}")


def _seeded(row: Row, making: Making, faults: RowFaults) -> None:
    """The seed of an attempt follows from the recipe's."""
    if making.run_seed is None:
        return
    wanted = attempt_seed(making.run_seed, row["problem_id"], row["teacher"], row["attempt_index"])
    if row["seed"] != wanted:
        said = f"{wanted}, by the recipe's seed and its id"
        faults.add("row_seed", row["id"], f"seed {row['seed']}", said)


def _tokens(row: Row) -> int | None:
    counts = [row[name] for name in _TOKENS]
    return None if None in counts else sum(counts)


def _judged(row: Row, making: Making, made: Hasher, faults: RowFaults) -> Line:
    """What all rows that hold one attempt have."""
    wanted = f"{row['problem_id']}/{row['teacher']}/{row['attempt_index']}"
    if row["id"] != wanted:
        faults.add("row_id", row["id"], "its id", f"{wanted}, by its columns")
    _rated(row, faults)
    _seeded(row, making, faults)
    return {
        "maker64": made(*(row[name] for name in _MAKER)),
        "teacher64": made(row["problem_id"], row["teacher"]),
        "status": row["status"],
        "verifier": row["verifier"],
        "attempt_index": row["attempt_index"],
        "n_attempts": row["n_attempts"],
        "pass_rate": row["pass_rate"],
        "rest64": made(*(str(row[name]) for name in _REST)),
        "tokens": _tokens(row),
    }


def _split(row: Row, making: Making, made: Hasher, faults: RowFaults) -> Line:
    """`sft_reasoning`: lengths and steps are those of the row in `sft`."""
    asked, told = _turns(row, faults)
    parts = (asked["content"], told.get("reasoning_content"), told["content"])
    _content_hash(row, (*parts, row["answer"]), faults)
    judged = _judged(row, making, made, faults)
    return judged | {"split64": made(*parts), "n_reasoning": 0, "n_answer": 0}


def _text(row: Row, making: Making, made: Hasher, faults: RowFaults) -> Line:
    """`pretrain`."""
    _content_hash(row, (row["text"],), faults)
    return {
        "maker64": made(*(row[name] for name in _MAKER)),
        "text64": made(row["text"]),
        "tokens": row["token_count"],
        "status": row["status"],
        "verifier": row["verifier"],
        "n_reasoning": 0,
        "n_answer": 0,
    }


def _pair(row: Row, making: Making, made: Hasher, faults: RowFaults) -> Line:
    """`preference`."""
    user, good, bad = (
        "".join(turn["content"] for turn in row[name]) for name in ("prompt", "chosen", "rejected")
    )
    _content_hash(row, (user, good, bad, row["answer"]), faults)
    maker = [
        [row["chosen_" + name] for name in _MAKER],
        [row["rejected_" + name] for name in _MAKER],
    ]
    return {
        "asked64": made(statement_of(user, making.instructions), row["answer"]),
        "chosen64": made(row["chosen_id"]),
        "loser64": made(row["rejected_id"]),
        "text64": made(f"{user}\n\n{good}"),
        "split64": made(f"{user}\n\n{bad}"),
        "maker64": made(*maker[0]),
        "teacher64": made(*maker[1]),
    }


def _problem(row: Row, making: Making, made: Hasher, faults: RowFaults) -> Line:
    """`rl`."""
    user = "".join(turn["content"] for turn in row["prompt"])
    _content_hash(row, (user, row["solution"]), faults)
    _rated(row, faults)
    if row["id"] != row["problem_id"]:
        faults.add("row_id", row["id"], "its id", f"{row['problem_id']}, its problem_id")
    info = orjson.loads(row["verification_info"])
    if info.get("reference") != row["solution"]:
        faults.add("verification_info", row["id"], "its reference", "the row's solution")
    return {
        "asked64": made(statement_of(user, making.instructions), row["solution"]),
        "verifier": info["verifier"],
        "n_attempts": row["n_attempts"],
        "n_correct": row["n_correct"],
        "n_rated": row["n_rated"],
        "pass_rate": row["pass_rate"],
        "options": orjson.dumps(info["options"], option=orjson.OPT_SORT_KEYS).decode(),
    }


def _probe(row: Row, making: Making, made: Hasher, faults: RowFaults) -> Line:
    """`probes`: what of them can be held against the trace that was tampered with."""
    _content_hash(row, (row["prefix"], row["continuation"]), faults)
    wanted = f"{row['attempt_id']}/probe/{making.split}"
    if row["id"] != wanted:
        faults.add("row_id", row["id"], "its id", f"{wanted}, by its columns")
    if row["kind"] != making.split:
        faults.add("probe_kind", row["id"], f"kind {row['kind']}", f"{making.split}, its split")
    if row["outcome"] not in OUTCOMES:
        faults.add("probe_outcome", row["id"], row["outcome"], f"one of {', '.join(OUTCOMES)}")
    return {
        "chosen64": made(row["attempt_id"]),
        "teacher64": made(row["problem_id"], row["teacher"]),
    }


def _overlap(row: Row, making: Making, made: Hasher, faults: RowFaults) -> Line:
    """`overlaps`: whose they are, and whether that row may be for training."""
    _content_hash(row, tuple(row[name] for name in OVERLAP_CONTENT), faults)
    whose = row["attempt_id"] or row["problem_id"]
    wanted = f"{whose}/overlap/{row['stage']}/{row['benchmark']}/{row['level']}"
    if row["id"] != wanted:
        faults.add("row_id", row["id"], "its id", f"{wanted}, by its columns")
    if row["level"] not in LEVELS:
        faults.add("overlap_level", row["id"], row["level"], f"one of {', '.join(LEVELS)}")
    attempt = row["attempt_id"]
    return {"chosen64": None if attempt is None else made(attempt), "status": row["level"]}


_SHAPES: Mapping[str, Callable[[Row, Making, Hasher, RowFaults], Line]] = {
    "sft": _trace,
    "rejected": _trace,
    "sft_reasoning": _split,
    "pretrain": _text,
    "preference": _pair,
    "rl": _problem,
    "probes": _probe,
    "overlaps": _overlap,
}


def _turns(row: Row, faults: RowFaults) -> Sequence[Mapping[str, Any]]:
    turns: Sequence[Mapping[str, Any]] = row["messages"]
    roles = [turn["role"] for turn in turns]
    if roles == ["user", "assistant"]:
        return turns
    faults.add("messages", row["id"], roles, "one user turn and one assistant turn")
    return [{"content": ""}, {"content": ""}]


def _each(table: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in table.to_batches(max_chunksize=1000):
        yield from batch.to_pylist()


def _content_hash(row: Row, values: tuple[str | None, ...], faults: RowFaults) -> None:
    sha256 = hashlib.sha256(orjson.dumps(values)).hexdigest()
    if row["content_sha256"] != sha256:
        faults.add("row_content_sha256", row["id"], row["content_sha256"], f"{sha256}, by its text")
