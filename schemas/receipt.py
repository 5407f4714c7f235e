"""A receipt: the driver's word that one unit of work is done, and what it left on disk."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Output:
    """One file that a unit of work left in the run folder. Immutable: the name holds its hash."""

    role: str
    """What is in it: `problems`, `attempts`, `verdicts`, `decisions` (stages/contract.py)."""
    name: str
    """Path relative to the run folder, `<stage>/<slot>-<first 12 of sha256>.parquet`."""
    sha256: str
    bytes: int
    rows: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """Everything the engine remembers of a finished unit of work. One line of receipts.log."""

    slot: str
    """Stable name `stage/chunk.rN`: the same across edits of the recipe, so runs compare."""
    key: str
    """sha256 of `parts`: equal keys mean equal work, so the result is reused."""
    parts: Mapping[str, str]
    """What the key is made of: `use`, `version`, `config`, `inputs` (a hash each, or the text)."""
    outputs: tuple[Output, ...]
    counts: Mapping[str, int] = field(default_factory=dict[str, int])
    """Mergeable figures of this unit, summed over a stage for the funnel: `rows`, `correct`, ..."""
    facts: Mapping[str, str] = field(default_factory=dict[str, str])
    """What later stages must know of this chunk and no file says."""
    quarantined: tuple[str, ...] = ()
    """Problem ids left out because they killed the process that worked on them."""
    seconds: float = 0.0
    """Wall seconds inside the stage. Like `worker` and `started`: never under dataset/."""
    started: float = 0.0
    """Unix time at which the work began."""
    worker: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain data, as it stands in receipts.log."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Receipt":
        """Read back what `to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: when it is not a receipt (foreign or older line).
        """
        return cls(
            slot=str(data["slot"]),
            key=str(data["key"]),
            parts={str(k): str(v) for k, v in data["parts"].items()},
            outputs=tuple(map(_output, data["outputs"])),
            counts={str(k): int(v) for k, v in data["counts"].items()},
            facts={str(k): str(v) for k, v in data["facts"].items()},
            quarantined=tuple(data["quarantined"]),
            seconds=float(data["seconds"]),
            started=float(data["started"]),
            worker=str(data["worker"]),
        )


def _output(data: Mapping[str, Any]) -> Output:
    """One output of a receipt line; a line of another version may have anything in its place."""
    texts = [data.get(name) for name in ("role", "name", "sha256")]
    numbers = [data.get(name) for name in ("bytes", "rows")]
    if not all(isinstance(text, str) and "\0" not in text for text in texts):
        raise ValueError("not an output")
    if not all(type(number) is int for number in numbers):
        raise ValueError("not an output")
    return Output(**data)


RECEIPT_SCHEMA = pa.schema(
    [
        pa.field("slot", pa.string(), nullable=False),
        pa.field("key", pa.string(), nullable=False),
        pa.field("parts", pa.map_(pa.string(), pa.string()), nullable=False),
        pa.field(
            "outputs",
            pa.list_(
                pa.struct(
                    [
                        pa.field("role", pa.string(), nullable=False),
                        pa.field("name", pa.string(), nullable=False),
                        pa.field("sha256", pa.string(), nullable=False),
                        pa.field("bytes", pa.int64(), nullable=False),
                        pa.field("rows", pa.int64(), nullable=False),
                    ]
                )
            ),
            nullable=False,
        ),
        pa.field("counts", pa.map_(pa.string(), pa.int64()), nullable=False),
        pa.field("facts", pa.map_(pa.string(), pa.string()), nullable=False),
        pa.field("quarantined", pa.list_(pa.string()), nullable=False),
        pa.field("seconds", pa.float64(), nullable=False),
        pa.field("started", pa.float64(), nullable=False),
        pa.field("worker", pa.string(), nullable=False),
    ]
)
"""For those who read receipts as a table; on disk they are JSON lines."""
