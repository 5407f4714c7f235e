"""A problem: a statement whose answer can be checked, and everything needed to check it."""

from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem, as a source makes it. It never changes after that."""

    id: str
    """Unique in a run; `<source>-<16 hex of its content>` unless the source has an id column."""
    statement: str
    """What the teacher is asked, without the recipe's instruction line."""
    reference: str
    """The known answer, as text in the verifier's own notation."""
    verifier: str
    """Address of the checker, `module:function` (see verifiers/contract.py)."""
    verifier_options: str
    """JSON object with the checker's settings for this problem; `{}` for none."""
    split: str
    """`train`, `test` or `ood_<name>`; only `train` is ever given to a teacher. A stage may move a
    problem to `duplicate`: it repeats another, and its traces may stay; or to `contaminated`: it is
    an item of a benchmark."""
    domain: str
    """Broad field: `math`, `code`."""
    task_type: str
    """Narrow kind: the family's name, or what the recipe says."""
    source: str
    """Who made the statement: `tracefactory/families`, or the name of a set of problems."""
    license: str
    """SPDX identifier of the statement's licence, or `unknown`."""
    origin: str
    """JSON object: what a program needs to make it again (family, parameters); `{}` for files."""


DUPLICATE = "duplicate"
"""The split of problems that repeat another: out of `train`, and yet not held out."""


CONTAMINATED = "contaminated"
"""The split of problems that are items of a benchmark: nobody is to learn them."""

SET_ASIDE = (DUPLICATE, CONTAMINATED)
"""Splits that a stage made of training problems: neither for training nor for tests."""


def is_held_out(split: str) -> bool:
    """May no trace of a problem of this split be learned from?"""
    return split not in ("train", DUPLICATE)


PROBLEM_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("statement", pa.string(), nullable=False),
        pa.field("reference", pa.string(), nullable=False),
        pa.field("verifier", pa.string(), nullable=False),
        pa.field("verifier_options", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("domain", pa.string(), nullable=False),
        pa.field("task_type", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("license", pa.string(), nullable=False),
        pa.field("origin", pa.string(), nullable=False),
    ]
)
