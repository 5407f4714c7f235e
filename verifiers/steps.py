r"""DOC"""

from bisect import bisect_right
from itertools import accumulate, islice

import orjson

from tracefactory.schemas.attempt import Attempt
from tracefactory.schemas.problem import Problem
from tracefactory.schemas.verdict import StepCounts
from tracefactory.verifiers.stepping.algebra import algebra_steps
from tracefactory.verifiers.stepping.doubt import own_signs
from tracefactory.verifiers.stepping.lines import (
    MARK,
    MODULUS,
    RECHECK,
    UNFINISHED,
    line_steps,
    mark_step,
)
from tracefactory.verifiers.stepping.outcomes import (
    FALSE,
    MAX_SHOWN,
    OUTCOMES,
    REPAIRED,
    ROUNDED,
    UNCHECKABLE,
    Step,
)

VERSION = "2"

_APPROXIMATELY = ("≈", "\\approx")


def count(statement: str, response: str) -> StepCounts:
    """Count the steps of a response.

    The statement is read only for a modulus, for operations of its own, and for what it says of
    the variables.
    """
    if "{,}" in response or ",\\!" in response:
        response = response.replace("{,}", ",").replace(",\\!", ",")
    tally: dict[str, list[int]] = {}
    false: list[Step] = []
    mended: set[int] = set()  # which of them a later line puts right
    open_by_key: dict[str, list[int]] = {}
    for recheck, steps in _steps_by_line(statement, response):
        if recheck and open_by_key:
            for step in steps:
                if step.outcome <= ROUNDED:
                    mended.update(open_by_key.pop(step.key, ()))
        for step in steps:
            outcomes = tally.get(step.kind)
            if outcomes is None:
                outcomes = tally[step.kind] = [0, 0, 0, 0, 0]
            outcomes[step.outcome] += 1
            if step.outcome == FALSE:
                open_by_key.setdefault(step.key, []).append(len(false))
                false.append(step)

    for at in mended:
        outcomes = tally[false[at].kind]
        outcomes[FALSE] -= 1
        outcomes[REPAIRED] += 1
    true, rounded, repaired, wrong, uncheckable = (
        sum(outcomes[at] for outcomes in tally.values()) for at in range(5)
    )
    evidence = _evidence(tally, false, mended)
    return StepCounts(true, rounded, repaired, wrong, uncheckable, evidence)


def _steps_by_line(statement: str, response: str) -> list[tuple[bool, list[Step]]]:
    """The steps of every line that has any, and whether it is a `Recheck:` line."""
    has_congruence = "≡" in response or "\\equiv" in response
    stated = set(MODULUS.findall(statement)) if has_congruence else set[str]()
    modulus = int(stated.pop()) if len(stated) == 1 else None
    own = own_signs(statement)
    lines = response.split("\n")
    found: dict[int, list[Step]] = {}
    marked: set[int] = set()
    unread = any(sign in response for sign in _APPROXIMATELY)
    begin = 0
    before = this = ""
    for number, line in enumerate(lines):
        before, this = this, line
        here, begin = begin, begin + len(line) + 1
        if "=" not in line and not (has_congruence and ("≡" in line or "\\equiv" in line)):
            continue
        marks = [m for m in MARK.finditer(line) if "=" in m[1]] if "<<" in line else []
        if marks:
            marked.add(number)
            found[number] = [mark_step(m[1], m[0][:MAX_SHOWN], here + m.start()) for m in marks]
            continue
        goes_on = before.rstrip()[-1:] in UNFINISHED
        steps = line_steps(line, here, modulus, goes_on, own)
        if steps:
            found[number] = steps
        known = sum(step.kind == "equation" and step.outcome < UNCHECKABLE for step in steps)
        unread = unread or known < line.count("=")
    if unread:
        _add_algebra(statement, lines, marked, found, own)
    return [(lines[number].lstrip().startswith(RECHECK), found[number]) for number in sorted(found)]


def _add_algebra(
    statement: str,
    lines: list[str],
    marked: set[int],
    found: dict[int, list[Step]],
    own: frozenset[str],
) -> None:
    """Put in what the reader of mathematics knows of the steps that arithmetic could not read."""
    text = "\n".join(" " * len(line) if at in marked else line for at, line in enumerate(lines))
    known = {
        step.at: step
        for steps in found.values()
        for step in steps
        if step.outcome < UNCHECKABLE and step.kind != "mark"
    }
    begins = [0, *accumulate(len(line) + 1 for line in lines)]
    by_line: dict[int, dict[int, Step]] = {}
    seen = {step.at for steps in found.values() for step in steps}
    for step in algebra_steps(statement, text, known, own):
        if step.outcome == UNCHECKABLE and step.at in seen:
            continue
        by_line.setdefault(bisect_right(begins, step.at) - 1, {})[step.at] = step
    for number, steps in by_line.items():
        kept = [step for step in found.get(number, ()) if step.at not in steps]
        found[number] = sorted([*kept, *steps.values()])


def _evidence(tally: dict[str, list[int]], false: list[Step], mended: set[int]) -> str:
    fields: dict[str, object] = {
        kind: {name: n for name, n in zip(OUTCOMES, outcomes, strict=True) if n}
        for kind, outcomes in tally.items()
    }
    if len(false) > len(mended):
        still = (step.text for at, step in enumerate(false) if at not in mended)
        fields["first_false"] = list(islice(still, 3))
    return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS).decode() if fields else "{}"


def measure(problem: Problem, attempt: Attempt) -> StepCounts:
    """Count the steps of an attempt."""
    return count(problem.statement, attempt.text)
