"""Run a program against tests of one kind and find out why it is not right, if it is not.

Here too: the patience with the set-up. A run that was lost is tried again on a fresh zygote; a
time-out is believed only after a second try with twice the time, which no other is beside.

Not here: settings, verdicts (python_program.py).
"""

import contextlib
import os
import socket
import time
from collections.abc import Callable, Generator
from functools import partial
from typing import NamedTuple, TypeVar

from tracefactory.sandbox import plain
from tracefactory.sandbox.execution import call_function, run_program, run_tests
from tracefactory.sandbox.limits import Limits
from tracefactory.sandbox.pool import Lost
from tracefactory.sandbox.results import Called
from tracefactory.sandbox.rung import Rung
from tracefactory.verifiers.programs.comparison import USUAL, Tolerance, same_output, same_value
from tracefactory.verifiers.programs.reasons import (
    BEFORE_TESTS,
    PASSED,
    TIMEOUTS,
    Finding,
    of_call,
    of_ending,
    of_tests,
    short,
)
from tracefactory.verifiers.programs.wanted import (
    BadTests,
    FunctionCall,
    InputOutput,
    digest,
)

TRIES = 3
_MAX_WAIT_S = 300.0
_T = TypeVar("_T")


class Setting(NamedTuple):
    """Where and how a program is run."""

    rung: Rung
    limits: Limits
    tolerance: Tolerance | None = None
    """None: the usual one for values, none for output."""


def by_output(program: str, tests: list[InputOutput], setting: Setting) -> Finding:
    """stdin_stdout: a fresh box for each test, up to the first that fails."""
    for number, test in enumerate(tests):
        found = _believed(partial(_output, program, test, setting), setting)
        if found.reason in BEFORE_TESTS:
            return found
        if found.reason != PASSED:
            return found._replace(facts=_of_test(number, len(tests), test.sha256) | found.facts)
    return Finding(PASSED, {"n_tests": len(tests)})


def _output(program: str, test: InputOutput, setting: Setting, limits: Limits) -> Finding:
    ending = _patiently(lambda: run_program(setting.rung, program, test.stdin, limits))
    found = of_ending(ending, limits)
    if found is not None and found.reason in BEFORE_TESTS:
        return found
    if found is not None:
        return found._replace(facts=found.facts | {"input": _shown(test.stdin)})
    if same_output(test.stdout, ending.stdout, setting.tolerance):
        return Finding(PASSED)
    return Finding(
        "wrong_answer",
        {
            "input": _shown(test.stdin),
            "expected": _shown(test.stdout),
            "got": _shown(ending.stdout),
        },
    )


def by_calls(
    program: str, entry_point: str, tests: list[FunctionCall], setting: Setting
) -> Finding:
    """function: all calls in one box; the first that fails decides."""
    found = _believed(partial(_calls, program, entry_point, tests, setting), setting)
    return found._replace(facts={"n_tests": len(tests)} | found.facts)


def _calls(
    program: str, entry_point: str, tests: list[FunctionCall], setting: Setting, limits: Limits
) -> Finding:
    calls = [(test.args, test.kwargs) for test in tests]
    answers = _patiently(lambda: call_function(setting.rung, program, entry_point, calls, limits))
    for number, (test, called) in enumerate(zip(tests, answers, strict=False)):
        found = _answer(test, called, setting, limits)
        if found.reason in BEFORE_TESTS:
            return found
        if found.reason != PASSED:
            facts = _of_test(number, len(tests), test.sha256)
            facts["input"] = _shown([test.args, test.kwargs] if test.kwargs else test.args)
            return found._replace(facts=facts | found.facts)
    if len(answers) < len(tests):  # cannot be: a list that stops early ends with a failure
        raise Lost(f"{len(answers)} answers to {len(tests)} calls")
    return Finding(PASSED)


def _answer(test: FunctionCall, called: Called, setting: Setting, limits: Limits) -> Finding:
    if called.outcome != "value":
        return of_call(called, limits)
    if same_value(test.expected, called.value, setting.tolerance or USUAL):
        return Finding(PASSED)
    return Finding("wrong_answer", {"expected": _shown(test.expected), "got": _shown(called.value)})


def by_asserts(program: str, entry_point: str, tests: str, setting: Setting) -> Finding:
    """asserts: the tests in a box of their own.

    Raises:
        BadTests: the tests are at fault.
    """
    return _believed(partial(_asserts, program, entry_point, tests, setting), setting)


def _asserts(
    program: str, entry_point: str, tests: str, setting: Setting, limits: Limits
) -> Finding:
    tested = _patiently(lambda: run_tests(setting.rung, program, entry_point, tests, limits))
    if tested.passed:
        if not tested.calls:
            raise BadTests("tests_call_nothing", f"they never call {entry_point}")
        return Finding(PASSED, {"calls": tested.calls})
    found = of_tests(tested, limits)
    line = found.facts.get("test_line")
    if not isinstance(line, int) or not 0 < line <= len(lines := tests.splitlines()):
        return found
    text = lines[line - 1].strip()
    return found._replace(facts=found.facts | {"test": short(text), "test_sha256": digest(text)})


def _of_test(number: int, count: int, sha256: str) -> dict[str, object]:
    return {"n_tests": count, "test": number, "test_sha256": sha256}


def _shown(value: object) -> str:
    if isinstance(value, bytes):
        return short(value.decode(errors="replace"))
    with contextlib.suppress(plain.NotPlain):
        return short(plain.dumps(value))
    return ""


def _patiently(run: Callable[[], _T]) -> _T:
    """Try again what the set-up lost."""
    for tried in range(1, TRIES):
        try:
            return run()
        except Lost:
            time.sleep(0.05 * tried)  # a zygote that is going needs a moment to be gone
    return run()


def _believed(run: Callable[[Limits], Finding], setting: Setting) -> Finding:
    """A time-out counts if it comes twice, the second time with twice the time."""
    limits = setting.limits
    found = run(limits)
    if found.reason not in TIMEOUTS:
        return found
    with _alone():
        again = run(limits._replace(wall_s=2 * limits.wall_s, cpu_s=2 * limits.cpu_s))
    return found if again.reason in TIMEOUTS else again


@contextlib.contextmanager
def _alone() -> Generator[None, None, None]:
    """One at a time on this machine. The kernel lets go of the name however its holder ends."""
    until = time.monotonic() + _MAX_WAIT_S
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as name:
        while time.monotonic() < until:
            try:
                name.bind(f"\0tracefactory-second-try-{os.getuid()}")
                break
            except OSError:
                time.sleep(0.02)
        yield
