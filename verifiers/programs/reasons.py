"""Why a program is not right: from how its run ended to a short, countable reason.

Decisive, never retried (time-outs: once): wrong_answer, runtime_error, syntax_error,
no_entry_point, timeout_wall, timeout_cpu, memory_limit, output_limit, process_limit, crashed,
not_plain_data, channel_violation, tampered.

What the driver in the box says may be forged by the program. It can only choose between rejections.

Not here: comparing (comparison.py), faults of the set-up (judging.py).
"""

import math
import re
import signal
from typing import NamedTuple

from tracefactory.sandbox.limits import Limits
from tracefactory.sandbox.results import Called, Ending, Tested
from tracefactory.verifiers.programs.wanted import BadTests

TIMEOUTS = ("timeout_wall", "timeout_cpu")
BEFORE_TESTS = ("syntax_error", "no_entry_point")
_MAX_CHARS = 200
_CPU_USED_UP = 0.5
"""The kernel's clock for its limit is coarser than what it reports."""


class Finding(NamedTuple):
    """A reason and the facts behind it; never a time, as those differ from run to run."""

    reason: str
    facts: dict[str, object] = {}  # noqa: RUF012 - never changed


PASSED = "passed"


def of_ending(ending: Ending, limits: Limits) -> Finding | None:
    """None when it came to its end by itself with exit code 0."""
    facts: dict[str, object] = {}
    if ending.exit_code:
        facts["exit_code"] = ending.exit_code
    message = ending.message
    if ending.killed_for:
        return _of_kill(ending.killed_for, limits)
    if message is not None and ending.exit_code != 0:
        return _of_message(message, limits, facts)
    if ending.signal is not None:
        used_up = ending.cpu_s >= _CPU_USED_UP * math.ceil(limits.cpu_s)
        if ending.signal == signal.SIGXCPU or (ending.signal == signal.SIGKILL and used_up):
            return Finding("timeout_cpu", _limit("timeout_cpu", limits))
        return Finding("crashed", {"signal": _signal_name(ending.signal)})
    return Finding("runtime_error", facts) if ending.exit_code else None


def _of_kill(killed_for: str, limits: Limits) -> Finding:
    limit = _limit(killed_for, limits)
    return Finding("output_limit" if killed_for == "disk_limit" else killed_for, limit)


def _of_message(message: dict[str, object], limits: Limits, facts: dict[str, object]) -> Finding:
    end, error, line = message.get("end"), str(message.get("error", "")), message.get("line", 0)
    if end == "no_entry_point":
        return Finding("no_entry_point", {"entry_point": short(error)})
    line = line if type(line) is int else 0
    if end == "syntax_error":
        return Finding("syntax_error", _where(error, line))
    found = of_error(error, line, limits)
    return found._replace(facts=facts | found.facts)


def of_error(error: str, line: int, limits: Limits) -> Finding:
    """What an exception that nobody caught means."""
    facts = _where(error, line)
    if error.startswith("MemoryError"):
        return Finding("memory_limit", facts | _limit("memory_limit", limits))
    if error.startswith("BlockingIOError: [Errno 11]") or "can't start new thread" in error:
        return Finding("process_limit", facts | _limit("process_limit", limits))
    if re.match(r"OSError: \[Errno (?:27|28|122)\]", error):  # EFBIG, ENOSPC, EDQUOT
        return Finding("output_limit", facts | _limit("disk_limit", limits))
    return Finding("runtime_error", facts)


def of_call(called: Called, limits: Limits) -> Finding:
    """Of a call that returned no value."""
    if called.outcome == "raised":
        return of_error(called.error, called.line, limits)
    if called.outcome == "not_plain":
        return _of_not_plain(called.error, limits)
    return _of_early_end(called.ending, limits)


def of_tests(tested: Tested, limits: Limits) -> Finding:
    """Of tests that did not pass.

    Raises:
        BadTests: the tests are at fault, whatever the program is.
    """
    message = tested.message or {}
    if tested.failed_side == "candidate":
        if tested.ending is not None:
            found = _of_early_end(tested.ending, limits)
        elif "not_plain" in message:
            found = _of_not_plain(tested.error, limits)
        else:
            found = of_error(tested.error, tested.line, limits)
        return found._replace(facts=found.facts | {"calls": tested.calls})
    facts: dict[str, object] = {"calls": tested.calls, "test_line": tested.line}
    end, error = message.get("end"), tested.error
    if end == "assertion" and tested.calls:
        return Finding("wrong_answer", facts | ({"error": short(error)} if error else {}))
    if end == "syntax_error":
        raise BadTests("tests_syntax_error", error)
    if end == "not_plain":
        raise BadTests("tests_not_plain", f"line {tested.line} passes {error}")
    if end is not None:
        if not tested.calls or error.startswith(("NameError", "ImportError", "ModuleNotFoundErr")):
            raise BadTests("tests_failed", f"line {tested.line}: {error}")
        if error.startswith("MemoryError"):
            return Finding("memory_limit", facts | _limit("memory_limit", limits))
        return Finding("wrong_answer", facts | {"error": short(error)})
    ended = None if tested.ending is None else of_ending(tested.ending, limits)
    if ended is None or ended.reason == "runtime_error":
        raise BadTests("tests_failed", "the test code ended its process")
    return ended._replace(facts={"calls": tested.calls, "side": "tests"} | ended.facts)


def _of_early_end(ending: Ending | None, limits: Limits) -> Finding:
    """The run was over before the answer came."""
    found = None if ending is None else of_ending(ending, limits)
    if found is not None:
        return found
    return Finding("runtime_error", {"error": "ended without an answer", "exit_code": 0})


def _of_not_plain(error: str, limits: Limits) -> Finding:
    if "too large" in error:
        return Finding("output_limit", {"error": short(error)})
    return Finding("not_plain_data", {"error": short(error)})


def _where(error: str, line: int) -> dict[str, object]:
    found: dict[str, object] = {"error": short(error)}
    return found | ({"line": line} if line else {})


def _limit(reason: str, limits: Limits) -> dict[str, object]:
    """The limit that was met."""
    of: dict[str, dict[str, object]] = {
        "timeout_wall": {"timeout_s": limits.wall_s},
        "timeout_cpu": {"cpu_s": limits.cpu_s},
        "memory_limit": {"memory_mb": limits.memory_mb},
        "output_limit": {"output_bytes": limits.output_bytes},
        "disk_limit": {"disk_mb": limits.disk_mb},
        "process_limit": {"processes": limits.processes},
    }
    return {"limit": of[reason]} if reason in of else {}


def _signal_name(number: int) -> str:
    # As in killable.py, which needs packages; this file is used where there are none.
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def short(text: str) -> str:
    """Its beginning and its end, without what no file can hold."""
    if len(text) > _MAX_CHARS:
        text = f"{text[: _MAX_CHARS - 60]} ... {text[-50:]}"
    return text.encode("utf-8", "replace").decode()
