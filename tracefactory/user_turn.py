"""The user turn of a published row: its statement, and the recipe's one line behind it.

Where it is put together: publish/rows.py.
"""

from collections.abc import Sequence


def statement_of(user_turn: str, instructions: Sequence[str]) -> str:
    """The user turn without the recipe's instruction line; the longest line stands first."""
    for line in instructions:
        if user_turn.endswith(f"\n\n{line}"):
            return user_turn[: -len(line) - 2]
    return user_turn
