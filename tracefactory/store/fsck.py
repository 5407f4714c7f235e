"""Does a run folder hold what its receipts say? And what in it does nobody need?

Reads everything, changes nothing; `sweep` (under the lock) removes orphans and temporaries and
sets damaged files aside in quarantine/, so that the next run makes them again.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tracefactory.schemas.receipt import Receipt
from tracefactory.store.commit import COMMITTED, MANIFEST, committed
from tracefactory.store.files import TEMPORARY, sha256_of
from tracefactory.store.home import RECEIPTS, Receipts
from tracefactory.store.sums import SUMS

_NOT_OUTPUTS = {
    "journal", "quarantine", "dataset", "dataset.next", "dataset.old", "plan", "pilot", "proof",
}  # fmt: skip


@dataclass(slots=True)
class Report:
    """What fsck found."""

    receipts: int = 0
    files: int = 0
    bytes: int = 0
    damaged_lines: list[str] = field(default_factory=list[str])
    """Lines of receipts.log that cannot be trusted: their chunks run again."""
    missing: list[str] = field(default_factory=list[str])
    """Outputs that a receipt names and that are not there."""
    damaged: list[str] = field(default_factory=list[str])
    """Outputs whose size or hash is not what the receipt says."""
    orphans: list[str] = field(default_factory=list[str])
    """Files that no receipt names: of attempts that lost, or whose receipt was lost. Harmless."""
    dataset: list[str] = field(default_factory=list[str])
    """What is wrong with the published dataset."""

    @property
    def sound(self) -> bool:
        """Is everything that receipts and the release promise there, bit for bit?

        A damaged line of the log promises nothing: a kill leaves one now and then, for good.
        """
        return not (self.missing or self.damaged or self.dataset)


def fsck(run: Path) -> Report:
    """Check a run folder, hash by hash."""
    report = Report()
    receipts = Receipts(run / RECEIPTS)
    report.damaged_lines = [str(damage) for damage in receipts.damaged]
    named: set[str] = set()
    for receipt in receipts:
        report.receipts += 1
        _check_outputs(run, receipt, named, report)
    report.orphans = [name for name in _data_files(run) if name not in named]
    report.dataset = list(_check_dataset(run))
    return report


def _check_outputs(run: Path, receipt: Receipt, named: set[str], report: Report) -> None:
    for output in receipt.outputs:
        if output.name in named:
            continue
        named.add(output.name)
        path = run / output.name
        if not path.exists():
            report.missing.append(output.name)
            continue
        report.files += 1
        report.bytes += output.bytes
        if path.stat().st_size != output.bytes or sha256_of(path) != output.sha256:
            report.damaged.append(output.name)


def _data_files(run: Path) -> Iterator[str]:
    for folder in sorted(run.iterdir()):
        if folder.is_dir() and folder.name not in _NOT_OUTPUTS:
            for path in sorted(folder.iterdir()):
                if path.is_file() and not path.name.startswith(TEMPORARY):
                    yield str(path.relative_to(run))


def _check_dataset(run: Path) -> Iterator[str]:
    dataset, promised = run / "dataset", committed(run)
    if promised is None:
        if dataset.exists():
            yield f"there is a dataset/ but no {COMMITTED}; the next run will put it right"
        return
    if not (dataset / MANIFEST).exists():
        yield f"{COMMITTED} names a manifest, but dataset/{MANIFEST} is missing"
        return
    if hashlib.sha256((dataset / MANIFEST).read_bytes()).hexdigest() != promised:
        yield f"dataset/{MANIFEST} is not the one that {COMMITTED} names"
    yield from _check_sums(dataset)


def _check_sums(dataset: Path) -> Iterator[str]:
    sums = dataset / SUMS
    if not sums.exists():
        yield f"dataset/{SUMS} is missing"
        return
    listed: set[str] = {SUMS}
    for line in sums.read_text("utf-8", "replace").splitlines():
        sha256, _, name = line.partition("  ")
        listed.add(name)
        path = dataset / name
        if not path.is_file():
            yield f"dataset/{name} is missing"
        elif sha256_of(path) != sha256:
            yield f"dataset/{name} is not what {SUMS} says"
    for path in sorted(dataset.rglob("*")):
        name = str(path.relative_to(dataset))
        if path.is_file() and name not in listed:
            yield f"dataset/{name} is no part of the release"


def sweep(run: Path, report: Report) -> None:
    """Remove orphans; set damaged outputs aside, so that their chunks run again.

    Raw responses were paid for: those that no receipt names stay where they are, until `gc`.
    The caller holds the run's lock.
    """
    for name in report.orphans:
        if not name.startswith("raw/"):
            (run / name).unlink(missing_ok=True)
    for name in report.damaged:
        _set_aside(run, name, "damaged")


def _set_aside(run: Path, name: str, why: str) -> None:
    aside = run / "quarantine" / f"{why}-{name.replace('/', '.')}"
    aside.parent.mkdir(exist_ok=True)
    (run / name).replace(aside)


def unneeded(run: Path, needed: Iterable[Receipt]) -> list[tuple[str, int]]:
    """Outputs (name, bytes) that none of the receipts in use names."""
    names = {output.name for receipt in needed for output in receipt.outputs}
    return [(name, (run / name).stat().st_size) for name in _data_files(run) if name not in names]
