"""A small model that answers easy sums, trained in half a minute: what vLLM serves in tests."""

import json
from pathlib import Path

import torch

from tracefactory.prove.arms import HeldOut
from tracefactory.prove.model import Size, SmallLlama
from tracefactory.prove.save import save_model
from tracefactory.prove.tokens import END, asked, tokens_of
from tracefactory.prove.train import Example, train
from tracefactory.sources.families.make import make_problem
from tracefactory.sources.families.modular_sum import FAMILY
from tracefactory.teachers.solver import Solver, SolverConfig

KNOBS = {"min_terms": 2, "max_terms": 2, "max_term": 40, "moduli": (2, 5)}
"""Of the problems that it has learnt."""


def problems(split, count, seed=7):
    knobs = FAMILY.knobs(**KNOBS)
    return [make_problem("modular_sum", knobs, seed, split, i) for i in range(count)]


def turns(problem):
    return [{"role": "user", "content": problem.statement}]


def train_tiny(folder: Path, budget: int = 400_000) -> Path:
    """Train it, and save it as `prove` does."""
    torch.set_num_threads(1)
    solver = Solver(SolverConfig(slip_rate=0.0, repair_rate=0.0, habit_rate=0.0))
    learnt = problems("train", 600)
    prompts = [asked(turns(problem)) for problem in learnt]
    answers = [solver.write(problem, 0) for problem in learnt]
    tokens = tokens_of([prompt + answer for prompt, answer in zip(prompts, answers, strict=True)])
    examples = [
        Example((*tokens.encode([prompt])[0], *tokens.encode([answer + END])[0]),
                len(tokens.encode([prompt])[0]))
        for prompt, answer in zip(prompts, answers, strict=True)
    ]  # fmt: skip
    model = SmallLlama(Size(len(tokens), positions=512), 7)
    train(model.train(), examples, budget, 7, tokens.pad)
    save_model(folder, model.train(False), tokens)
    return folder


def held_out(made):
    """Problems as those who measure models take them."""
    info = {"verifier": "tracefactory.verifiers.symbolic:verify@1", "options": {}}
    return [
        HeldOut(p.id, turns(p), p.reference, json.dumps({**info, "reference": p.reference}))
        for p in made
    ]
