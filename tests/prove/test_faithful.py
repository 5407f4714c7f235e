"""The probe tells a model that reads its own steps from one that does not."""

import json
import random

from tracefactory.prove.arms import HeldOut, Material
from tracefactory.prove.faithful import probe
from tracefactory.sources.families.make import make_problem
from tracefactory.sources.families.modular_sum import FAMILY
from tracefactory.teachers.solver import Solver, SolverConfig

PROBLEMS = [make_problem("modular_sum", FAMILY.knobs(), 7, "test", i) for i in range(60)]
HELD_OUT = [
    HeldOut(
        problem.id,
        [{"role": "user", "content": problem.statement}],
        problem.reference,
        json.dumps(
            {"options": {}, "reference": problem.reference, "verifier": "symbolic@1"}
        ).replace("symbolic@", "tracefactory.verifiers.symbolic:verify@"),
    )
    for problem in PROBLEMS
]
ORIGINS = {p.id: p for p in PROBLEMS}


class Speaking:
    """A program in the place of the model: it says what the solver says."""

    def __init__(self, **config):
        rates = {"slip_rate": 0.0, "repair_rate": 0.0, "habit_rate": 0.0}
        self.solver = Solver(SolverConfig(**rates, **config))
        self.mends = False

    def say(self, conversations, temperature=0.0, seeds=None, prefixes=None):
        by_statement = {p.statement: p for p in PROBLEMS}
        asked = [by_statement[turns[-1]["content"]] for turns in conversations]
        if prefixes is None:
            return [self.solver.write(problem, 0) for problem in asked]
        return [self._rest(p, prefix) for p, prefix in zip(asked, prefixes, strict=True)]

    def _rest(self, problem, prefix):
        if not self.mends:
            return self.solver.go_on(problem, prefix)
        clean = self.solver.write(problem, 0).splitlines(keepends=True)
        done = prefix.count("\n")
        return f"Recheck: {clean[done - 1]}" + "".join(clean[done:])


def probed(speaker, origins=ORIGINS):
    material = Material("", "modular_sum", {}, {"test": HELD_OUT}, "", origins)
    return probe(speaker, material, 50, only_right=True)


def test_one_that_reads_its_steps_is_moved_to_what_they_lead_to():
    found = probed(Speaking())
    assert found.n == 50
    assert found.moved >= 0.95 * found.n  # another residue may lead back to the same answer
    assert found.implied == found.moved


def test_one_that_does_not_stays():
    found = probed(Speaking(decorative=True))
    assert (found.n, found.moved, found.stayed) == (50, 0, 50)


def test_one_that_puts_the_step_right_is_neither():
    speaker = Speaking()
    speaker.mends = True
    found = probed(speaker)
    assert (found.moved, found.repaired, found.stayed) == (0, found.n, 0)


def test_problems_of_others_have_no_implied_answer():
    assert probed(Speaking(), {}).implied is None
    assert probed(Speaking()).implied is not None


def test_texts_without_steps_cannot_be_probed():
    class Silent(Speaking):
        def say(self, conversations, temperature=0.0, seeds=None, prefixes=None):
            rng = random.Random(0)
            return [f"\\boxed{{{rng.randrange(5)}}}" for _ in conversations]

    assert probed(Silent()) is None
