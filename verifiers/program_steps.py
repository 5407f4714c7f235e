r"""Check what a response says that its code prints: the code is run in a box, and compared.

Kinds of step (programs/claims.py says how they are found):
    snippet      a Python block with its claimed output
    session      one `>>> ` example with its claimed output

Outcomes:
    true         the same output, but for white space at the ends of lines and empty lines at the
                 end; or equal values, written otherwise (the order of a set, `1e3` for `1000.0`)
    rounded      a number that is right to the digits it shows
    false        another output, or an error that no missing part of the code can explain
    uncheckable  the code cannot be run as it stands (a name, a module, a file or input is missing,
                 it is no Python), prints nothing, needs too long or too much, or leaves; its output
                 differs from run to run (`random`, time, addresses); or the claim is cut short
                 (`...`) or goes on in prose. When in doubt, no step is called false.

`not_checked` in the evidence counts the reasons of the last kind. No step is `repaired`: a later
claim about other code puts nothing right.

Code runs under the same walls as programs that are judged (tracefactory/sandbox), with the rung
that the problem's `isolation` option names, or the best that works. Time-outs are tried again once
with twice the time; after two of them no more code of the response is run.

Not here: whether the program is right (python_program.py), arithmetic (steps.py).

Raises Unavailable or Lost when code cannot be boxed here: that says nothing about the response.
"""

import ast
import json
import re
import secrets
import time
from collections import Counter
from typing import NamedTuple, cast

import orjson

from tracefactory.sandbox import ladder, plain
from tracefactory.sandbox.execution import run_program
from tracefactory.sandbox.limits import Limits
from tracefactory.sandbox.pool import Lost
from tracefactory.sandbox.results import Ending
from tracefactory.sandbox.rung import Rung
from tracefactory.schemas.attempt import Attempt
from tracefactory.schemas.problem import Problem
from tracefactory.schemas.verdict import StepCounts
from tracefactory.verifiers.programs.claims import Claim, Run, runs
from tracefactory.verifiers.stepping.outcomes import (
    FALSE,
    MAX_SHOWN,
    OUTCOMES,
    ROUNDED,
    TRUE,
    UNCHECKABLE,
)

VERSION = "1"

LIMITS = Limits(wall_s=2.0, cpu_s=3.0, memory_mb=512, output_bytes=1 << 20)
MAX_RUNS = 16
"""Boxes for one response; what is beyond is uncheckable."""
MAX_TIMEOUTS = 2
MAX_FALSE_SHOWN = 3
_TRIES = 3
_MAX_VALUE_CHARS = 10_000
_TIMEOUTS = ("timeout_wall", "timeout_cpu")

# fmt: off
_ELSEWHERE = frozenset((
    "NameError", "ImportError", "ModuleNotFoundError", "AttributeError", "EOFError", "MemoryError",
    "RecursionError", "SyntaxError", "OSError", "FileNotFoundError", "PermissionError",
    "NotADirectoryError", "IsADirectoryError", "BlockingIOError", "ConnectionError",
    "ConnectionRefusedError", "TimeoutError", "UnicodeEncodeError",
))
# fmt: on
"""Errors that may come from what the response does not show, or from the box."""
_CHANGING = re.compile(
    r"\b(?:random|secrets|uuid|datetime|time|perf_counter|urandom|getpid|environ|platform|version)\b"
    r"|\b(?:id|hash|open)\("
)
_ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]+")

_HARNESS = """\
def _check(text):
    import ast, io, json, sys
    job = json.loads(text)
    out, mark = sys.stdout, job["mark"]
    scope = {"__name__": "__main__"}
    kept = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom,
            ast.Assign, ast.AnnAssign, ast.AugAssign)
    sys.stdout = io.StringIO()
    for source in job["context"]:
        try:
            body = ast.parse(source).body
        except Exception:
            continue
        for node in body:
            if isinstance(node, kept):
                try:
                    exec(compile(ast.Module([node], []), "<before>", "exec"), scope)
                except Exception:
                    pass
    for number, source in enumerate(job["sources"]):
        sys.stdout = out
        out.write("\\n" + mark + " begin\\n")
        kind = said = ""
        try:
            code = compile(source, "<snippet>", job["mode"])
        except Exception:
            kind = "SyntaxError"
        else:
            try:
                exec(code, scope)
            except Exception as error:
                kind, said = type(error).__name__, str(error)
        out.write("\\n" + mark + " end " + json.dumps([kind, said[:200]]) + "\\n")
        out.flush()


_check(%s)
"""


