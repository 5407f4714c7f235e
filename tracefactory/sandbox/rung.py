"""One step of the ladder, chosen: what runs stand behind, and what proved it."""

from typing import NamedTuple

from tracefactory.sandbox.pool import Pool


class Canary(NamedTuple):
    """One thing that a program tried to do and must not be able to."""

    name: str
    held: bool
    detail: str
    """What came of it."""


class Rung(NamedTuple):
    """What runs are held by; its name is recorded with every verdict."""

    name: str
    """namespaces, bwrap, landlock, remote or none-unsafe."""
    pool: Pool | None
    """Where runs start; None on a server."""
    findings: tuple[Canary, ...] = ()
    """The self-test that it passed."""
    url: str = ""
    """Of the server."""
