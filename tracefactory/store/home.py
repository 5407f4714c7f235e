"""The run folder as workers and the driver see it.

Workers put outputs and journal what was paid for; only the driver, through `RunFolder`, holds the
lock and writes receipts. Nothing here decides what to run.
"""

import contextlib
import glob
import hashlib
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import orjson
import pyarrow as pa

from tracefactory.errors import RecipeError
from tracefactory.schemas.receipt import Output, Receipt
from tracefactory.spending import Spending
from tracefactory.store.beats import BEAT, DrainFile, Voice
from tracefactory.store.commit import recover_commit
from tracefactory.store.files import (
    parquet_bytes,
    read_parquet,
    sweep_temporaries,
    write_atomic,
)
from tracefactory.store.lock import Lock
from tracefactory.store.log import Damage, Log, read_at, replay

RECEIPTS = "receipts.log"
LOCK = "run.lock"
EVENTS = "events.jsonl"
FORCED = "forced.json"
RECIPE = "recipe.resolved.json"


def canonical(data: object) -> bytes:
    """JSON with sorted keys: the form that is hashed."""
    return orjson.dumps(data, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)


def digest(data: object) -> str:
    """sha256 of the canonical JSON."""
    return hashlib.sha256(canonical(data)).hexdigest()


@dataclass(frozen=True, slots=True)
class Home:
    """A run folder, for whoever reads and puts outputs; needs no lock and pickles."""

    path: Path

    def put(
        self, folder: str, stem: str, role: str, table: pa.Table, *, published: bool = False
    ) -> Output:
        """Write a table durably as `<folder>/<stem>.<role>-<sha12>.parquet`.

        Raises:
            ResourceError: disk full or folder not writable.
        """
        data = parquet_bytes(table, published=published)
        sha256 = hashlib.sha256(data).hexdigest()
        name = f"{folder}/{stem}.{role}-{sha256[:12]}.parquet"
        path = self.path / name
        # The same bytes may be there from an attempt whose receipt was lost; they are as durable.
        if not (path.exists() and path.stat().st_size == len(data)):
            write_atomic(path, data)
        return Output(role, name, sha256, len(data), table.num_rows)

    def read(
        self,
        output: Output,
        columns: Sequence[str] | None = None,
        filters: Sequence[tuple[str, str, object]] | None = None,
    ) -> pa.Table:
        """Read an output back.

        Raises:
            IntegrityError: the file is missing or damaged.
        """
        return read_parquet(self.path / output.name, columns, filters)

    def present(self, receipt: Receipt) -> bool:
        """Do all outputs of a receipt exist with the stated size? Hashes are fsck's business."""
        for output in receipt.outputs:
            try:
                if (self.path / output.name).stat().st_size != output.bytes:
                    return False
            except OSError:
                return False
        return True

    def journal(self, stem: str) -> "Journal":
        """The journal of one slot, whatever its key: its records say what they answer."""
        return Journal(self.path / "journal", stem)


class Journal:
    """What was paid for, record by record, across all attempts at one unit of work.

    Each attempt appends to a file of its own; all of them are replayed. Records carry a problem id
    and an attempt index, so the same answer found twice counts once: the first.

    It is also how work and driver hear of each other while the work goes on (beats.py).
    """

    def __init__(self, folder: Path, stem: str) -> None:
        self.folder, self.stem = folder, stem
        self._id = uuid.uuid4().hex[:8]
        self._log: Log | None = None
        self._voice = Voice(folder / f"{stem}.{self._id}{BEAT}")
        self._stop = DrainFile(folder)

    def replay(self) -> Iterator[Mapping[str, Any]]:
        """Good records of all earlier attempts, in a fixed order; damaged ones are left out."""
        for path in self._files():
            for line in replay(path):
                if not isinstance(line, Damage):
                    yield line.data

    def append(self, record: Mapping[str, Any]) -> None:
        """Keep one record: it survives kill -9 from here on (a power cut after the next sync)."""
        if self._log is None:
            self._log = Log(self.folder / f"{self.stem}.{self._id}.log")
        self._log.append(record, sync=False)

    def note(self, figures: Mapping[str, Any]) -> None:
        """Tell the driver how far the work is; nothing is decided by it, and it cannot fail."""
        self._voice.say(figures)

    def draining(self) -> bool:
        """Was the run asked to stop? Looks at the disk once a second at most."""
        return self._stop.asked()

    def close(self) -> None:
        """Sync what was appended."""
        self._voice.close()
        if self._log is not None:
            self._log.close()
            self._log = None

    def remove(self) -> None:
        """Delete all files of this journal: its receipt is written."""
        for path in (*self._files(), *self._files(BEAT)):
            path.unlink(missing_ok=True)

    def _files(self, suffix: str = ".log") -> list[Path]:
        """Not those of a longer stem: what follows this one is the attempt's id alone."""
        start = f"{glob.escape(self.stem)}."
        return sorted(self.folder.glob(start + "[0-9a-f]" * len(self._id) + suffix))


