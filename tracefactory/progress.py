"""What a person sees of a run: a live table on a terminal, plain lines elsewhere. All on stderr."""

import time
from collections.abc import Mapping
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from tracefactory.board import Board
from tracefactory.ledger import Ledger
from tracefactory.spending import money
from tracefactory.task import Task

PLAIN_EVERY_S = 10.0
"""Seconds between lines where there is no terminal."""

LIVE_EVERY_S = 0.25

HEADLINES: Mapping[str, tuple[str, ...]] = {
    "sample": ("problems",),
    "import": ("problems", "attempts"),
    "generate": ("attempts",),
    "verify": ("correct", "incorrect", "no_answer", "undecided", "error"),
    "filter": ("kept",),
    "dedupe": ("kept", "duplicates"),
    "select": ("kept",),
    "decontaminate": ("contaminated", "suspect"),
}
"""Which figures of a stage are worth a word while it runs."""


def live_words(running: Mapping[str, Task], ledger: Ledger) -> list[str]:
    """What work under way says of itself, and what all has cost; nothing where nobody says it."""
    said: list[str] = []
    now = ledger.now(f"{task.stage}.{task.stem}" for task in running.values())
    if now["of"]:
        said.append(f"{now['done']:,}/{now['of']:,} requests, {now['in_flight']:,} in flight")
    spent = ledger.total()
    if now["of"] and spent.completion_tokens:
        said.append(f"{ledger.rate():,.0f} tokens/s")
    if spent.tokens:
        said.append(f"{spent.tokens:,} tokens")
    if spent.usd is not None:
        said.append(money(spent.usd))
    return said


class Progress:
    """Shows a board as it fills."""

    def __init__(self, console: Console, uses: Mapping[str, str]) -> None:
        """Args: the console; the `use` of each stage of the recipe."""
        self._console, self._uses = console, uses
        self._live = (
            Live(console=console, transient=True, auto_refresh=False)
            if console.is_terminal
            else None
        )
        self._next = 0.0
        self._started = time.monotonic()

    def show(self, board: Board, running: Mapping[str, Task], ledger: Ledger) -> None:
        """Draw, if the last drawing is old enough."""
        now = time.monotonic()
        if now < self._next:
            return
        if self._live is not None:
            self._next = now + LIVE_EVERY_S
            self._live.update(self._table(board, running, ledger), refresh=True)
        else:
            self._next = now + PLAIN_EVERY_S
            line = self._line(board, running, ledger)
            self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """A line that stays."""
        self._console.print(text, highlight=False, soft_wrap=True, markup=False)

    def _figures(self, name: str, counts: Mapping[str, int]) -> str:
        words = HEADLINES.get(self._uses[name], ())
        return ", ".join(f"{counts[word]:,} {word}" for word in words if counts.get(word))

    def _table(self, board: Board, running: Mapping[str, Task], ledger: Ledger) -> Table:
        table = Table(box=None, pad_edge=False, title_justify="left")
        live = live_words(running, ledger)
        table.title = escape("; ".join([f"{time.monotonic() - self._started:.0f} s", *live]))
        for heading, justify in (
            ("stage", "left"),
            ("done", "right"),
            ("running", "right"),
            ("so far", "left"),
        ):
            table.add_column(heading, justify=justify)  # type: ignore[arg-type]
        for name, total in board.totals().items():
            expected = board.expected(name)
            done = f"{total.done:,}" if expected is None else f"{total.done:,}/{expected:,}"
            busy = sum(task.stage == name for task in running.values())
            table.add_row(name, done, str(busy or ""), self._figures(name, total.counts))
        return table

    def _line(self, board: Board, running: Mapping[str, Task], ledger: Ledger) -> str:
        parts = [
            f"{name} {total.done:,}"
            + (f" ({figures})" if (figures := self._figures(name, total.counts)) else "")
            for name, total in board.totals().items()
            if total.done
        ]
        parts += live_words(running, ledger)
        return f"[{time.monotonic() - self._started:6.1f} s] " + ("; ".join(parts) or "starting")

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()
