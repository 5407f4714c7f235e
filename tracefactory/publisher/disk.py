"""Refusals of this machine's file system, in words: of a target, and of temporary files.

Not here: those of a run folder (store/files.py), whose advice is another.
"""

import errno
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tracefactory.errors import ResourceError

TEMPORARY_ADVICE = "TMPDIR says where temporary files go"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@contextmanager
def written(
    path: Path, advice: str = "it is the target", *, only_full: bool = False
) -> Generator[None]:
    """Turn refusals of this machine's file system into an error that says what to do.

    `only_full`: errors that are no full disk may come from elsewhere, and are left as they are.

    Raises:
        ResourceError: disk full, or no right to write.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise ResourceError(
                f"disk full: {path} cannot be written ({error.strerror}). Nothing finished is "
                f"lost: free some space ({advice}) and give the same command again."
            ) from error
        if only_full or error.errno is None:
            raise
        raise ResourceError(
            f"cannot write {path} ({error.strerror}); make it writable, or name another place "
            f"({advice})"
        ) from error
