"""`tracefactory audit-problems`: what is wrong with references, before or after a run."""

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table

from tracefactory.audit.inputs import FileProblems, ProblemSource, RunProblems
from tracefactory.audit.problems import FAULTS, KINDS, TO_DO, Finding, Report, audit
from tracefactory.cli.check import named_options
from tracefactory.cli.look import print_json
from tracefactory.errors import Exit, RecipeError
from tracefactory.progress import PLAIN_EVERY_S
from tracefactory.sources.mapping import Column
from tracefactory.store.home import RECEIPTS

MAX_SHOWN = 300
"""Characters of a text in an example."""

VERIFIER = "numeric"
"""The checker of files unless another is named: the one of recipes."""

out = Console(emoji=False)


def audit_problems_command(
    place: str,
    statement: str | None,
    reference: str | None,
    after: str | None,
    boxed: bool,
    verifier: str | None,
    options: Sequence[str],
    examples: int,
    as_json: bool,
) -> int:
    """Audit a run folder's problems or those of files; the exit code."""
    source: ProblemSource
    if (Path(place) / RECEIPTS).exists():
        if statement or reference or after or boxed or verifier or options:
            raise RecipeError(
                f"{place} is a run folder, whose problems say themselves what they are; leave out "
                "--statement, --reference, --after, --boxed, --verifier and --option"
            )
        source = RunProblems(Path(place).absolute())
    elif statement is None or reference is None:
        raise RecipeError(
            f"{place} is no run folder (no {RECEIPTS}); give the folder that `run` printed, or, "
            "for files, say which columns to read: --statement COLUMN --reference COLUMN"
        )
    elif after is not None and boxed:
        raise RecipeError("--after and --boxed are two ways to find the reference; keep one")
    else:
        part = Column(column=reference, after=after, boxed=True if boxed else None)
        checker = verifier or VERIFIER
        source = FileProblems(place, statement, part, checker, named_options(options))
    started = time.monotonic()
    with _progress(source.total) as told:
        report = audit(source, told)
    if as_json:
        print_json(_as_json(report))
    else:
        _show(report, examples, time.monotonic() - started)
    return int(Exit.DONE if report.sound() else Exit.INTEGRITY)


@contextmanager
def _progress(total: int | None) -> Generator[Callable[[int], None]]:
    """A bar on a terminal, a line now and then elsewhere; on stderr."""
    console = Console(stderr=True, emoji=False)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("problems"), TimeElapsedColumn())
    if console.is_terminal:
        with Bar(*columns, console=console, transient=True) as bar:
            shown = bar.add_task("", total=total)
            yield lambda done: bar.update(shown, completed=done)
        return
    next_line = time.monotonic() + PLAIN_EVERY_S

    def line(done: int) -> None:
        nonlocal next_line
        if time.monotonic() >= next_line:
            next_line = time.monotonic() + PLAIN_EVERY_S
            of = f" of {total:,}" if total else ""
            console.print(f"{done:,}{of} problems", highlight=False)

    yield line


def _as_json(report: Report) -> dict[str, object]:
    return {
        "sound": report.sound(),
        "problems": report.problems,
        "with_attempts": report.with_attempts,
        "counts": report.counts(),
        "to_do": TO_DO,
        "not_audited": report.not_audited,
        "left_out": report.left_out,
        "findings": [asdict(finding) for kind in KINDS for finding in report.of(kind)],
    }


def _say(text: str) -> None:
    out.print(text, highlight=False, markup=False, soft_wrap=True)


def _show(report: Report, examples: int, seconds: float) -> None:
    for kind in reversed(KINDS):  # the worst stands last, where the eye is
        found = report.of(kind)
        if found and examples:
            out.rule(escape(f"{kind}: {min(examples, len(found))} of {len(found):,}"), align="left")
            for finding in found[:examples]:
                _example(finding)
    counts = report.counts()
    if any(counts.values()):
        table = Table(box=None, pad_edge=False)
        for heading in ("finding", "problems", "what to do"):
            table.add_column(heading, justify="right" if heading == "problems" else "left")
        for kind, n in counts.items():
            if n:
                name = f"[bold]{kind}[/bold]" if kind in FAULTS else kind
                table.add_row(name, f"{n:,}", TO_DO[kind])
        out.print(table)
    for reason, n in report.not_audited.most_common():
        _say(f"not audited: {n:,} problems: {reason}")
    if report.left_out:
        reasons = ", ".join(f"{n:,} {reason}" for reason, n in report.left_out.most_common(5))
        _say(f"left out: {report.left_out.total():,} rows that are no problems: {reasons}")
    _say(
        f"{report.problems:,} problems, {report.with_attempts:,} of them with attempts, audited "
        f"in {seconds:.1f} s: {'no faults' if report.sound() else 'NOT sound'}"
    )


def _example(finding: Finding) -> None:
    _say(f"{finding.problem_id}   {finding.reason}")
    _say(f"    statement  {_short(finding.statement)}")
    _say(f"    reference  {_short(finding.reference)}")
    for name, text in finding.against.items():
        _say(f"    {name}  {_short(text)}")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MAX_SHOWN else f"{line[:MAX_SHOWN]}..."
