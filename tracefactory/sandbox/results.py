"""What came of using a program, whatever the rung: one shape for boxes here and servers elsewhere.

How one run ended is `Ending` (box.py). Not here: what it means for a problem
(verifiers/programs/).
"""

from typing import Literal, NamedTuple

from tracefactory.sandbox.box import Ending


class Called(NamedTuple):
    """One call of the function under test."""

    outcome: Literal["value", "raised", "not_plain", "ended"]
    """`ended`: the run was over before an answer came; `ending` and `message` say how."""
    value: object = None
    """What it returned, rebuilt from plain data (plain.py): exact built-in types only."""
    error: str = ""
    """What it raised, or the type that is not plain."""
    line: int = 0
    """Of the program, the last that the error passed; 0 if none."""
    ending: Ending | None = None
    """How the run ended, if this call did not return."""
    message: dict[str, object] | None = None
    """The driver's last message of such a run (`end`: syntax_error, exception, no_entry_point)."""


class Tested(NamedTuple):
    """Trusted test code, run against a program that is in another box."""

    passed: bool
    """The nonce came after the last statement of the tests; nothing else makes it true."""
    failed_side: Literal["", "tester", "candidate"]
    """Whose end decided: an assertion of the tester, or the candidate that gave no answer."""
    calls: int
    """Calls of the function that the tests made."""
    error: str = ""
    """What the tester or the candidate said."""
    line: int = 0
    """Of the failing statement: in the tests for the tester, in the program for the candidate."""
    message: dict[str, object] | None = None
    """The deciding side's last message; None if it said nothing."""
    ending: Ending | None = None
    """How the deciding side's run ended."""


__all__ = ["Called", "Ending", "Tested"]
