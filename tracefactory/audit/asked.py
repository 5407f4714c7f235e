"""What an auditor asks for."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Told = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the auditor wants."""

    recheck: bool = True
    sample: int | None = None
    """Rows to judge again; None: all."""
    planted: int = 200
    allowed: tuple[str, ...] = ()
    """Packages whose checkers may be imported, beside those that ship."""
    key: Path | None = None
    """Public key of who should have signed."""
    expect: str | None = None
    """The manifest's sha256, or its beginning, as it was told by another way."""