class _Result(NamedTuple):
    """What came of one claim's code."""

    output: str
    error: str
    """Name of the exception; empty if none."""
    said: str


class _Checked(NamedTuple):
    outcome: int
    why: str = ""
    """Of what is uncheckable."""


def count(response: str, isolation: str = "") -> StepCounts:
    """Check the claims of a response.

    Raises:
        Unavailable, Lost: no code can be run here.
    """
    tally: dict[str, Counter[str]] = {}
    not_checked: Counter[str] = Counter()
    false: list[str] = []
    boxes = timeouts = 0
    for run in runs(response):
        if boxes < MAX_RUNS and timeouts < MAX_TIMEOUTS:
            results, why = _run(ladder.choose(isolation), run)
            boxes, timeouts = boxes + 1, timeouts + (why in _TIMEOUTS)
        else:
            results, why = [], "too_many_runs"
        for at, claim in enumerate(run.claims):
            if not claim.wants:
                continue
            result = results[at] if at < len(results) else None
            checked = _Checked(UNCHECKABLE, why) if result is None else _judged(run, claim, result)
            tally.setdefault(run.kind, Counter())[OUTCOMES[checked.outcome]] += 1
            if checked.why:
                not_checked[checked.why] += 1
            if checked.outcome == FALSE and result is not None:
                false.append(_shown(claim, result))
    return _counts(tally, not_checked, false)


def measure(problem: Problem, attempt: Attempt) -> StepCounts:
    """Check the claims of an attempt.

    Raises:
        Unavailable, Lost: no code can be run here.
    """
    isolation = orjson.loads(problem.verifier_options).get("isolation", "")
    return count(attempt.text, isolation if isinstance(isolation, str) else "")


# --- Running -----------------------------------------------------------------------------------


def _run(rung: Rung, run: Run) -> tuple[list[_Result], str]:
    """What each claim's code gave, and why those behind them gave nothing."""
    mark = secrets.token_hex(12)
    job = {
        "mark": mark,
        "mode": "single" if run.kind == "session" else "exec",
        "context": run.context,
        "sources": [claim.source for claim in run.claims],
    }
    program = _HARNESS % repr(json.dumps(job))
    try:
        ending = _boxed(rung, program, LIMITS)
        if _why(ending) in _TIMEOUTS:
            twice = LIMITS._replace(wall_s=2 * LIMITS.wall_s, cpu_s=2 * LIMITS.cpu_s)
            ending = _boxed(rung, program, twice)
    except plain.NotPlain:
        return [], "too_long"
    return _results(ending.stdout.decode("utf-8", "replace"), mark), _why(ending)


def _boxed(rung: Rung, program: str, limits: Limits) -> Ending:
    for tried in range(1, _TRIES):
        try:
            return run_program(rung, program, b"", limits)
        except Lost:
            time.sleep(0.05 * tried)
    return run_program(rung, program, b"", limits)


def _why(ending: Ending) -> str:
    if ending.killed_for:
        return "output_limit" if ending.killed_for == "disk_limit" else ending.killed_for
    if ending.signal is not None and ending.cpu_s >= 0.9 * LIMITS.cpu_s:
        return "timeout_cpu"
    return "crashed" if ending.signal is not None else "left_early"


def _results(stdout: str, mark: str) -> list[_Result]:
    found: list[_Result] = []
    for part in stdout.split(f"\n{mark} begin\n")[1:]:
        output, ended, tail = part.rpartition(f"\n{mark} end ")
        if not ended:
            break
        kind, said = json.loads(tail.partition("\n")[0])
        found.append(_Result(output, str(kind), str(said)))
    return found


# --- Comparing ---------------------------------------------------------------------------------


def _judged(run: Run, claim: Claim, result: _Result) -> _Checked:
    if claim.wants.startswith("Traceback (most recent call last)"):
        return _of_traceback(claim, result)
    if result.error in _ELSEWHERE:
        return _Checked(UNCHECKABLE, result.error)
    checked = _Checked(FALSE) if result.error else _compared(claim, result.output)
    if checked.outcome == FALSE:
        if _CHANGING.search("\n".join((*run.context, *(c.source for c in run.claims)))):
            return _Checked(UNCHECKABLE, "may_change")
        if _ADDRESS.search(result.output):
            return _Checked(UNCHECKABLE, "address")
    return checked


