"""What goes on between the driver and work that has not ended: figures one way, a stop the other.

Work appends a line about once a second to a file beside its journal, `<stem>.<id>.beat`; the driver
reads what was added. The driver makes the file `drain` when it was asked to stop; work that can end
early looks for it.

Not here: anything that must not be lost. Beats are for people and for limits; a receipt is truth.
"""

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tracefactory.store.files import write_all
from tracefactory.store.log import frame, parse

BEAT = ".beat"
DRAIN = "drain"

LOOK_EVERY_S = 1.0
"""Seconds between two looks at the disk, by work for `drain` and by the driver for beats."""

FIGURES = (
    "done", "of", "in_flight", "asked", "prompt_tokens", "cached_tokens", "completion_tokens",
    "refused", "failed", "gpu_us", "nano_usd", "priced",
)  # fmt: skip
"""Of a beat: done and in flight of so many requests; the rest is what this very attempt at the work
has paid for since it began, not what it found in the journal."""


class Voice:
    """Appends beats to one file, which is there from the first one on."""

    def __init__(self, path: Path) -> None:
        self._path, self._fd = path, -1

    def say(self, figures: Mapping[str, Any]) -> None:
        """Append one; a disk that is full stops the work at something that matters."""
        with suppress(OSError):
            if self._fd < 0:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
                self._fd = os.open(self._path, flags, 0o644)
            write_all(self._fd, frame(figures))

    def close(self) -> None:
        """Close the file; safe to call twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class DrainFile:
    """The word of the driver that the run was asked to stop."""

    def __init__(self, folder: Path) -> None:
        """Args: the folder of the journals."""
        self._path = folder / DRAIN
        self._next, self._found = float("-inf"), False

    def ask(self) -> None:
        """Have work end early, where it can."""
        with suppress(OSError):  # without it the work only takes longer to end
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.touch()

    def clear(self) -> None:
        """Nobody asks any more."""
        self._path.unlink(missing_ok=True)

    def asked(self) -> bool:
        """Is it there? Looks once in LOOK_EVERY_S at most."""
        now = time.monotonic()
        if now >= self._next:
            self._next, self._found = now + LOOK_EVERY_S, self._path.exists()
        return self._found


@dataclass(slots=True)
class _Attempt:
    """One attempt at some work, as far as its beats were read."""

    offset: int = 0
    last: Mapping[str, int] = field(default_factory=dict[str, int])


class Beats:
    """The beats of all work under way, read as they come."""

    def __init__(self, folder: Path) -> None:
        """Args: the folder of the journals."""
        self._folder = folder
        self._attempts: dict[str, dict[str, _Attempt]] = {}
        self._next = float("-inf")
        self.generated = 0
        """Tokens that came back since this was made; only ever grows."""

    def read(self) -> Iterator[str]:
        """Take in what was added since, once in LOOK_EVERY_S at most; yields the lines of news."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + LOOK_EVERY_S
        for path in sorted(self._folder.glob(f"*{BEAT}")):
            stem, _, name = path.name.removesuffix(BEAT).rpartition(".")
            attempt = self._attempts.setdefault(stem, {}).setdefault(name, _Attempt())
            for data in self._added(path, attempt):
                before = attempt.last.get("completion_tokens", 0)
                attempt.last = {key: _whole(data.get(key)) for key in FIGURES}
                self.generated += max(0, attempt.last["completion_tokens"] - before)
                yield from map(str, data.get("news") or ())

    def _added(self, path: Path, attempt: _Attempt) -> Iterator[Mapping[str, Any]]:
        try:
            with path.open("rb") as file:
                file.seek(attempt.offset)
                data = file.read()
        except OSError:  # its work has ended meanwhile
            return
        whole = data[: data.rfind(b"\n") + 1]
        attempt.offset += len(whole)
        for line in whole.splitlines(keepends=True):
            found = parse(line)
            if not isinstance(found, str):
                yield found

    def spent(self) -> Mapping[str, int]:
        """Sum over all attempts that no receipt speaks of yet, those that failed or died too."""
        of_all = (attempts.values() for attempts in self._attempts.values())
        return _added_up(attempt.last for attempts in of_all for attempt in attempts)

    def of(self, stems: Iterable[str]) -> Mapping[str, int]:
        """Sum over the last attempt at each of these."""
        latest = [list(self._attempts.get(stem, {}).values())[-1:] for stem in stems]
        return _added_up(attempt.last for one in latest for attempt in one)

    def forget(self, stem: str) -> None:
        """Its receipt is written, and says it all."""
        self._attempts.pop(stem, None)

    def sweep(self) -> None:
        """Remove all beats on disk: of work that nobody does any more."""
        for path in self._folder.glob(f"*{BEAT}"):
            path.unlink(missing_ok=True)


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _added_up(parts: Iterator[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {name: 0 for name in FIGURES}
    for part in parts:
        for key, n in part.items():
            total[key] += n
    return total
