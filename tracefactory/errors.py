"""What can go wrong with a set-up, and the exit code that says so.

A bad trace is data and never an exception; these are the other thing. Each message says what was
asked, what was found, and what to do.

    FactoryError            1  a fault of ours
    ├─ RecipeError          2  the recipe or a command's words (tracefactory/recipe)
    ├─ SourceError          2  the recipe's input cannot be read (tracefactory/sources)
    ├─ ResourceError        4  disk, memory, folder or cluster is missing
    ├─ LockedError          5  a live run holds the folder
    └─ IntegrityError       6  a file is not what its receipt says
"""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of the command line (DESIGN 7)."""

    DONE = 0
    INTERNAL = 1
    USAGE = 2
    QUARANTINED = 3
    RESOURCE = 4
    LOCKED = 5
    INTEGRITY = 6
    INCONCLUSIVE = 7
    INTERRUPTED = 130


class FactoryError(Exception):
    """A set-up that cannot go on. Subclasses carry the exit code."""

    exit_code: Exit = Exit.INTERNAL


class RecipeError(FactoryError):
    """The recipe, or the words of a command, cannot be used."""

    exit_code = Exit.USAGE


class SourceError(FactoryError):
    """The input that a recipe names cannot be read."""

    exit_code = Exit.USAGE


class ResourceError(FactoryError):
    """Something the run needs is missing: disk space, a writable folder, a cluster."""

    exit_code = Exit.RESOURCE


class LockedError(FactoryError):
    """Another live run holds the folder."""

    exit_code = Exit.LOCKED


class IntegrityError(FactoryError):
    """A file in the run folder is not what its receipt says."""

    exit_code = Exit.INTEGRITY
