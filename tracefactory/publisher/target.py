"""What a target is to the road of a publication, and which one a word names."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tracefactory.errors import RecipeError, ResourceError
from tracefactory.publisher.head import Head
from tracefactory.publisher.settle import Settled

HUB = "hf://datasets/"
_NAME = re.compile(r"[A-Za-z0-9](?:[\w.-]*\w)?/[A-Za-z0-9](?:[\w.-]*\w)?")


class Moved(ResourceError):
    """Somebody else published between our look and our commit; nothing of theirs was touched."""


class Show(Protocol):
    """What a person sees of a publication."""

    def say(self, text: str) -> None:
        """A line that stays."""
        ...

    def at(self, text: str) -> None:
        """What is being done right now."""
        ...


@dataclass(frozen=True, slots=True)
class Outgoing:
    """All that one commit puts in place, and what it takes away."""

    shards: Sequence[Settled]
    texts: Mapping[str, bytes]
    """Every other file by its path, also those that are at the target already."""
    gone: Sequence[str]
    """Files of the release before that are none of this one."""
    sha256: str
    """Of the manifest."""
    message: str

    @property
    def short(self) -> str:
        """How a release is called: the first 12 digits of its manifest's sha256."""
        return self.sha256[:12]


class Target(Protocol):
    """A place where releases are published: readers see one release, then the next, no mixture."""

    name: str
    repository: str | None
    """`org/name` on the Hub; None: it is no Hub."""

    def head(self, work: Path) -> Head | None:
        """The release that is there; None: nothing is. `work` is a folder for what is loaded.

        Raises:
            RecipeError: something is there that tracefactory did not publish.
        """
        ...

    def upload(self, shard: Settled) -> None:
        """Send a shard ahead; nobody sees it before the commit."""
        ...

    def commit(self, outgoing: Outgoing) -> str:
        """Put a release in place at once; where it stands then.

        Raises:
            Moved: somebody else published meanwhile.
        """
        ...

    def mark(self, release: str) -> str | None:
        """Give the release that is in place now a name that stays; the name, if there is one."""
        ...


def hub_name(word: str) -> str | None:
    """`org/name` of a word that names a dataset on the Hub; None: it is a folder or a URL.

    Raises:
        RecipeError: it can be read both ways, or is no name of a dataset.
    """
    if not word.strip():
        raise RecipeError("no target is named; is a variable of the shell unset?")
    if word.startswith(HUB):
        name = word.removeprefix(HUB).rstrip("/")
        if not _NAME.fullmatch(name):
            raise RecipeError(f"{word}: want {HUB}ORG/NAME, without a revision or a folder")
        return name
    if word.startswith("hf://"):
        raise RecipeError(f"{word}: only datasets are published to, {HUB}ORG/NAME")
    slashed = word.endswith("/") and not Path(word).parent.exists()
    if slashed and _NAME.fullmatch(word.rstrip("/")):
        name = word.rstrip("/")
        raise RecipeError(
            f"{word} may be a dataset on the Hub or a folder here: write {name} or ./{name}"
        )
    if not _NAME.fullmatch(word):
        return None
    if Path(word).exists() or Path(word).parent.exists():
        raise RecipeError(
            f"{word} may be a dataset on the Hub or a folder here: write {HUB}{word} or ./{word}"
        )
    return word
