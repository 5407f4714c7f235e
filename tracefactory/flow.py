"""The driver: runs a recipe in a run folder. Read this page first.

The board says what can run, the pool runs it, the folder remembers what is done. The loop keeps
the pool full from the board, writes a receipt for everything that ends, and sorts the ways in
which work can fail. It holds no data and decides nothing from memory of an earlier run: kill it
at any time, run it again, and it goes on from the receipts.
"""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from tracefactory.board import Board
from tracefactory.cluster import Died, Done, End, Failed, Pool
from tracefactory.errors import Exit, FactoryError, RecipeError
from tracefactory.lane import quarantine_path, through_the_lane
from tracefactory.recipe import Recipe
from tracefactory.schemas.receipt import Receipt
from tracefactory.stages.publish import commit
from tracefactory.store.home import RunFolder
from tracefactory.task import Task
from tracefactory.teachers.contract import TeacherError
from tracefactory.worker import RESERVED, load_stage, place_of, publishes, work

MAX_TRIES = 3
"""Of a task that fails for a passing reason (teacher, network) before its chunk is given up."""

SAME_BUG = 3
"""Identical tracebacks after which the run stops: more of them would teach nothing."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller of `run` may ask for."""

    force: frozenset[str] = frozenset()
    """Stages whose receipts of earlier runs are not reused."""
    retry_quarantined: bool = False
    """Are chunks with quarantined problems tried again?"""
    max_failed: int = 0
    """Quarantined problems and given-up chunks with which a run still ends well."""


@dataclass(slots=True)
class Stop:
    """Set from a signal handler: asks the driver to let what runs end, and start nothing more."""

    asked: bool = False


class Watcher(Protocol):
    """Sees the run go on: a terminal's progress display, or lines in a log."""

    def show(self, board: Board, running: Mapping[str, Task]) -> None:
        """Called several times a second."""
        ...

    def say(self, text: str) -> None:
        """Something worth a line."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended."""

    code: Exit
    board: Board
    manifest: str | None
    """sha256 of the published manifest, or None when nothing was published."""
    failed: tuple[str, ...]
    """Problems quarantined and chunks given up."""


@dataclass(slots=True)
class _Driver:
    folder: RunFolder
    board: Board
    pool: Pool
    watch: Watcher
    running: dict[str, Task] = field(default_factory=dict[str, Task])
    suspects: deque[Task] = field(default_factory=deque[Task])
    tries: Counter[str] = field(default_factory=Counter[str])
    bugs: Counter[str] = field(default_factory=Counter[str])
    given_up: list[str] = field(default_factory=list[str])

    def feed(self) -> None:
        """Keep the pool full, unless suspects wait for an empty one."""
        while (
            not self.suspects and self.pool.free() > 0 and (task := self.board.next()) is not None
        ):
            self.submit(task)

    def submit(self, task: Task) -> None:
        self.running[task.slot] = task
        self.pool.submit(task.slot, work, self.folder.home, task)

    def settle(self, slot: str, end: End) -> None:
        """Sort how a task ended."""
        task = self.running.pop(slot)
        match end:
            case Done(receipt):
                self.record(task, receipt)
            case Died(reason):
                self.folder.event("died", slot=slot, reason=reason)
                self.watch.say(f"{slot}: the worker died; the chunk will run again, alone")
                self.suspects.append(task)
            case Failed(error, trace):
                self.folder.event("failed", slot=slot, error=repr(error))
                self.fail(task, error, trace)

    def record(self, task: Task, receipt: Receipt) -> None:
        self.folder.record(receipt)
        self.folder.event(
            "done", slot=task.slot, seconds=round(receipt.seconds, 4), worker=receipt.worker
        )
        if getattr(load_stage(task.use), "journals", False):
            self.folder.home.journal(f"{task.stage}.{task.stem}", receipt.key).remove()
        if not receipt.quarantined:  # an earlier run may have had to
            quarantine_path(self.folder.home, task.slot).unlink(missing_ok=True)
        self.board.done(task, receipt)

    def fail(self, task: Task, error: BaseException, trace: str) -> None:
        """A set-up that cannot go on ends the run; a passing failure is tried again."""
        if isinstance(error, FactoryError):
            raise error
        self.tries[task.slot] += 1
        if isinstance(error, TeacherError | ConnectionError | TimeoutError):
            if self.tries[task.slot] >= MAX_TRIES:
                self.give_up(task, f"failed {MAX_TRIES} times: {error}")
                return
            self.watch.say(f"{task.slot}: {error}; trying again")
        else:
            self.bugs[f"{type(error).__name__}: {trace.splitlines()[-2:]}"] += 1
            # A message that names a row or a moment is another one each time, but the task is not.
            if max(self.bugs.values()) >= SAME_BUG or self.tries[task.slot] >= MAX_TRIES:
                raise FactoryError(
                    f"stage {task.stage!r} fails again and again; last in "
                    f"{task.slot}:\n{trace.rstrip()}\nNothing finished is lost: mend the stage, "
                    "raise its version, and give the same command again."
                ) from error
        self.submit(task)

    def clear_suspect(self) -> None:
        """One suspect, alone in the pool."""
        task = self.suspects.popleft()
        receipt = through_the_lane(self.pool, self.folder.home, task, self.watch.say)
        if isinstance(receipt, Failed):
            self.fail(task, receipt.error, receipt.trace)
            return
        if receipt is None:
            self.give_up(task, "kills its worker, and no single problem is to blame")
            return
        if receipt.quarantined:
            self.folder.quarantine(task.slot, {"problems": list(receipt.quarantined)})
        self.record(task, receipt)

    def give_up(self, task: Task, reason: str) -> None:
        """Quarantine a whole chunk; a hole in a barrier cannot be gone around."""
        self.folder.quarantine(task.slot, {"chunk": task.chunk, "reason": reason})
        if self.board.blocks(task):
            raise GivenUp(f"{task.slot} {reason}, and the rest of the run needs it")
        self.watch.say(f"{task.slot} {reason}; the chunk is quarantined")
        self.given_up.append(f"{task.slot}: {reason}")
        self.board.abandon(task)


