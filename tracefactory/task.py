"""A unit of work: what flows between stages, what a worker is asked, what it answers.

A task's `config` holds everything the work reads beside its inputs, and nothing else: the key is a
hash of it, so an edit of a recipe re-runs exactly what reads the edited part.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from tracefactory.schemas.receipt import Output
from tracefactory.store.home import canonical, digest

Needs = Literal["cpu", "engine"]
"""What a task needs: any worker, or one that has an engine or talks to a server."""
NEEDS: tuple[Needs, ...] = get_args(Needs)

Files = Mapping[str, tuple[Output, ...]]
"""Role -> outputs."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole problems with everything known of them so far: the files of all stages they passed."""

    name: str
    files: Files = field(default_factory=dict[str, tuple[Output, ...]])
    facts: Mapping[str, str] = field(default_factory=dict[str, str])
    """What later stages must know and no file says; part of the key of those who read it."""
    root: str = ""
    """Name of the source's chunk: branches share it, so that a join can bring them together."""

    def only(self, *roles: str, facts: Iterable[str] = ()) -> "Chunk":
        """The same chunk with just these roles and facts: what one stage reads of it."""
        return Chunk(
            self.name,
            {role: self.files[role] for role in roles if role in self.files},
            {name: self.facts[name] for name in facts if name in self.facts},
            self.root,
        )

    def extended(self, outputs: Iterable[Output], facts: Mapping[str, str]) -> "Chunk":
        """The same chunk after a stage: its outputs are added to the files of their roles."""
        files = dict(self.files)
        for output in outputs:
            files[output.role] = (*files.get(output.role, ()), output)
        return replace(self, files=files, facts={**self.facts, **facts})

    def rows(self, role: str) -> int:
        """Rows in all files of a role."""
        return sum(output.rows for output in self.files.get(role, ()))

    def bytes(self, role: str) -> int:
        """Bytes on disk of all files of a role."""
        return sum(output.bytes for output in self.files.get(role, ()))


@dataclass(frozen=True, slots=True)
class Task:
    """One unit of work, as a worker gets it. Holds names, never data."""

    stage: str
    chunk: str
    round: int
    use: str
    """Address of the stage, `module:NAME`."""
    version: str
    config: Mapping[str, Any]
    inputs: tuple[Chunk, ...] = ()
    only: tuple[str, ...] = ()
    """Problem ids to work on: all when empty. Used to bisect a chunk that kills its worker."""
    skip: tuple[str, ...] = ()
    """Problem ids to leave out: quarantined. Not part of the key."""
    previous: tuple[Output, ...] = ()
    """What the slot's last receipt left, if it can be used again. Not part of the key."""
    needs: Needs = "cpu"
    """Where it can run. Not part of the key."""

    @property
    def slot(self) -> str:
        """Stable name across edits of the recipe."""
        return f"{self.stage}/{self.chunk}.r{self.round}"

    @property
    def stem(self) -> str:
        """Start of the names of its outputs inside the stage's folder."""
        return f"{self.chunk}.r{self.round}"

    def parts(self) -> dict[str, str]:
        """What the key is made of, each part by itself so that `plan` can say which changed."""
        inputs = [
            [
                chunk.name,
                {role: [o.sha256 for o in files] for role, files in chunk.files.items()},
                chunk.facts,
            ]
            for chunk in self.inputs
        ]
        return {
            "use": self.use,
            "version": self.version,
            "config": digest(self.config),
            "inputs": digest(inputs),
        }

    def key(self) -> str:
        """sha256 over the parts and the stage's name."""
        return hashlib.sha256(canonical([self.stage, self.parts()])).hexdigest()

    def without(self, problem_ids: Iterable[str]) -> "Task":
        """The same task with more problems left out."""
        return replace(self, skip=tuple(sorted({*self.skip, *problem_ids})))

    def probing(self, problem_ids: Iterable[str]) -> "Task":
        """The same task on some problems only."""
        return replace(self, only=tuple(problem_ids))


def grouped(
    chunks: Iterable[Chunk], rows_of: Callable[[Chunk], int], most: int, *, by_root: bool = False
) -> Iterator[list[Chunk]]:
    """Chunks in their order, some for each task: `most` rows, or one chunk that has more.

    Chunks without rows are in no group. `by_root`: neighbours of one root stay together.
    """
    group: list[Chunk] = []
    rows = 0
    for chunk in chunks:
        n = rows_of(chunk)
        if not n:
            continue
        if group and rows + n > most and not (by_root and chunk.root == group[-1].root):
            yield group
            group, rows = [], 0
        group.append(chunk)
        rows += n
    if group:
        yield group
