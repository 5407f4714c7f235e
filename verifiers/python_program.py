r"""Right when the program, run in a box that it cannot get out of, passes its tests.

A problem holds its tests as `reference`, and its settings as `verifier_options` (JSON, all texts):

    kind          tests
    stdin_stdout  JSON: [{"input": "2\n", "output": "4\n"}, ...]
    function      JSON: [{"args": [2], "kwargs": {}, "expected": 4}, ...]; kwargs may lack
    asserts       Python code that calls the function by its name, or defines check(candidate)

    entry_point   the function's name; asserts that call only one unknown name need not give it
    timeout_s, memory_mb   of one test of stdin_stdout, of all tests together otherwise
    tolerance     "1e-4": relative and absolute, for floats; stdin_stdout is exact else
    isolation     a rung of sandbox/ladder.py by its name; the best that works here if not given

No expected value ever enters the box that holds the program. Its output and what its function
returns are compared outside, as exact built-in types; asserts run in a second box, whose calls are
relayed. What decides is never an exit status or anything else that a program could say of itself.

Reasons: `passed`; rejections as in programs/reasons.py; `bad_reference` when the tests themselves
are at fault; `error` with `sandbox_unavailable` or `sandbox_lost` when nothing can be said about
the program. Where no walls of ours stood, the checker's address in every row says so
(`...:verify@1+none-unsafe`, `+remote`). The evidence names the rung, the failing test, the limit. A
time-out is tried again with twice the time; what then stays one is `limited_by` the clock.

Not here: boxes (tracefactory/sandbox), comparing, finding the program (programs/).
"""

import json
from typing import Literal, cast, get_args

from tracefactory.sandbox import ladder, plain
from tracefactory.sandbox.limits import Limits
from tracefactory.sandbox.pool import Lost, Unavailable
from tracefactory.schemas.attempt import Attempt
from tracefactory.schemas.problem import Problem
from tracefactory.schemas.verdict import Verdict
from tracefactory.verifiers.extract import read_options
from tracefactory.verifiers.programs import judging, wanted
from tracefactory.verifiers.programs.comparison import Tolerance
from tracefactory.verifiers.programs.extraction import last_program
from tracefactory.verifiers.programs.reasons import PASSED, TIMEOUTS, Finding, short
from tracefactory.verifiers.programs.wanted import BadTests

VERSION = "1"

Kind = Literal["stdin_stdout", "asserts", "function"]
OPTIONS = ("kind", "entry_point", "timeout_s", "memory_mb", "tolerance", "isolation")
MIN_MEMORY_MB = 64
"""Of address space: the interpreter itself needs about half of it."""


def judge(
    program: str,
    *,
    kind: Kind,
    tests: object,
    entry_point: str | None = None,
    timeout_s: float = 10.0,
    memory_mb: int = 1024,
    tolerance: float | None = None,
    isolation: str = "",
) -> Verdict:
    """Run a program against its tests.

    Raises:
        ValueError: a setting has no such value.
    """
    _check(kind, entry_point, timeout_s, memory_mb, tolerance)
    evidence: dict[str, object] = {"kind": kind}
    try:
        rung = ladder.choose(isolation)
        evidence["rung"] = rung.name
        # A second more than the clock: a program that is only slow always meets the same limit.
        limits = Limits(wall_s=timeout_s, cpu_s=timeout_s + 1, memory_mb=memory_mb)
        asked = None if tolerance is None else Tolerance(tolerance, tolerance)
        found = _found(program, kind, tests, entry_point, judging.Setting(rung, limits, asked))
    except BadTests as error:
        evidence["found"] = short(error.found)
        return Verdict("", "bad_reference", error.reason, evidence=_json(evidence))
    except Unavailable as error:
        evidence["findings"] = str(error)
        return Verdict("", "error", "sandbox_unavailable", evidence=_json(evidence))
    except Lost as error:
        evidence["findings"] = str(error)
        return Verdict("", "error", "sandbox_lost", evidence=_json(evidence))
    return Verdict(
        "",
        "correct" if found.reason == PASSED else "incorrect",
        found.reason,
        evidence=_json(evidence | found.facts),
        limited_by="clock" if found.reason in TIMEOUTS else None,
    )


