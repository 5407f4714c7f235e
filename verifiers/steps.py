r"""Check the steps of a response one by one: exact arithmetic, and algebra line by line.

Kinds of step:
    mark        `<<16-3=13>>`: every calculator mark with an `=` is one step, with all its links.
    equation    `a = b` of numbers on a line without marks, also inside a sentence. Each `=` of a
                chain is one step if one of its sides has an operator. Naming a value (`x = 5`,
                `total = 3+4`) is none, nor is an `=` with nothing on one side.
    congruence  each `≡` (or `\equiv`) between two sides. The modulus comes from the line, the next
                `mod 7` or `\pmod{7}` behind the step or else the last before it, else from the
                statement if that names just one. `18 = 4 (mod 7)` and `18 mod 7 = 4` count as well.
    algebra     what the three above cannot read but mathematics can (stepping/algebra.py): letters,
                LaTeX, roots, functions, `≈`, a chain over several rows (`A &= B \\ &= C`).
                `(x+1)^2 = x^2 + 2x + 1` and `\sqrt{16} = 4`; and an equation that says the same as
                the one before it: `2x + 3 = 7`, then `2x = 4`, then `x = 2`.

Read in equations: + - * / ^ and their signs (− – × · ⋅ ∙ ÷ ∕ \times \cdot \div, `**`, x between
numbers), brackets, decimals, strict thousands (`1,234`), % as a hundredth, `2(3)`, \frac of digits.
$ € £, \left and \right are skipped. `^` is a power with a whole exponent, never exclusive-or.

Outcomes:
    true         exactly, or equal wherever both sides are defined. Of functions that have no normal
                 form (`\sin 2x = 2 \sin x \cos x`) at many random points.
    rounded      a side is a plain number, right to the digits it shows: the nearest, ties away
                 from zero or to even. 20/3 = 6.67 and 7/2 = 4, but not 6.66 nor 7/2 = 3, and
                 1/3 = 0 shows no digit. Or it shows 15 digits and more, and is off by at most
                 1e-9 of itself: so float arithmetic prints (0.30000000000000004). An irrational
                 value with `=` must show a decimal: \sqrt{17} = 4 is not rounded.
    repaired     false, but a later line `Recheck: ...` states a step with the same left side (and
                 in the same modulus) that is true or rounded.
    false        anything else that was read without doubt. With variables hardly ever: only
                 a wrong rewriting, or a wrong solution behind an implication sign (algebra.py).
    uncheckable  an equation to solve, a condition, a definition; a unit within a side, a clock
                 time, an ellipsis, `1 000`, no known modulus, a number too long. So is a step not
                 exactly true whose notation leaves doubt: `100 + 10%`, `1/2 * 100 = 50%`, `1 1/2`,
                 `2 (3)`, `3 million`, `1 hour 40`, `3/4 = 45 minutes`; or the words around: "it is
                 not true that 2+2=5", "2+2=5 fails", "1+1=10 in binary", a problem that defines an
                 operation, names Python or quotes an error.
                 When in doubt, no step is called false.

Not here: words as numbers, inequalities, systems of equations, quadratic equations solved, and
whether a step helps the answer. Work is linear in the response: one pass over the tokens for
arithmetic and one for formulas, and caps on what is evaluated and decided.
"""

from bisect import bisect_right
from itertools import accumulate, islice

import orjson

from tracefactory.schemas.attempt import Attempt
from tracefactory.schemas.problem import Problem
from tracefactory.schemas.verdict import StepCounts
from tracefactory.verifiers.stepping.algebra import algebra_steps
from tracefactory.verifiers.stepping.doubt import Doubts
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

VERSION = "3"

_APPROXIMATELY = ("≈", "\\approx")


def count(statement: str, response: str) -> StepCounts:
    """Count the steps of a response.

    The statement is read only for a modulus, for signs of another meaning, and for what it says of
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


def found(statement: str, response: str) -> list[Step]:
    """The steps of a response in their order, each with where it stands and how it came out.

    None is `repaired` here: whether a later line puts one right is for `count` to say.
    """
    return sorted(step for _, steps in _steps_by_line(statement, response) for step in steps)


def _steps_by_line(statement: str, response: str) -> list[tuple[bool, list[Step]]]:
    """The steps of every line that has any, and whether it is a `Recheck:` line."""
    has_congruence = "≡" in response or "\\equiv" in response
    stated = set(MODULUS.findall(statement)) if has_congruence else set[str]()
    modulus = int(stated.pop()) if len(stated) == 1 else None
    doubts = Doubts(statement, response)
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
        steps = line_steps(here, begin - 1, modulus, goes_on, doubts)
        if steps:
            found[number] = steps
        known = sum(step.kind == "equation" and step.outcome < UNCHECKABLE for step in steps)
        unread = unread or known < line.count("=")
    if unread:
        _add_algebra(statement, lines, marked, found, doubts)
    return [(lines[number].lstrip().startswith(RECHECK), found[number]) for number in sorted(found)]


def _add_algebra(
    statement: str,
    lines: list[str],
    marked: set[int],
    found: dict[int, list[Step]],
    doubts: Doubts,
) -> None:
    """Put in what the reader of mathematics knows of the steps that arithmetic could not read."""
    text = "\n".join(" " * len(line) if at in marked else line for at, line in enumerate(lines))
    known = {
        step.at: step
        for steps in found.values()
        for step in steps
        if (step.outcome < UNCHECKABLE and step.kind != "mark") or step.is_doubted
    }
    begins = [0, *accumulate(len(line) + 1 for line in lines)]
    by_line: dict[int, dict[int, Step]] = {}
    seen = {step.at for steps in found.values() for step in steps}
    for step in algebra_steps(statement, text, known, doubts):
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
