"""What an auditor asks for."""

import secrets
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
    seed: str | None = None
    """What decides which rows a sample takes and where errors are planted; None: a new one.

    It must not follow from the dataset: who makes one could try titles until no bad row is drawn.
    """

    def drawn_with(self) -> str:
        """The seed, or a new one that nobody can know beforehand."""
        return secrets.token_hex(8) if self.seed is None else self.seed