class GivenUp(FactoryError):
    """A task that everything after it needs cannot be done."""

    exit_code = Exit.QUARANTINED


def make_board(recipe: Recipe, folder: RunFolder, options: Options) -> Board:
    """The board of a recipe over a run folder's receipts."""
    epoch_start = folder.lock.holder.since

    def rerun(receipt: Receipt) -> bool:
        stage = receipt.slot.partition("/")[0]
        forced = stage in options.force and receipt.started < epoch_start
        return forced or (options.retry_quarantined and bool(receipt.quarantined))

    left = {path.name.rsplit(".", 3)[0] for path in (folder.path / "journal").glob("*.log")}

    def reused(slot: str) -> None:  # a kill may have come between a receipt and its journal's end
        receipt = folder.receipts.get(slot)
        if receipt is not None and (stem := slot.replace("/", ".", 1)) in left:
            folder.home.journal(stem, receipt.key).remove()

    stages = {name: load_stage(config.use) for name, config in recipe.stages.items()}
    for name, stage in stages.items():
        if name in RESERVED and place_of(stage, Task(name, "", 0, "", "", {}))[0] == name:
            raise RecipeError(
                f"stages.{name}: the run folder keeps something else under that name; call it "
                "otherwise"
            )
    board = Board(recipe, stages, folder.receipts.get, folder.home, rerun=rerun, note_reused=reused)
    _check_order(recipe, stages)
    return board


def _check_order(recipe: Recipe, stages: Mapping[str, Any]) -> None:
    """Refuse recipes whose stages are known and yet cannot mean what they say.

    Raises:
        RecipeError: two releases for one folder; rules over verdicts that are not there yet.
    """
    releases = [name for name, stage in stages.items() if publishes(stage)]
    if len(releases) > 1:
        raise RecipeError(
            f"stages {', '.join(releases)} publish into one folder, and the last would replace the "
            "others; make them recipes of their own"
        )
    judges = {name for name, stage in stages.items() if getattr(stage, "judges", False)}
    for name, config in recipe.stages.items():
        if config.use in ("filter", "select") and not judges & set(recipe.upstream(name)):
            raise RecipeError(
                f"stages.{name}: {config.use} reads verdicts, and no verify stage comes before "
                "it; put one between"
            )


def _check_name(recipe: Recipe, folder: RunFolder) -> None:
    """A folder holds the release of one recipe: another would replace it.

    Raises:
        RecipeError: the folder is another recipe's.
    """
    name = folder.recipe_name()
    if name not in (None, recipe.name):
        raise RecipeError(
            f"{folder.path} is the run folder of the recipe {name!r}, and this one is called "
            f"{recipe.name!r}; give another folder with --folder"
        )


def run(
    recipe: Recipe,
    folder: RunFolder,
    pool: Pool,
    watch: Watcher,
    stop: Stop,
    options: Options | None = None,
) -> Outcome:
    """Run a recipe to its end, or until `stop` is asked for.

    Raises:
        FactoryError: the set-up cannot go on; everything finished is on disk.
    """
    options = options or Options()
    _check_name(recipe, folder)
    board = make_board(recipe, folder, options)
    folder.write_recipe(recipe.canonical())
    folder.event("start", recipe=recipe.name)
    driver = _Driver(folder, board, pool, watch)
    while not board.finished():
        if not stop.asked:
            driver.feed()
        for slot, end in pool.ended(timeout_s=0.2):
            driver.settle(slot, end)
            if not stop.asked:
                driver.feed()
        watch.show(board, driver.running)
        if pool.idle() and not board.finished():
            if stop.asked:
                folder.event("interrupted")
                return Outcome(Exit.INTERRUPTED, board, None, tuple(driver.given_up))
            if driver.suspects:
                driver.clear_suspect()
    manifest = None
    for name, config in recipe.stages.items():
        if publishes(load_stage(config.use)):
            manifest = commit(recipe, board, name, folder.home)
    failed = (*board.quarantined, *driver.given_up)
    folder.event("end", failed=len(failed))
    code = Exit.QUARANTINED if len(failed) > options.max_failed else Exit.DONE
    return Outcome(code, board, manifest, failed)