def verify(problem: Problem, attempt: Attempt) -> Verdict:
    """Judge the last Python block of an attempt.

    Raises:
        ValueError: problem.verifier_options holds what this checker cannot take.
    """
    options = read_options(problem.verifier_options, OPTIONS)
    kind = cast("Kind", options.get("kind", ""))
    if kind not in get_args(Kind):
        raise ValueError(f"verifier option kind is {kind!r}; known: {', '.join(get_args(Kind))}")
    extracted = last_program(attempt.text)
    if extracted.program is None:
        return Verdict(attempt.id, "no_answer", extracted.why, _ADDRESS)
    verdict = judge(
        extracted.program,
        kind=kind,
        tests=problem.reference if kind == "asserts" else _loaded(problem.reference),
        entry_point=options.get("entry_point"),
        timeout_s=_number(options, "timeout_s", 10.0),
        memory_mb=int(_number(options, "memory_mb", 1024)),
        tolerance=_number(options, "tolerance", 0.0) if "tolerance" in options else None,
        isolation=options.get("isolation", ""),
    )
    return Verdict(
        attempt.id,
        verdict.status,
        verdict.reason,
        _ADDRESS + _weaker_promise(verdict.evidence),
        extracted.program.encode("utf-8", "replace").decode(),
        verdict.evidence,
        verdict.limited_by,
    )


_ADDRESS = f"tracefactory.verifiers.python_program:verify@{VERSION}"


def _weaker_promise(evidence: str) -> str:
    """What every row says of a verdict that no walls of ours stood behind: `@1+none-unsafe`."""
    rung = json.loads(evidence).get("rung")
    return f"+{rung}" if rung in (ladder.UNSAFE, "remote") else ""


def _check(
    kind: str,
    entry_point: str | None,
    timeout_s: float,
    memory_mb: int,
    tolerance: float | None,
) -> None:
    if kind not in get_args(Kind):
        raise ValueError(f"kind is {kind!r}; known: {', '.join(get_args(Kind))}")
    if kind == "function" and not entry_point:
        raise ValueError("kind function needs an entry_point")
    if entry_point is not None and not entry_point.isidentifier():
        raise ValueError(f"entry_point {entry_point!r} is no name")
    if not 0 < timeout_s < 1e6:
        raise ValueError(f"timeout_s is {timeout_s!r}; it must be more than 0")
    if memory_mb < MIN_MEMORY_MB:
        raise ValueError(f"memory_mb is {memory_mb!r}; it must be {MIN_MEMORY_MB} or more")
    if tolerance is not None and not 0 <= tolerance < 1:
        raise ValueError(f"tolerance is {tolerance!r}; it must be from 0 to 1")


def _found(
    program: str, kind: Kind, tests: object, entry_point: str | None, setting: judging.Setting
) -> Finding:
    if len(program) > plain.MAX_CHARS // 8:  # so that it can be sent, whatever it is made of
        return Finding("syntax_error", {"error": f"too long: {len(program)} characters"})
    if kind == "stdin_stdout":
        return judging.by_output(program, wanted.inputs_and_outputs(tests), setting)
    if kind == "function":
        calls = wanted.function_calls(tests)
        return judging.by_calls(program, entry_point or "", calls, setting)
    code = wanted.test_code(tests)
    return judging.by_asserts(program, entry_point or wanted.called_name(code), code, setting)


def _loaded(reference: str) -> object:
    """The tests; a text that is no JSON is malformed as a list of tests, which `judge` says."""
    try:
        return json.loads(reference)
    except (ValueError, RecursionError):
        return reference


def _number(options: dict[str, str], name: str, default: float) -> float:
    try:
        return float(options.get(name, default))
    except ValueError:
        raise ValueError(f"verifier option {name} is {options[name]!r}; it is no number") from None


def _json(evidence: dict[str, object]) -> str:
    return json.dumps(evidence, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
