"""`tracefactory publish`: the words of the command, what is shown meanwhile, and what was done."""

import dataclasses
import re
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.status import Status

from tracefactory.cli.ending import ended_alike
from tracefactory.cli.look import print_json
from tracefactory.errors import Exit, RecipeError
from tracefactory.progress import PLAIN_EVERY_S
from tracefactory.publisher.files import Files
from tracefactory.publisher.hub import Hub
from tracefactory.publisher.publish import Outcome, publish
from tracefactory.publisher.target import Target, hub_name

out = Console(emoji=False)

_SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*(?: (?:AND|OR|WITH) [A-Za-z0-9][A-Za-z0-9.+-]*)*")
"""Its form: which identifiers there are, the Hub knows."""


class Progress:
    """A line that changes on a terminal, one now and then elsewhere. On stderr."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, emoji=False)
        self._status: Status | None = None
        self._next = time.monotonic() + PLAIN_EVERY_S

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._status = self._console.status("")
            self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._status is not None:
            self._status.stop()

    def say(self, text: str) -> None:
        """A line that stays."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def at(self, text: str) -> None:
        """What is being done right now."""
        if self._status is not None:
            self._status.update(text.replace("[", r"\["))
        elif time.monotonic() >= self._next:
            self._next = time.monotonic() + PLAIN_EVERY_S
            self.say(text)


def publish_command(
    dataset: Path,
    target: str,
    private: bool | None,
    license: str | None,
    dry_run: bool,
    tag: str | None,
    xet: bool,
    key: Path | None,
    message: str | None,
    stalled_after_s: float,
    as_json: bool,
    replace_other: bool = False,
) -> int:
    """Publish a release; the exit code."""
    if key is not None and not key.is_file():
        raise RecipeError(f"--sign {key}: there is no such file; a private key in PEM is wanted")
    if license is not None and not _SPDX.fullmatch(license):
        raise RecipeError(
            f"--license {license!r}: want an SPDX identifier (spdx.org/licenses), as CC-BY-4.0, or "
            "several with AND, OR, WITH; for one of your own LicenseRef-NAME"
        )
    with Progress() as show:
        try:
            with ended_alike():
                done = publish(
                    dataset,
                    _target(target, show, private, tag, xet, stalled_after_s),
                    show,
                    key=key,
                    message=message,
                    license=license,
                    dry_run=dry_run,
                    replace_other=replace_other,
                )
        except KeyboardInterrupt:
            show.say("interrupted; give the same command again: what was sent is not sent twice")
            return int(Exit.INTERRUPTED)
    if as_json:
        print_json({**dataclasses.asdict(done), "dry_run": dry_run})
    else:
        _show(done, dry_run)
    return int(Exit.DONE)


def _target(
    word: str, show: Progress, private: bool | None, tag: str | None, xet: bool, stalled_s: float
) -> Target:
    name = hub_name(word)
    if name is not None:
        return Hub(name, show, private, tag, xet, stalled_s)
    if tag is not None or private is not None:
        raise RecipeError(
            f"{word} is no dataset on the Hub: --tag, --private and --public say nothing there"
        )
    return Files(word, show)


def _show(done: Outcome, dry_run: bool) -> None:
    def say(text: str) -> None:
        out.print(text, highlight=False, markup=False, soft_wrap=True)

    if not done.changed:
        say(f"{done.target} has this release already ({done.release[:12]}); nothing was sent")
    else:
        verb = "would be sent" if dry_run else "sent"
        say(
            f"{done.sent_files:,} files, {done.sent_bytes:,} bytes {verb} ({done.new_shards:,} "
            f"shards, {done.shard_bytes:,} bytes); {done.kept_shards:,} shards, "
            f"{done.kept_bytes:,} bytes kept as they are"
        )
        if done.gone:
            say(f"{len(done.gone):,} files taken away: {', '.join(done.gone[:5])}")
    for name, rows in done.rows.items():
        say(f"{rows:>12,}  {name}")
    if not dry_run:
        where = f" at {done.address}" if done.address else ""
        say(f"release {done.release[:12]}{where}" + (f", tag {done.tag}" if done.tag else ""))
