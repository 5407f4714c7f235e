"""What was found, as each group of chunks needs it: its problems that go, its traces that go.

a problem that repeats another   moves to the split `duplicate` of `rl`; its traces stay, unless
                                 they repeat others, or that one is held out
a trace that repeats another     is dropped, and the reason names the one that stays
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from tracefactory.repeats.compared import Roots, dropped
from tracefactory.repeats.tables import FATE_SCHEMA, HELD_OUT, PUBLISHED, PUBLISHED_HELD_OUT
from tracefactory.schemas.attempt import ATTEMPT_SCHEMA
from tracefactory.schemas.problem import DUPLICATE, PROBLEM_SCHEMA
from tracefactory.schemas.receipt import Output
from tracefactory.stages.contract import DECISION_SCHEMA, Inputs, Result
from tracefactory.stages.split import SPLIT_SCHEMA, split_of
from tracefactory.task import Chunk

Fate = Mapping[str, Any]


def fates_of(
    inputs: Inputs, repeats: Sequence[Output], near: Sequence[Output], group: int
) -> dict[str, Fate]:
    """What happens to rows of a group, by id; the walk knows more than equal contents do."""
    found: dict[str, Fate] = {}
    for files in (repeats, near):
        for file in files:
            if file.rows:
                table = inputs.home.read(file, filters=[("group", "=", group)])
                for row in table.select(FATE_SCHEMA.names).to_pylist():
                    if gone(row):
                        found[row["id"]] = row
                    else:
                        found.setdefault(row["id"], row)
    return found


def gone(fate: Fate | None) -> bool:
    """Does the row go, or do others go for it?"""
    return fate is not None and (fate["id"] != fate["keeper"] or fate["tier"] <= PUBLISHED)


def roots_of(fates: Mapping[str, Fate]) -> Roots:
    """Which problem stands for which."""
    away = (HELD_OUT, PUBLISHED_HELD_OUT)
    banned = {i for i, fate in fates.items() if gone(fate) and fate["tier"] in away}
    return Roots({i: fate["keeper"] for i, fate in fates.items()}, frozenset(banned))


def shared(
    inputs: Inputs,
    chunks: Sequence[Chunk],
    problems: Mapping[str, Fate],
    traces: Mapping[str, Fate],
    stage: str,
    names: Sequence[str],
) -> Result:
    """Decisions and splits of a group of chunks; `names` are those of what was published before."""
    counts: Counter[str] = Counter()
    decisions = list(_decisions(inputs, chunks, problems, traces, stage, names, counts))
    decisions.sort(key=lambda row: row["attempt_id"])
    moved = {row["problem_id"]: row for row in _moved(inputs, chunks, problems)}
    counts["duplicate problems"] = len(moved)
    splits = [moved[i] for i in sorted(moved)]
    return Result(
        {
            "decisions": pa.Table.from_pylist(decisions, schema=DECISION_SCHEMA),
            "splits": pa.Table.from_pylist(splits, schema=SPLIT_SCHEMA),
        },
        counts,
    )


def _decisions(
    inputs: Inputs,
    chunks: Sequence[Chunk],
    problems: Mapping[str, Fate],
    traces: Mapping[str, Fate],
    stage: str,
    names: Sequence[str],
    counts: Counter[str],
) -> Iterator[dict[str, str]]:
    banned = roots_of(problems).banned
    for chunk in chunks:
        before = dropped(inputs, chunk)
        table = inputs.table("attempts", ATTEMPT_SCHEMA, chunk, ["id", "problem_id"])
        for attempt, problem in zip(*(c.to_pylist() for c in table.columns), strict=True):
            if attempt in before:
                continue
            if problem in banned:
                fate = problems[problem]
                why = (
                    f"its problem is a {_kind(fate)} of the held-out {fate['keeper']}{_near(fate)}"
                )
            elif gone(traces.get(attempt)):
                why = reason(traces[attempt], names)
            else:
                counts["kept"] += 1
                continue
            counts["duplicates"] += 1
            yield {"attempt_id": attempt, "dropped_by": stage, "drop_reason": why}


def _moved(
    inputs: Inputs, chunks: Sequence[Chunk], problems: Mapping[str, Fate]
) -> Iterator[dict[str, str]]:
    for chunk in chunks:
        held = split_of(inputs, chunk)
        table = inputs.table("problems", PROBLEM_SCHEMA, chunk, ["id", "split"])
        for problem, split in zip(*(c.to_pylist() for c in table.columns), strict=True):
            if gone(problems.get(problem)) and held.get(problem, split) == "train":
                yield {"problem_id": problem, "split": DUPLICATE}


def _kind(fate: Fate) -> str:
    return "near-duplicate" if fate["near"] else "duplicate"


def _near(fate: Fate) -> str:
    return f" (Jaccard {fate['jaccard']:.2f})" if fate["near"] else ""


def reason(fate: Fate, names: Sequence[str]) -> str:
    """Why a trace went: `near-duplicate of ID (Jaccard 0.93)`."""
    said = f"{_kind(fate)} of {fate['keeper']}{_near(fate)}"
    return f"published {said}, in {names[-1 - fate['where']]}" if fate["where"] < 0 else said
