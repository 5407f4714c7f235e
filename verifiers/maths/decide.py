"""The scalar side of the checker, in one place: equality, order and facts of expressions.

    decide(a, b)             equal, different, or not to be told; by which tier, how certainly
    same_up_to_factor(a, b)  is a = c b with a nonzero (positive) constant c?
    compare, sign_of, within certified order of real constants
    rational_value, value_ball, is_constant, symbols

Nothing here raises, reads a clock or keeps state; equal arguments get equal results.
"""

from tracefactory.verifiers.maths.constants import (
    compare,
    is_constant,
    rational_value,
    sign_of,
    symbols,
    value_ball,
    within,
)
from tracefactory.verifiers.maths.factor import same_up_to_factor
from tracefactory.verifiers.maths.tiers import Decision, decide

__all__ = [
    "Decision",
    "compare",
    "decide",
    "is_constant",
    "rational_value",
    "same_up_to_factor",
    "sign_of",
    "symbols",
    "value_ball",
    "within",
]
