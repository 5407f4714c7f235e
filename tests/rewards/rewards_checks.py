"""Checkers of someone else's package: fine, broken, out of order."""

from tracefactory.schemas.verdict import Verdict

VERSION = "3"
calls = []


def verify(problem, attempt):
    calls.append((problem, attempt))
    return Verdict(attempt.id, "correct" if problem.reference in attempt.text else "incorrect", "x")


def crashes(problem, attempt):
    calls.append((problem, attempt))
    raise ZeroDivisionError("of the checker")


def crashes_once(problem, attempt):
    calls.append((problem, attempt))
    if len(calls) == 1:
        raise OSError("busy")
    return Verdict(attempt.id, "correct", "x")


def lost(problem, attempt):
    return Verdict(attempt.id, "error", "sandbox_lost", evidence='{"findings": "gone"}')


def undecided(problem, attempt):
    return Verdict(attempt.id, "undecided", "timeout")


def bad_reference(problem, attempt):
    return Verdict(attempt.id, "bad_reference", "unparsable")
