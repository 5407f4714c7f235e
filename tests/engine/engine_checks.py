"""Checkers for recipes under test; what they do to whom is said by the environment.

ENGINE_CHECK_VERSION  their version
ENGINE_POISON         problem ids, by commas, whose check kills its process
ENGINE_RAISE          problem ids whose check raises
ENGINE_KILL_LOG       file with a line for every process killed so
"""

import os
import signal
from dataclasses import replace

from tracefactory.schemas.attempt import Attempt
from tracefactory.schemas.problem import Problem
from tracefactory.schemas.verdict import Verdict
from tracefactory.verifiers import numeric

VERSION = os.environ.get("ENGINE_CHECK_VERSION", "1")


def note(log: str | None, line: str) -> None:
    """One line at the end of a file, whole, whoever else writes to it."""
    if log:
        fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.write(fd, f"{line}\n".encode())
        os.close(fd)


def named(variable: str) -> list[str]:
    return [name for name in os.environ.get(variable, "").split(",") if name]


def verify(problem: Problem, attempt: Attempt) -> Verdict:
    if problem.id in named("ENGINE_POISON"):
        note(os.environ.get("ENGINE_KILL_LOG"), problem.id)
        os.kill(os.getpid(), signal.SIGKILL)
    if problem.id in named("ENGINE_RAISE"):
        raise ValueError("a fault of this checker")
    return replace(numeric.verify(problem, attempt), evidence=f'{{"version": "{VERSION}"}}')
