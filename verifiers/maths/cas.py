"""Ask a computer algebra system whether two expressions are equal: the last and slowest tier.

sympy works in a killable process (proofs.py), so an expression that never ends costs its time limit
and nothing else. What it gets is the tree, as numbers and names of our own; no text, not even a
variable's name, reaches it. The same question has the same answer on every machine, but for what
the clock or the memory limit decides, and `limited_by` says so.

Not here: the algebra (proofs.py); anything faster than milliseconds (the other tiers).
"""

from collections.abc import Set
from typing import Literal, NamedTuple, cast

from tracefactory.killable import Json, shared
from tracefactory.verifiers.maths.nodes import Node

MEMORY_BYTES = 2 << 30
RECYCLE_AFTER = 500

_PROOFS = "tracefactory.verifiers.maths.proofs:compare"
_ENV = (
    # The arithmetic that is always there: verdicts must not depend on what else is installed.
    ("SYMPY_GROUND_TYPES", "python"),
    ("MPMATH_NOGMPY", "1"),
)

LimitedBy = Literal["clock", "memory", "size", "crash"]


class CasOutcome(NamedTuple):
    """What the system could say."""

    equal: bool | None
    """True: proved. False: two constants whose values differ. None: cannot tell."""
    limited_by: LimitedBy | None
    """What kept it from telling, if a limit did. Of these only "size" is counted and so the same
    everywhere; "crash": the process died twice."""
    detail: str
    """The step that decided, or why none did: "trigsimp", "value", "undefined", "no_proof"."""


def equal(
    a: Node, b: Node, timeout_s: float = 1.5, *, integers: Set[str] = frozenset()
) -> CasOutcome:
    """Are the two equal wherever both are defined, all symbols being real numbers?

    A question that meets a limit is asked once more, alone, in a new process and with twice the
    time, before that is believed.

    Args:
        a: a tree of scalar kinds.
        b: the other one.
        timeout_s: the time for the first asking.
        integers: the names of symbols that stand for whole numbers.

    Raises:
        StartError: no process could be started (tracefactory.killable).
    """
    numbers: dict[str, int] = {}
    question: Json = {
        "a": _program(a, numbers),
        "b": _program(b, numbers),
        "integers": [number for name, number in numbers.items() if name in integers],
    }
    workers = shared(_PROOFS, memory_bytes=MEMORY_BYTES, recycle_after=RECYCLE_AFTER, env=_ENV)
    (outcome,) = workers.ask([question], timeout_s)
    if outcome.status not in ("done", "raised"):
        (outcome,) = workers.ask([question], 2 * timeout_s)
    if outcome.status == "done":
        verdict, limited_by, detail = cast(
            "tuple[bool | None, LimitedBy | None, str]", outcome.value
        )
        return CasOutcome(verdict, limited_by, detail)
    limits: dict[str, LimitedBy] = {"timeout": "clock", "memory": "memory", "crashed": "crash"}
    return CasOutcome(None, limits.get(outcome.status), outcome.detail)


def _program(node: Node, numbers: dict[str, int]) -> list[Json]:
    """The tree in postfix order, flat, since JSON that is nested deeply has limits of its own.

    An entry is [kind, count of arguments, value]; the value is a pair of hexadecimal numbers (JSON
    has no large ones), the number that stands for a symbol's name, or a word of nodes.py.
    """
    program: list[Json] = []
    waiting = [node]
    while waiting:
        kind, args, value = waiting.pop()
        coded: Json
        if kind in ("symbol", "apply"):
            coded = numbers.setdefault(str(value), len(numbers))
        elif kind == "number":
            numerator, denominator = cast("tuple[int, int]", value)
            coded = [f"{numerator:x}", f"{denominator:x}"]
        else:
            coded = value if isinstance(value, str) else None
        program.append([kind, len(args), coded])
        waiting.extend(args)
    program.reverse()
    return program
