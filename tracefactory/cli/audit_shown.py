"""What `tracefactory audit` prints: for people, and as JSON.

Nothing of the dataset is rendered as markup: its texts are printed as they are, control characters
replaced.
"""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tracefactory.audit.faults import short
from tracefactory.audit.interval import wilson
from tracefactory.audit.outcome import Outcome
from tracefactory.audit.place import Place
from tracefactory.audit.planted import Probe
from tracefactory.audit.recheck import Found
from tracefactory.errors import Exit

MAX_SETTINGS = 5
"""Checkers and their settings that are shown; --json has all."""

out = Console(emoji=False, highlight=False)


# --- For programs ------------------------------------------------------------------------------


def as_json_of(outcome: Outcome, place: Place, code: Exit) -> dict[str, Any]:
    """All that was found, as plain data."""
    found, probe = outcome.found, outcome.probe
    return {
        "target": outcome.target,
        "revision": place.revision,
        "kind": outcome.kind,
        "name": outcome.name,
        "manifest_sha256": outcome.manifest_sha256,
        "code": int(code),
        "seed": outcome.seed,
        "integrity": {
            "files": outcome.files,
            "shards": outcome.shards,
            "views": outcome.views,
            "settings": outcome.settings,
            "rows": outcome.rows,
            "signature": outcome.signature,
            "notes": outcome.notes,
            "texts_made_again": outcome.texts_made_again,
            "faults": [asdict(fault) for fault in outcome.faults],
        },
        "recheck": None if found is None else _found_json(outcome, found),
        "planted": None if probe is None else _probe_json(probe),
        "seconds": {name: round(s, 3) for name, s in outcome.seconds.items()},
    }


def _found_json(outcome: Outcome, found: Found) -> dict[str, Any]:
    return {
        "rows": found.rows,
        "sampled": outcome.sampled,
        "compared": found.compared(),
        "same": found.same,
        "changed": found.drift(),
        "agreement": outcome.agreement()._asdict() if outcome.compares else None,
        "limited_by_clock": found.by_clock,
        "unchecked": dict(found.unchecked),
        "unchecked_words": found.words,
        "unchecked_correct": found.unchecked_correct,
        "other_versions": dict(found.versions),
        "now": dict(found.now),
        "changes": [asdict(change) for change in found.changes],
    }


def _probe_json(probe: Probe) -> dict[str, Any]:
    n, caught = probe.planted.total(), probe.caught.total()
    return {
        "planted": dict(probe.planted),
        "caught": dict(probe.caught),
        "undecided": dict(probe.undecided),
        "share_caught": wilson(caught, n)._asdict(),
        "accepted": [planted._asdict() for planted in probe.accepted],
        "unused": dict(probe.unused),
    }


# --- For people ----------------------------------------------------------------------------------


def _say(text: str, style: str = "") -> None:
    """A line, as it is: no markup, no control characters, so that no text can move the cursor."""
    plain = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    out.print(Text(plain, style), soft_wrap=True)


def show(outcome: Outcome, place: Place, examples: int, max_drift: float, code: Exit) -> None:
    """What an auditor wants to read first; `examples` of each kind of finding."""
    _title(outcome, place)
    _integrity(outcome, examples)
    if outcome.found is not None:
        _recheck(outcome, outcome.found, examples, max_drift)
    if outcome.probe is not None:
        _planted(outcome.probe, examples)
    said = ", ".join(f"{name} {s:.1f} s" for name, s in outcome.seconds.items() if name != "all")
    sound = ", but ".join(["SOUND", *filter(None, [" and ".join(outcome.left_out())])])
    words = {
        Exit.DONE: (sound, "bold green"),
        Exit.INTEGRITY: ("NOT SOUND", "bold red"),
        Exit.INCONCLUSIVE: (f"INCONCLUSIVE: {outcome.unjudged()}", "bold yellow"),
    }
    word, style = words[code]
    out.print()
    _say(word, style)
    _say(f"{outcome.seconds['all']:.1f} s in all: {said}")
    if outcome.sampled or outcome.probe is not None:
        _say(f"rows were drawn with the seed {outcome.seed}; --seed repeats the draw")


def _title(outcome: Outcome, place: Place) -> None:
    out.print()
    _say(short(outcome.target) if not outcome.name else f"{short(outcome.name)}   {outcome.target}")
    if place.revision:
        _say(f"commit     {place.revision}")
    if outcome.manifest_sha256:
        _say(f"manifest   sha256 {outcome.manifest_sha256}")
        _say(f"signature  {outcome.signature}")
    for view, rows in outcome.views.items():
        _say(f"{view:<26}{rows:>12,} rows")


