"""When each step of a near dedupe runs: its phases, and the orders of each.

    [open]  compare  meet  parts  bring  keep     of problems
            compare  meet  parts  bring  keep     of traces
    share

A phase starts when the one before is done. The driver looks at receipts alone.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import orjson

from tracefactory.hash_ranges import hash_ranges
from tracefactory.repeats import index, releases
from tracefactory.repeats.report import added_up
from tracefactory.repeats.steps import FOUND
from tracefactory.schemas.receipt import Receipt
from tracefactory.stages.contract import Order, Plan, outputs_of
from tracefactory.task import Chunk

VERSION = "near-1"
"""Raised when the same rows would be kept otherwise."""

RANGE_ROWS = 250_000
"""Rows whose contents are compared in one task."""

BAND_ROWS = 2_000_000
"""Bands that are compared in one task: 40 MB."""

WALK_ROWS = 20_000
"""Texts whose shingles are compared in one task, as far as components can be cut."""

PROBLEM_ROLES = ("problems", "splits", "verdicts", "decisions")
TRACE_ROLES = ("problems", "attempts", "verdicts", "decisions")
STEPS = ("compare", "meet", "parts", "bring", "keep")


class Asked(Protocol):
    """What the recipe says."""

    jaccard: float
    across: bool
    numbers: bool
    against: tuple[str, ...]


class Turns:
    """The phases over a plan."""

    def __init__(self, config: Asked, plan: Plan, groups: Sequence[Sequence[Chunk]]) -> None:
        """Args: the stage's config; what is known; the groups of chunks."""
        self._config, self._plan, self._groups = config, plan, groups
        self._settings = {"across": config.across, "numbers": config.numbers}

    @staticmethod
    def phases(config: Asked) -> list[tuple[str, str]]:
        """(turn, step) of each."""
        turns = [(turn, step) for turn in ("problems", "traces") for step in STEPS]
        return [*([("", "open")] if config.against else []), *turns, ("", "share")]

    def orders(self, phase: int) -> Iterator[Order]:
        """The orders of a phase."""
        turn, step = self.phases(self._config)[phase]
        made: Iterable[Order] = getattr(self, f"_{step}")(turn)
        yield from made

    def report(self) -> dict[str, Any]:
        """The figures of a finished stage."""
        found: dict[str, Any] = {
            turn: added_up([*self._done(turn, "meet"), *self._done(turn, "keep")])
            for turn in ("problems", "traces")
        }
        return {**found, "jaccard": self._config.jaccard, "against": self._names()}

    # What is known.

    def _done(self, turn: str, step: str) -> Sequence[Receipt]:
        at = self.phases(self._config).index((turn, step))
        return self._plan.done[at] if at < len(self._plan.done) else ()

    def _found(self, **roles: Sequence[Receipt]) -> Chunk:
        return Chunk(FOUND, {role: outputs_of(done, role) for role, done in roles.items()})

    def _releases(self) -> list[dict[str, Any]]:
        if not self._config.against:
            return []
        return [orjson.loads(receipt.facts["release"]) for receipt in self._done("", "open")]

    def _names(self) -> list[str]:
        """Of each published file, below 0 as groups are, the release that it is of."""
        return [release["name"] for release, _ in self._files()]

    def _files(self) -> list[tuple[dict[str, Any], dict[str, str]]]:
        return [(release, shard) for release in self._releases() for shard in release["shards"]]

    def _before(self, turn: str) -> Iterator[tuple[int, dict[str, Any]]]:
        """(group, settings) of each published shard of a turn."""
        for number, (release, shard) in enumerate(self._files()):
            if shard["config"] == index.TURNS[turn]:
                known = {name: release[name] for name in ("place", "instructions", "indexed")}
                yield -1 - number, {**known, "shard": shard, **self._settings}

    # The phases.

    def _open(self, turn: str) -> Iterator[Order]:
        for number, place in enumerate(self._config.against):
            settings = {"step": "open", "place": place, "manifest": releases.manifest_of(place)}
            yield Order(f"open-{number:05d}", settings, version=VERSION)

    def _chunks(self, turn: str, number: int) -> tuple[Chunk, ...]:
        """What a group's rows are read from; of traces also what became of their problems."""
        group = self._groups[number]
        if turn == "problems":
            return tuple(chunk.only(*PROBLEM_ROLES) for chunk in group)
        return tuple(chunk.only(*TRACE_ROLES, facts=("instruction",)) for chunk in group)

    def _fates(self, turn: str) -> dict[str, Sequence[Receipt]]:
        if turn == "problems":
            return {}
        return {"repeats": self._done("problems", "meet"), "fates": self._done("problems", "keep")}

    def _compare(self, turn: str) -> Iterator[Order]:
        found = self._found(**self._fates(turn))
        for number in range(len(self._groups)):
            settings = {"step": "compare", "turn": turn, "group": number, **self._settings}
            read = (*self._chunks(turn, number), found)
            yield Order(f"{turn}-compare-{number:05d}", settings, read, version=VERSION)
        for group, settings in self._before(turn):
            settings = {"step": "compare published", "group": group, **settings}
            yield Order(f"{turn}-published-{-1 - group:05d}", settings, version=VERSION)

    def _meet(self, turn: str) -> Iterator[Order]:
        compared = self._done(turn, "compare")
        for step, role, size in (("same", "nodes", RANGE_ROWS), ("meet", "bands", BAND_ROWS)):
            found = self._found(**{role: compared})
            n = -(-found.rows(role) // size)
            for number, (low, high) in enumerate(hash_ranges(n)):
                settings = {"step": step, "turn": turn, "low": str(low), "high": str(high)}
                yield Order(f"{turn}-{step}-{number:05d}", settings, (found,), version=VERSION)

    def _parts(self, turn: str) -> Iterator[Order]:
        met = self._done(turn, "meet")
        found = self._found(pairs=met, places=met)
        if found.rows("pairs"):
            settings = {"step": "parts", "turn": turn}
            yield Order(f"{turn}-parts", settings, (found,), version=VERSION)

    def _bring(self, turn: str) -> Iterator[Order]:
        wanted, compared = self._done(turn, "parts"), self._done(turn, "compare")
        if not any(output.rows for output in outputs_of(wanted, "wanted")):
            return
        for number in range(len(self._groups)):
            settings = {"step": "bring", "turn": turn, "group": number, **self._settings}
            found = self._found(
                wanted=wanted, nodes=compared[number : number + 1], **self._fates(turn)
            )
            read = (*self._chunks(turn, number), found)
            yield Order(f"{turn}-bring-{number:05d}", settings, read, version=VERSION)
        for group, settings in self._before(turn):
            settings = {"step": "bring published", "group": group, **settings}
            read = (self._found(wanted=wanted),)
            yield Order(f"{turn}-bring-published-{-1 - group:05d}", settings, read, version=VERSION)

    def _keep(self, turn: str) -> Iterator[Order]:
        found = self._found(texts=self._done(turn, "bring"))
        n = -(-found.rows("texts") // WALK_ROWS)
        for number, (low, high) in enumerate(hash_ranges(n)):
            settings = {"step": "keep", "turn": turn, "jaccard": self._config.jaccard}
            settings |= {"low": str(low), "high": str(high)}
            yield Order(f"{turn}-keep-{number:05d}", settings, (found,), version=VERSION)

    def _share(self, turn: str) -> Iterator[Order]:
        roles = {
            f"{of} {role}": outputs_of(self._done(of, step), role)
            for of in ("problems", "traces")
            for role, step in (("repeats", "meet"), ("fates", "keep"))
        }
        found, names = Chunk(FOUND, roles), self._names()
        for number, group in enumerate(self._groups):
            settings = {
                "step": "share near",
                "group": number,
                "stage": self._plan.name,
                "names": names,
            }
            read = tuple(c.only("problems", "splits", "attempts", "decisions") for c in group)
            yield Order(f"share-{number:05d}", settings, (*read, found), version=VERSION)
