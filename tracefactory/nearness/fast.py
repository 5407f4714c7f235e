"""The two loops that cost the time, compiled by numba (the extra `fast`): the same integers.

Not here: what is computed. tokens.py and signature.py say that, and are what runs without numba.
"""

import functools
import importlib.util
import os
from typing import Any


@functools.cache
def there() -> bool:
    """Is numba installed, and not turned off (TRACEFACTORY_FAST=0)?"""
    if os.environ.get("TRACEFACTORY_FAST") == "0":
        return False
    return importlib.util.find_spec("numba") is not None


def tokens(data: Any, offsets: Any) -> tuple[Any, Any, Any]:  # noqa: ANN401  (numba has no types)
    """Like tokens._tokens."""
    from tracefactory.nearness import loops

    made: Any = loops.tokens
    found: tuple[Any, Any, Any] = made(data, offsets)
    return found


def signatures(hashes: Any, offsets: Any, orders: Any) -> Any:  # noqa: ANN401
    """Like signature.densified of the least."""
    from tracefactory.nearness import loops

    made: Any = loops.signatures
    return made(hashes, offsets, orders)
