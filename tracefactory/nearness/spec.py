"""The frozen definition of a signature, by name and number.

Signatures are compared with those of other machines, years and releases. So nothing here changes
but under a new VERSION; an index made under another one is refused, never read as if it were ours.
A test keeps the numbers of a few texts.
"""

from typing import Any, Final

VERSION: Final = 1
WORDS: Final = 5
"""Tokens in a shingle."""
BANDS: Final = 20
ROWS: Final = 8
"""Minima in a band: 1 - (1 - s**8)**20 of pairs with similarity s become candidates."""
BINS: Final = BANDS * ROWS
LEAST_TOKENS: Final = 10
"""Texts with fewer are compared whole: a shingle or two say too little."""


def spec() -> dict[str, Any]:
    """What an index says of itself, and what must be equal for two to be compared."""
    return {
        "definition": "tracefactory/nearness",
        "version": VERSION,
        "tokens": "words, numbers and operators; tokens.py and folding.py of this version",
        "shingle_tokens": WORDS,
        "signature": "one-permutation hashing, densified; signature.py of this version",
        "bands": BANDS,
        "rows": ROWS,
        "least_tokens": LEAST_TOKENS,
    }
