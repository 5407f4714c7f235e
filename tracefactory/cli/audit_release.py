"""`tracefactory audit`: is a dataset what it says, would it be judged so again, are errors caught?

Not here: how its findings are shown (audit_shown.py).
"""

import re
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from tracefactory.audit.asked import Asked, Told
from tracefactory.audit.examine import audit_release
from tracefactory.audit.foreign import audit_foreign
from tracefactory.audit.outcome import Outcome
from tracefactory.audit.place import Place, opened
from tracefactory.audit.traces import Foreign
from tracefactory.cli.audit_shown import as_json_of, show
from tracefactory.cli.check import named_options
from tracefactory.cli.ending import ended_alike
from tracefactory.cli.look import print_json
from tracefactory.cluster import DaskPool, InlinePool, Pool
from tracefactory.errors import Exit, RecipeError
from tracefactory.progress import PLAIN_EVERY_S
from tracefactory.store.home import canonical
from tracefactory.verifiers.contract import AddressError, full_address, resolve_verifier


class Columns(NamedTuple):
    """What `audit` takes for Parquet that tracefactory did not make; None is not given."""

    statement: str | None
    reference: str | None
    response: str | None
    verdict: str | None
    after: str | None
    boxed: bool
    verifier: str | None
    options: Sequence[str]

    def foreign(self) -> Foreign | None:
        """How the columns are read; None: nothing is given, so the target is a release.

        Raises:
            RecipeError: some are given, but not all that it takes.
            AddressError: there is no such checker.
        """
        if not any(self):
            return None
        lacks = [n for n in ("reference", "response", "verifier") if getattr(self, n) is None]
        if lacks or self.reference is None or self.response is None or self.verifier is None:
            raise RecipeError(
                f"plain Parquet needs --{', --'.join(lacks)} too; for what tracefactory published, "
                "leave all of --statement ... --option out"
            )
        if self.after is not None and self.boxed:
            raise RecipeError("--after and --boxed are two ways to find the reference; keep one")
        address = full_address(self.verifier)
        resolve_verifier(address)
        return Foreign(
            statement=self.statement or "",
            response=self.response,
            reference=self.reference,
            after=self.after,
            boxed=self.boxed,
            verdict=self.verdict,
            verifier=address,
            options=canonical(named_options(self.options)).decode(),
        )


_EXPECTED = re.compile(r"[0-9a-f]{8,64}")


def check_asked(asked: Asked, *, plain: bool) -> None:
    """Refuse what would bind nobody: a key that is not there, an empty hash, nothing to judge.

    Raises:
        RecipeError: what was asked, and what to ask instead.
    """
    if asked.expect is not None and not _EXPECTED.fullmatch(asked.expect):
        raise RecipeError(
            f"--expect {asked.expect!r}: want the manifest's sha256, or its first 8 hex digits or "
            "more; is a variable of the shell unset?"
        )
    if asked.key is not None and not asked.key.is_file():
        raise RecipeError(
            f"--key {asked.key}: there is no such file; a public key in PEM is wanted"
        )
    if plain and (asked.key is not None or asked.expect is not None):
        raise RecipeError(
            "--key and --expect are about releases of tracefactory; plain Parquet has neither a "
            "signature nor a manifest: leave them out"
        )
    if plain and not asked.recheck and not asked.planted:
        raise RecipeError("--no-recheck and --planted 0: of plain Parquet nothing is left to audit")


def audit_command(
    target: str,
    asked: Asked,
    columns: Columns,
    max_drift: float,
    workers: int | None,
    inline: bool,
    download: Path | None,
    examples: int,
    as_json: bool,
) -> int:
    """Audit a dataset; the exit code."""
    if not 0 <= max_drift <= 1:
        raise RecipeError(f"--max-drift {max_drift:g}: a share of the rows, from 0 to 1")
    try:
        foreign = columns.foreign()
    except AddressError as error:
        raise RecipeError(f"--verifier: {error}") from error
    check_asked(asked, plain=foreign is not None)
    if download is not None and "://" not in target:
        raise RecipeError(
            f"--download says nothing of {target}, which is here already; leave it out"
        )
    if foreign is not None:
        # The auditor's own word, and not the dataset's: this one may be imported.
        module = foreign.verifier.partition(":")[0]
        asked = replace(asked, allowed=(*asked.allowed, module))
    started = time.monotonic()
    try:
        with (
            ended_alike(),
            opened(target, download, foreign=foreign is not None) as place,
            _progress() as told,
            InlinePool() if inline else DaskPool(workers) as pool,
        ):
            outcome = _audited(place, foreign, asked, pool, told)
    except KeyboardInterrupt:
        print("interrupted; nothing was concluded: give the same command again", file=sys.stderr)
        return int(Exit.INTERRUPTED)
    outcome.target = target
    outcome.seconds["all"] = time.monotonic() - started
    code = outcome.exit_code(max_drift)
    if as_json:
        print_json(as_json_of(outcome, place, code))
    else:
        show(outcome, place, examples, max_drift, code)
    return int(code)


def _audited(
    place: Place, foreign: Foreign | None, asked: Asked, pool: Pool, told: Told
) -> Outcome:
    if place.release is not None:
        return audit_release(place.release, asked, pool, told)
    assert foreign is not None
    return audit_foreign(place.target, place.files, foreign, asked, pool, told)


@contextmanager
def _progress() -> Generator[Told]:
    """A bar a part on a terminal, a line now and then elsewhere; on stderr."""
    console = Console(stderr=True, emoji=False, highlight=False)
    if not console.is_terminal:
        yield _lines(console)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bar(*columns, TimeElapsedColumn(), console=console, transient=True) as bar:
        shown: dict[str, Any] = {}

        def draw(what: str, done: int, total: int) -> None:
            if what not in shown:
                shown[what] = bar.add_task(what, total=total)
            bar.update(shown[what], completed=done)

        yield draw


def _lines(console: Console) -> Callable[[str, int, int], None]:
    next_line = time.monotonic() + PLAIN_EVERY_S

    def line(what: str, done: int, total: int) -> None:
        nonlocal next_line
        if time.monotonic() >= next_line:
            next_line = time.monotonic() + PLAIN_EVERY_S
            console.print(f"{done:,} of {total:,} {what}")

    return line