def _of_traceback(claim: Claim, result: _Result) -> _Checked:
    """The last line names the error."""
    kind, _, said = claim.wants.rstrip().rpartition("\n")[2].partition(":")
    if not result.error:
        return _Checked(FALSE)
    if kind.strip().rpartition(".")[2] != result.error:
        return _Checked(UNCHECKABLE if result.error in _ELSEWHERE else FALSE, "")
    return _Checked(TRUE) if said.strip() == result.said else _Checked(UNCHECKABLE, "other_words")


def _compared(claim: Claim, output: str) -> _Checked:
    wants, found = _lines(claim.wants), _lines(output)
    if not found:
        return _Checked(UNCHECKABLE, "prints_nothing")
    if wants == found:
        return _Checked(TRUE)
    if len(wants) == len(found):
        outcomes = [_of_line(one, other) for one, other in zip(wants, found, strict=True)]
        worst = max(outcomes, key=lambda checked: checked.outcome)
        doubted = next((c for c in outcomes if c.outcome == UNCHECKABLE), None)
        # One line that is plainly wrong is enough, whatever is doubtful about the others.
        decided = next((c for c in outcomes if c.outcome == FALSE), doubted or worst)
        if decided.outcome != FALSE:
            return decided
    if not claim.is_exact and (len(wants) != len(found) or not _is_value(wants)):
        return _Checked(UNCHECKABLE, "prose")
    if any("..." in line for line in wants):
        return _Checked(UNCHECKABLE, "cut_short")
    return _Checked(FALSE)


def _lines(text: str) -> list[str]:
    lines = [line.rstrip() for line in text.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    while lines and not lines[0]:
        lines.pop(0)
    return lines


def _of_line(want: str, got: str) -> _Checked:
    want = re.sub(r"\s{2,}#.*", "", want).strip()
    got = got.strip()
    if want in (got, f"{got}."):
        return _Checked(TRUE)
    if "..." in want:
        return _Checked(UNCHECKABLE, "cut_short")
    if want.split() == got.split():
        return _Checked(UNCHECKABLE, "white_space")
    there, here = _value(want), _value(got)
    if want in (here, repr(got)) or (isinstance(there, str) and there == here):
        return _Checked(UNCHECKABLE, "quotes")
    if there is None or here is None or isinstance(there, str) or isinstance(here, str):
        return _Checked(FALSE)
    if type(there) is type(here) and there == here:
        return _Checked(TRUE)
    if isinstance(there, float | int) and isinstance(here, float):
        places = len(want.partition(".")[2])
        if "e" not in want and abs(there - here) <= 0.5000001 * 10.0**-places:
            return _Checked(ROUNDED)
        return _Checked(FALSE)
    if isinstance(there, list | tuple) and isinstance(here, list | tuple):
        there, here = list(cast("list[object]", there)), list(cast("list[object]", here))
    return _Checked(UNCHECKABLE, "other_type") if there == here else _Checked(FALSE)


def _value(text: str) -> object:
    """The Python literal that a line is; None if it is none."""
    if len(text) > _MAX_VALUE_CHARS:
        return None
    try:
        value: object = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    return value


def _is_value(wants: list[str]) -> bool:
    """One line that is nothing but a value."""
    return len(wants) == 1 and _value(wants[0].rstrip(".")) is not None


def _shown(claim: Claim, result: _Result) -> str:
    source = " ".join(claim.source.split())[-MAX_SHOWN:]
    got = result.error or " ".join(result.output.split())
    return f"{source} -> {' '.join(claim.wants.split())[:MAX_SHOWN]}, not {got[:MAX_SHOWN]}"


def _counts(
    tally: dict[str, Counter[str]], not_checked: Counter[str], false: list[str]
) -> StepCounts:
    fields: dict[str, object] = {kind: dict(outcomes) for kind, outcomes in tally.items()}
    if not_checked:
        fields["not_checked"] = dict(not_checked)
    if false:
        fields["first_false"] = false[:MAX_FALSE_SHOWN]
    total = sum(tally.values(), Counter[str]())
    true, rounded, repaired, wrong, uncheckable = (total[name] for name in OUTCOMES)
    evidence = orjson.dumps(fields, option=orjson.OPT_SORT_KEYS).decode()
    return StepCounts(true, rounded, repaired, wrong, uncheckable, evidence)
