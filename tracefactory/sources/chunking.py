"""How large a chunk may grow."""

from typing import Annotated

from pydantic import Field

from tracefactory.recipe.model import Settings

CHARS_PER_TOKEN = 4
"""A usual figure for English and code; only used to size chunks."""


class ChunkSize(Settings):
    """How much one unit of work holds; whichever limit is met first ends it.

    A chunk should take seconds to minutes: the cluster costs some milliseconds a chunk, and a chunk
    is what a lost worker loses.
    """

    rows: Annotated[int, Field(ge=1)] = 2000
    """Problems."""
    bytes: Annotated[int, Field(ge=1)] = 64 << 20
    """Of their text, stored attempts included."""
    tokens: Annotated[int, Field(ge=1)] = 8_000_000
    """Of their text and of the answers expected to it."""
    answer_tokens: Annotated[int, Field(ge=0)] = 0
    """Tokens expected in all attempts at one problem: set it for models that think long."""

    def problems(self, chars_per_problem: float) -> int:
        """Problems that fit into a chunk when each has so many characters."""
        chars = max(1.0, chars_per_problem)
        tokens = chars / CHARS_PER_TOKEN + self.answer_tokens
        return max(1, int(min(self.rows, self.bytes / chars, self.tokens / tokens)))
