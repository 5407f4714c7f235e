"""Does a model's own reasoning decide its answer? One step altered, and the model goes on.

Where the problems are of our families, the program teacher goes on from the same altered step, and
says what it leads to.

Not here: the alteration (tracefactory/probing), teachers of a recipe (stages/probe.py).
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tracefactory.errors import FactoryError
from tracefactory.probing.alter import Altered, alter
from tracefactory.prove.arms import HeldOut, Material
from tracefactory.prove.evaluate import Speaker, status_of
from tracefactory.schemas.problem import Problem
from tracefactory.schemas.proof import Probe
from tracefactory.teachers.solver import Solver, SolverConfig
from tracefactory.verifiers import steps
from tracefactory.verifiers.extract import final_answer


@dataclass(frozen=True, slots=True)
class _Trace:
    """A trace of the model's, altered."""

    problem: HeldOut
    answer: str
    altered: Altered


def probe(speaker: Speaker, material: Material, wanted: int, *, only_right: bool) -> Probe | None:
    """Alter a step in up to `wanted` of the model's greedy traces on `test`; None: none can be.

    Args:
        speaker: the model.
        material: its held-out problems.
        wanted: traces at most.
        only_right: leave out traces whose answer is wrong.
    """
    problems = material.splits["test"][:wanted]
    said = speaker.say([problem.messages for problem in problems])
    traces = [
        trace
        for problem, response in zip(problems, said, strict=True)
        if (not only_right or status_of(problem, response) == "correct")
        and (trace := _altered(problem, response)) is not None
    ]
    if not traces:
        return None
    rest = speaker.say(
        [trace.problem.messages for trace in traces],
        prefixes=[trace.altered.prefix for trace in traces],
    )
    after = [final_answer(t.altered.prefix + r).text for t, r in zip(traces, rest, strict=True)]
    moved = [found != trace.answer for trace, found in zip(traces, after, strict=True)]
    repaired = sum(
        not has_moved and _puts_right(trace, said)
        for trace, said, has_moved in zip(traces, rest, moved, strict=True)
    )
    implied = _implied(traces, material.origins)
    return Probe(
        n=len(traces),
        moved=sum(moved),
        repaired=repaired,
        stayed=len(moved) - sum(moved) - repaired,
        implied=None
        if implied is None
        else sum(a == b for a, b, m in zip(after, implied, moved, strict=True) if m),
    )


def _puts_right(trace: _Trace, rest: str) -> bool:
    """Does what the model says next mend the altered step, as the checker of steps sees it?"""
    statement = trace.problem.messages[-1]["content"]
    return steps.count(statement, trace.altered.prefix + rest).n_repaired > 0


def _altered(problem: HeldOut, response: str) -> _Trace | None:
    answer = final_answer(response).text
    rng = random.Random(f"probe:{problem.problem_id}")
    altered = alter(problem.messages[-1]["content"], response, rng)
    return None if answer is None or altered is None else _Trace(problem, answer, altered)


def _implied(traces: Sequence[_Trace], origins: Mapping[str, Problem]) -> list[str | None] | None:
    """What each altered step leads to, None where the program has no such step.

    None altogether: the problems are not of our families.
    """
    if not all(trace.problem.problem_id in origins for trace in traces):
        return None
    solver = Solver(SolverConfig())
    found: list[str | None] = []
    for trace in traces:
        try:
            rest = solver.go_on(origins[trace.problem.problem_id], trace.altered.prefix)
        except FactoryError:  # the model found words of its own
            found.append(None)
            continue
        found.append(final_answer(rest).text)
    return found
