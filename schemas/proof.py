"""What a dataset taught: the figures of `prove`, as they are stored and published.

Stored once, then only read: so a release that carries them has the same bytes each time, although
seconds and losses differ from machine to machine.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson

PROOF_VERSION = "1"


@dataclass(frozen=True, slots=True)
class Score:
    """How one model did on one held-out split. A count is None where it was not measured."""

    split: str
    n: int
    greedy: int
    """Right answers, taking the likeliest token each time."""
    sampled: int | None
    """Right answers at temperature 1, one answer a problem; only on `test`."""
    greedy_true: int | None
    """Of the greedy right answers, those with every step true; None where there are no steps."""
    undecided: int = 0
    """Greedy answers that the checker could not decide; they are not right."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One step of the model's own trace altered: what became of its answer."""

    n: int
    """Traces altered."""
    moved: int
    """Ended in another answer."""
    repaired: int
    """Ended in the same answer, for the model went on by putting the altered step right."""
    stayed: int
    """Ended in the same answer all the same."""
    implied: int | None
    """Of those moved, the ones whose answer is what the altered step leads to; None: not known."""


@dataclass(frozen=True, slots=True)
class ProofRun:
    """One model: an arm and a seed."""

    seed: int
    loss: float
    """Mean over the last twentieth of training, nats a token of completion."""
    passes: float
    """How often it saw its texts."""
    cpu_s: float
    """Of its process, training and evaluation."""
    tokens: Sequence[int]
    losses: Sequence[float]
    """The loss when so many tokens had been seen."""
    scores: Sequence[Score]
    probe: Probe | None


@dataclass(frozen=True, slots=True)
class Arm:
    """What some models were trained on."""

    name: str
    texts: int
    """Different texts in it."""
    runs: Sequence[ProofRun]


@dataclass(frozen=True, slots=True)
class Proof:
    """All of it."""

    version: str
    rows_sha256: str
    """Of the rows that it was measured on (`rows_digest`)."""
    task_type: str
    tokens: int
    """Budget of each model, padding not counted."""
    parameters: int
    gate: float
    """Loss that every model of the arm `verified` must come under."""
    constant: float
    """Share of `test` that one constant answer, the commonest of training, gets right."""
    device: str
    torch: str
    arms: Sequence[Arm]

    @property
    def conclusive(self) -> bool:
        """Did training on the verified rows come to its end, for every seed?"""
        return all(run.loss < self.gate for run in self.arm("verified").runs)

    def arm(self, name: str) -> Arm:
        """The arm of that name.

        Raises:
            KeyError: there is none.
        """
        for arm in self.arms:
            if arm.name == name:
                return arm
        raise KeyError(name)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Proof":
        """Read back what `to_json` and JSON made of it."""
        plain: dict[str, Any] = {**data}
        plain["arms"] = tuple(
            Arm(arm["name"], arm["texts"], tuple(run_from_json(run) for run in arm["runs"]))
            for arm in data["arms"]
        )
        return cls(**plain)


def run_from_json(data: Mapping[str, Any]) -> ProofRun:
    """Read back one model's figures."""
    plain: dict[str, Any] = {**data}
    plain |= {name: tuple(data[name]) for name in ("tokens", "losses")}
    plain["scores"] = tuple(Score(**score) for score in data["scores"])
    plain["probe"] = Probe(**data["probe"]) if data["probe"] is not None else None
    return ProofRun(**plain)


def rows_digest(shards: Iterable[tuple[str, str]]) -> str:
    """Of the rows of a release: (path, content_sha256) of each shard."""
    return hashlib.sha256(orjson.dumps(sorted(shards))).hexdigest()


@dataclass(frozen=True, slots=True)
class Round:
    """One model of a loop, and the samples it was trained on."""

    n: int
    """Held-out problems asked."""
    greedy: int
    sampled: int
    """At temperature 1."""
    samples: int
    """Made by the model before, for this round's training; 0 where none were."""
    accepted: int
    """Of those, kept."""
    pool: int
    """Texts trained on."""
    loss: float
    cpu_s: float


@dataclass(frozen=True, slots=True)
class LoopArm:
    """One way of going on."""

    name: str
    meaning: str
    rounds: Sequence[Round]


@dataclass(frozen=True, slots=True)
class Loop:
    """How a model went that was its own teacher; the arm `verified` first, controls after it."""

    version: str
    task_type: str
    seed: int
    first_tokens: int
    """Budget of the first model."""
    tokens: int
    """Budget of each round."""
    arms: Sequence[LoopArm]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Loop":
        """Read back what `to_json` and JSON made of it."""
        plain: dict[str, Any] = {**data}
        plain["arms"] = tuple(
            LoopArm(arm["name"], arm["meaning"], tuple(Round(**each) for each in arm["rounds"]))
            for arm in data["arms"]
        )
        return cls(**plain)