def _head(title: str, good: bool | None) -> None:
    out.print()
    line = Text(f"{title:<12}", "bold")
    if good is not None:
        line.append(*(("ok", "green") if good else ("FAULT", "bold red")))
    out.print(line)


def _integrity(outcome: Outcome, examples: int) -> None:
    if outcome.kind == "parquet":
        _say(f"{outcome.files:,} files, {outcome.rows:,} rows; not made by tracefactory")
        return
    _head("INTEGRITY", not outcome.faults)
    _say(
        f"{outcome.files:,} files against their checksums, {outcome.shards:,} shards against their "
        f"records, {outcome.rows:,} traces against each other"
    )
    for settings, n in list(outcome.settings.items())[:MAX_SETTINGS]:
        _say(f"{n:,} problems are judged by {short(settings)}")
    for note in outcome.notes:
        _say(f"note: {note}")
    for fault in _some(outcome, examples):
        _say(f"  {fault.check}  {short(fault.file)}", "red")
        _say(f"      found     {fault.found}")
        _say(f"      expected  {fault.expected}")
    hidden = len(outcome.faults) - len(list(_some(outcome, examples)))
    if hidden:
        _say(f"  and {hidden:,} more; --json has all, --examples shows more of each kind")


def _some(outcome: Outcome, examples: int) -> Iterator[Any]:
    """The first faults of each kind."""
    seen: dict[str, int] = {}
    for fault in outcome.faults:
        seen[fault.check] = seen.get(fault.check, 0) + 1
        if seen[fault.check] <= examples:
            yield fault


def _recheck(outcome: Outcome, found: Found, examples: int, max_drift: float) -> None:
    _head("RE-CHECK", outcome.drift() <= max_drift if outcome.compares else None)
    rows = f"{found.rows:,} of {outcome.rows:,} rows" if outcome.sampled else f"{found.rows:,} rows"
    now = ", ".join(f"{n:,} {status}" for status, n in found.now.most_common())
    _say(f"{rows} judged again: {now or 'none'}")
    agreement = outcome.agreement()
    if outcome.compares and agreement.share is not None:
        low, high = 100 * (agreement.low or 0), 100 * (agreement.high or 0)
        _say(
            f"agreement {100 * agreement.share:.2f} % of {found.compared():,} "
            f"(95 % interval {low:.2f} to {high:.2f} %)"
        )
    for versions, n in found.versions.most_common():
        _say(f"{n:,} rows by another version of their checker: {versions}")
    if found.by_clock:
        _say(f"{found.by_clock:,} rows were decided by a limit of the machine: counted apart")
    for reason, n in found.unchecked.most_common():
        words = f" ({found.words[reason]})" if reason in found.words else ""
        _say(f"not judged: {n:,} rows: {reason}{words}", "yellow")
    for change in found.changes[:examples]:
        _say(f"  {change.id}   {change.file}", "red")
        apart = "   (by the clock)" if change.by_clock else ""
        _say(f"      then  {change.then} ({change.then_reason}): {short(change.then_answer)}")
        _say(f"      now   {change.now} ({change.now_reason}): {short(change.now_answer)}{apart}")
    if len(found.changes) > examples:
        _say(f"  and {len(found.changes) - examples:,} more; --json has all")


def _planted(probe: Probe, examples: int) -> None:
    planted, caught = probe.planted.total(), probe.caught.total()
    _head("PLANTED", None)
    share = wilson(caught, planted)
    if share.share is not None:
        low, high = 100 * (share.low or 0), 100 * (share.high or 0)
        _say(
            f"{caught:,} of {planted:,} planted wrong answers were caught: {100 * share.share:.1f} "
            f"% (95 % interval {low:.1f} to {high:.1f} %)"
        )
    table = Table(box=None, pad_edge=False)
    for heading in ("kind", "planted", "caught", "undecided", "accepted"):
        table.add_column(heading, justify="left" if heading == "kind" else "right")
    for kind, n in sorted(probe.planted.items()):
        accepted = n - probe.caught[kind] - probe.undecided[kind]
        table.add_row(kind, f"{n:,}", f"{probe.caught[kind]:,}", f"{probe.undecided[kind]:,}",
                      f"{accepted:,}")  # fmt: skip
    out.print(table)
    for reason, n in probe.unused.most_common():
        _say(f"nothing planted: {n:,} rows: {reason}")
    for one in probe.accepted[:examples]:
        _say(f"  accepted: {one.id}   {one.kind}", "yellow")
        _say(f"      right  {one.right}")
        _say(f"      wrong  {one.wrong}")
    if len(probe.accepted) > examples:
        _say(f"  and {len(probe.accepted) - examples:,} more accepted; --json has all")