class Receipts:
    """receipts.log: the newest receipt of each slot, found again from disk when asked for.

    Keeps positions in memory, not receipts, so that a long run stays small.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damaged: list[Damage] = []
        self.spending = Spending()
        """Of all lines, also those that a newer one of their slot has replaced."""
        self._at: dict[str, int] = {}
        self._replaced: dict[str, list[int]] = {}
        for line in replay(path):
            if isinstance(line, Damage):
                self.damaged.append(line)
            elif "slot" in line.data:
                self.remember(line.data, line.offset)

    def get(self, slot: str) -> Receipt | None:
        """The newest receipt of a slot, or None."""
        offset = self._at.get(slot)
        return None if offset is None else self._read(offset)

    def every(self, slot: str) -> Iterator[Receipt]:
        """All receipts that a slot ever had, the newest first."""
        newest = [self._at[slot]] if slot in self._at else []
        for offset in (*newest, *reversed(self._replaced.get(slot, ()))):
            receipt = self._read(offset)
            if receipt is not None:
                yield receipt

    def _read(self, offset: int) -> Receipt | None:
        try:
            return Receipt.from_json(read_at(self.path, offset))
        except (KeyError, TypeError, ValueError, AttributeError):
            return None  # a line of another version or another program: its chunk runs again

    def slots(self) -> Iterable[str]:
        """All slots that have a receipt, in the order of the log."""
        return self._at.keys()

    def __iter__(self) -> Iterator[Receipt]:
        for slot in list(self._at):
            receipt = self.get(slot)
            if receipt is not None:
                yield receipt

    def remember(self, line: Mapping[str, Any], offset: int) -> None:
        """Note where a receipt stands."""
        slot = str(line["slot"])
        if slot in self._at:
            self._replaced.setdefault(slot, []).append(self._at[slot])
        self._at[slot] = offset
        self.spending.receipt(line)


class RunFolder:
    """A run folder held by the one live driver.

    On entry: takes the lock, finishes or undoes an interrupted commit, sweeps stale temporaries.
    """

    def __init__(self, path: Path, *, takeover: bool = False) -> None:
        """Open the folder, making it if need be.

        Raises:
            LockedError: a live run holds it.
            ResourceError: it cannot be written.
            RecipeError: the folder is not a run folder.
        """
        self.path = path = path.absolute()
        if path.exists() and not path.is_dir():
            raise RecipeError(f"{path} is a file; give a folder for the run with --folder")
        if path.is_dir() and not (path / LOCK).exists() and any(path.iterdir()):
            raise RecipeError(
                f"{path} holds files but is no run folder (no {LOCK}); give an empty or new folder "
                "with --folder"
            )
        self.lock = Lock(path / LOCK, takeover=takeover)
        try:
            self.home = Home(path)
            self.swept = sweep_temporaries(path)
            self.recovered = recover_commit(path)
            self.receipts = Receipts(path / RECEIPTS)
            self._log = Log(path / RECEIPTS)
            self._events = (path / EVENTS).open("ab", buffering=0)
        except BaseException:
            self.lock.release()
            raise

    def record(self, receipt: Receipt) -> None:
        """Say that a unit of work is done. From here on it is never done again.

        Raises:
            LockedError: another driver took over.
            ResourceError: disk full.
        """
        self.lock.check()
        line = receipt.to_json()
        self.receipts.remember(line, self._log.append(line))

    def event(self, kind: str, **data: object) -> None:
        """Note something for people: never read back by the engine, not synced."""
        record = {"event": kind, "epoch": self.lock.holder.epoch, "time": time.time(), **data}
        with contextlib.suppress(OSError):  # a full disk stops the run at something that matters
            self._events.write(orjson.dumps(record) + b"\n")

    def write_recipe(self, recipe: Mapping[str, Any]) -> None:
        """Keep the resolved recipe beside the run."""
        pretty = orjson.dumps(recipe, option=orjson.OPT_INDENT_2)  # stages stay in their order
        write_atomic(self.path / RECIPE, pretty + b"\n")

    def force(self, stages: Iterable[str]) -> Mapping[str, float]:
        """Since when stages are to be done again: a run that was interrupted so goes on with it.

        Kept until `forget_force`, so that the same command does not pay for the same work twice.
        """
        stages = set(stages)
        if not stages:
            return {}
        try:
            before = orjson.loads((self.path / FORCED).read_bytes())
        except (OSError, orjson.JSONDecodeError):
            before = {}
        since = {name: float(before.get(name, self.lock.holder.since)) for name in stages}
        write_atomic(self.path / FORCED, orjson.dumps({**before, **since}))
        return since

    def forget_force(self) -> None:
        """The run has come to its end: what is forced next is forced anew."""
        (self.path / FORCED).unlink(missing_ok=True)

    def recipe_name(self) -> str | None:
        """Name of the recipe that ran here last; None when none did."""
        try:
            return str(orjson.loads((self.path / RECIPE).read_bytes())["name"])
        except (OSError, orjson.JSONDecodeError, KeyError, TypeError):
            return None

    def quarantine(self, slot: str, data: Mapping[str, Any]) -> None:
        """Keep what is known of rows or chunks that could not be worked on."""
        path = self.path / "quarantine" / f"{slot.replace('/', '.')}.json"
        write_atomic(path, orjson.dumps(data, option=orjson.OPT_INDENT_2) + b"\n")

    def close(self) -> None:
        """Sync the logs and release the lock."""
        self._log.close()
        self._events.close()
        self.lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
