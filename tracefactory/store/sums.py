"""SHA256SUMS, the list of a release's files as `sha256sum --check` reads it."""

from tracefactory.errors import IntegrityError

SUMS = "SHA256SUMS"


def sums_of(data: bytes, place: str = "") -> dict[str, str]:
    """What SHA256SUMS says: sha256 by path. `place` is where it lies, for messages.

    Raises:
        IntegrityError: it is damaged.
    """
    try:
        pairs = (line.split("  ", 1) for line in data.decode().splitlines() if line)
        return {path: digest for digest, path in pairs}
    except ValueError as error:  # also of bytes that are no text
        raise IntegrityError(
            f"{place}: {SUMS} is damaged, it has lines that are not a sha256 and a name. Put it "
            "right, or publish to another target; a run makes its own dataset anew."
        ) from error
