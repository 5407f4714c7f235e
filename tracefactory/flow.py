"""The driver: runs a recipe in a run folder. Read this page first.

The board says what can run, the pool runs it, the folder remembers what is done. The loop keeps
the pool full from the board, writes a receipt for everything that ends, and sorts the ways in
which work can fail. It holds no data and decides nothing from memory of an earlier run: kill it
at any time, run it again, and it goes on from the receipts.
"""

from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from tracefactory.board import Board
from tracefactory.cluster import Died, Done, End, Failed, Pool
from tracefactory.errors import Exit, FactoryError, RecipeError
from tracefactory.lane import quarantine_path, through_the_lane
from tracefactory.ledger import NO_LIMITS, PILOT, Ledger, Limits, counted
from tracefactory.pilot import Pilot
from tracefactory.recipe import Recipe
from tracefactory.schemas.receipt import Receipt
from tracefactory.stages.generate import GenerateConfig
from tracefactory.stages.publish import commit
from tracefactory.store.beats import DrainFile
from tracefactory.store.home import RECEIPTS, Receipts, RunFolder
from tracefactory.task import NEEDS, Task
from tracefactory.teachers import name_of
from tracefactory.teachers.contract import DrainedError, TeacherError
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
    retry_unanswered: bool = False
    """Are requests asked again that were refused, or failed each time?"""
    max_failed: int = 0
    """Quarantined problems and given-up chunks with which a run still ends well."""
    limits: Limits = NO_LIMITS
    """Where the run stops by itself."""
    pilot: int | None = None
    """Only so many problems are worked on, with the real recipe (pilot.py)."""


@dataclass(slots=True)
class Stop:
    """Asks the driver to let what runs end, and start nothing more.

    A signal handler may call `ask`.
    """

    asked: bool = False
    reason: str = ""
    """In words, when it was no person who asked."""
    drain: DrainFile | None = None
    """How work hears of it that can end early; while a run goes on."""

    def ask(self, reason: str = "") -> None:
        """Stop, as soon as what runs has ended."""
        if not self.asked:
            self.asked, self.reason = True, reason
        if self.drain is not None:
            self.drain.ask()


class Watcher(Protocol):
    """Sees the run go on: a terminal's progress display, or lines in a log."""

    def show(self, board: Board, running: Mapping[str, Task], ledger: Ledger) -> None:
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
    ledger: Ledger
    """What it has cost."""
    stopped: str = ""
    """Which limit stopped it, in words."""
    pilot: Pilot | None = None
    """Which problems were worked on, when not all were to be."""


@dataclass(slots=True)
class _Driver:
    folder: RunFolder
    board: Board
    pool: Pool
    watch: Watcher
    stop: Stop
    ledger: Ledger
    pilot: Pilot | None
    running: dict[str, Task] = field(default_factory=dict[str, Task])
    suspects: deque[Task] = field(default_factory=deque[Task])
    tries: Counter[str] = field(default_factory=Counter[str])
    deaths: Counter[str] = field(default_factory=Counter[str])
    bugs: Counter[str] = field(default_factory=Counter[str])
    given_up: list[str] = field(default_factory=list[str])

    def feed(self) -> None:
        """Keep the pool full, unless suspects wait for an empty one."""
        while not self.suspects:
            can = [needs for needs in NEEDS if self.pool.free(needs) > 0]
            if not can or (task := self.board.next(can)) is None:
                return
            if self.pilot is not None and (task := self.pilot.admit(task)) is None:
                continue
            self.look(task)
            if self.stop.asked:
                return  # the task is not done: the next run will find it so
            self.submit(task)

    def open_pilot(self, pilot: Pilot) -> None:
        """Nothing is left to do but what waited for its problems to be chosen."""
        chosen, rest = pilot.choose(self.folder.home)
        for task in rest:
            self.board.abandon(task)
        for task in chosen:
            self.submit(task)

    def look(self, *coming: Task) -> None:
        """Hear the work under way; stop when a limit is reached."""
        for line in self.ledger.look():
            self.watch.say(line)
        paying = any(self._pays(task) for task in (*coming, *self.running.values()))
        if not self.stop.asked and (reason := self.ledger.over(paying=paying)):
            self.folder.event("limit", reason=reason)
            self.watch.say(f"{reason}: stopping; what was sent will end and be kept")
            self.stop.ask(reason)

    @staticmethod
    def _pays(task: Task) -> bool:
        return bool(getattr(load_stage(task.use), "journals", False))

    def submit(self, task: Task) -> None:
        self.running[task.slot] = task
        self.pool.submit(task.slot, work, self.folder.home, task, needs=task.needs)

    def settle(self, slot: str, end: End) -> None:
        """Sort how a task ended."""
        task = self.running.pop(slot)
        match end:
            case Done(receipt):
                self.record(task, receipt)
            case Died(reason):
                self.folder.event("died", slot=slot, reason=reason)
                self.died(task)
            case Failed(_, _):
                self.failed(task, end)

    def failed(self, task: Task, end: Failed) -> None:
        """What ended early because the run was asked to stop has not failed."""
        if isinstance(end.error, DrainedError):
            self.folder.event("drained", slot=task.slot)
            self.again(task)
            return
        self.folder.event("failed", slot=task.slot, error=repr(end.error))
        self.fail(task, end.error, end.trace)

    def again(self, task: Task) -> None:
        """Not done, and to be done: in the next run, when this one was asked to stop."""
        if not self.stop.asked:
            self.submit(task)

    def died(self, task: Task) -> None:
        """Once may be the machine's doing: other engines need not stop for a look at a chunk."""
        self.deaths[task.slot] += 1
        if task.needs == "engine" and self.deaths[task.slot] == 1:
            self.watch.say(f"{task.slot}: the worker died; the chunk goes on with what it had")
            self.again(task)
            return
        self.watch.say(f"{task.slot}: the worker died; the chunk will run again, alone")
        self.suspects.append(task)

    def record(self, task: Task, receipt: Receipt) -> None:
        self.folder.record(receipt)
        self.folder.event(
            "done", slot=task.slot, seconds=round(receipt.seconds, 4), worker=receipt.worker
        )
        if self._pays(task):
            stem = f"{task.stage}.{task.stem}"
            self.folder.home.journal(stem).remove()
            self.ledger.done(stem)
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
        self.again(task)

    def clear_suspect(self) -> None:
        """One suspect, alone in the pool."""
        task = self.suspects.popleft()
        receipt = through_the_lane(self.pool, self.folder.home, task, self.watch.say)
        if isinstance(receipt, Failed):
            self.failed(task, receipt)
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
    since = folder.force(options.force)

    def rerun(receipt: Receipt) -> bool:
        stage = receipt.slot.partition("/")[0]
        forced = stage in since and receipt.started < since[stage]
        unanswered = options.retry_unanswered and n_unanswered(receipt.counts) > 0
        return forced or unanswered or (options.retry_quarantined and bool(receipt.quarantined))

    _remove_counted(folder)
    stages = {name: load_stage(config.use) for name, config in recipe.stages.items()}
    for name, stage in stages.items():
        if name in RESERVED and place_of(stage, Task(name, "", 0, "", "", {}))[0] == name:
            raise RecipeError(
                f"stages.{name}: the run folder keeps something else under that name; call it "
                "otherwise"
            )
    board = Board(
        recipe, stages, folder.receipts.get, folder.home, rerun=rerun,
        history=_history(folder, options), anew=options.force,
    )  # fmt: skip
    _check_order(recipe, stages)
    return board


def _remove_counted(folder: RunFolder) -> None:
    """A kill may have come between a receipt and the end of its journal."""
    left: dict[str, list[Path]] = {}
    for path in (folder.path / "journal").glob("*.log"):
        left.setdefault(path.name.rsplit(".", 2)[0], []).append(path)
    for stem, paths in left.items():
        receipt = folder.receipts.get(stem.replace(".", "/", 1))
        if all(counted(path, receipt) for path in paths):
            folder.home.journal(stem).remove()


def _history(folder: RunFolder, options: Options) -> Callable[[str], Iterable[Receipt]]:
    """Receipts of the run and of its pilot: neither pays for what the other has."""
    place = PILOT if options.pilot is None else ".."
    path = folder.path / place / RECEIPTS
    if not path.exists() or (options.pilot is not None and folder.path.name != PILOT):
        return folder.receipts.every
    there = Receipts(path)

    def history(slot: str) -> Iterator[Receipt]:
        yield from folder.receipts.every(slot)
        for receipt in there.every(slot):
            outputs = (replace(o, name=f"{place}/{o.name}") for o in receipt.outputs)
            yield replace(receipt, outputs=tuple(outputs))

    return history


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
    _check_teachers(recipe)
    judges = {name for name, stage in stages.items() if getattr(stage, "judges", False)}
    for name, config in recipe.stages.items():
        if config.use in ("filter", "select") and not judges & set(recipe.upstream(name)):
            raise RecipeError(
                f"stages.{name}: {config.use} reads verdicts, and no verify stage comes before "
                "it; put one between"
            )


def _check_teachers(recipe: Recipe) -> None:
    """Refuse two teachers of one name whose attempts meet: their rows would have one id.

    Raises:
        RecipeError: names the stages.
    """
    seen: dict[str, str] = {}
    for stage, config in recipe.stages.items():
        teacher = name_of(config.teacher) if isinstance(config, GenerateConfig) else None
        if teacher is None:
            continue
        other = seen.setdefault(teacher, stage)
        if other != stage and set(recipe.downstream(stage)) & set(recipe.downstream(other)):
            raise RecipeError(
                f"stages {other} and {stage} both have a teacher called {teacher!r}, and their "
                "rows would have the same ids; give one of them another `name`"
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
    ledger = Ledger(folder.path, folder.receipts, options.limits)
    pilot = None if options.pilot is None else Pilot(options.pilot, recipe.seed)
    driver = _Driver(folder, board, pool, watch, stop, ledger, pilot)
    with _drained(folder, stop, ledger):
        finished = _drive(driver)
    if not finished:
        folder.event("interrupted")
        given_up = tuple(driver.given_up)
        return Outcome(Exit.INTERRUPTED, board, None, given_up, ledger, stop.reason, pilot)
    manifest = None
    for name, config in recipe.stages.items():
        if publishes(load_stage(config.use)):
            manifest = commit(recipe, board, name, folder.home)
    folder.forget_force()
    failed = (*board.quarantined, *driver.given_up, *_mute(recipe, board))
    folder.event("end", failed=len(failed))
    code = Exit.QUARANTINED if len(failed) > options.max_failed else Exit.DONE
    return Outcome(code, board, manifest, failed, ledger, "", pilot)


def n_unanswered(counts: Mapping[str, int]) -> int:
    """Requests to which there is no answer, by the counts of a receipt or a stage."""
    return counts.get("refused", 0) + counts.get("failed", 0)


def _mute(recipe: Recipe, board: Board) -> Iterator[str]:
    """Stages that asked, and got no answer to anything: that is no outcome of single requests."""
    for name, total in board.totals().items():
        n = n_unanswered(total.counts)
        if recipe.stages[name].use == "generate" and n and n == total.counts.get("attempts"):
            yield f"{name}: the server answered none of {n} requests"


@contextmanager
def _drained(folder: RunFolder, stop: Stop, ledger: Ledger) -> Generator[None]:
    """While a run goes on, work that can end early hears when it is asked to stop."""
    drain = DrainFile(folder.path / "journal")
    drain.clear()
    stop.drain = drain
    if stop.asked:
        drain.ask()
    try:
        yield
    finally:
        stop.drain = None
        drain.clear()
        ledger.close()


def _drive(driver: _Driver) -> bool:
    """Until everything is done (True), or nothing runs any more because the run shall stop."""
    board, pool, stop = driver.board, driver.pool, driver.stop
    told = False
    while not board.finished():
        if stop.asked and not told:  # by someone who set it, and did not say so
            told = True
            stop.ask()
        if not stop.asked:
            driver.feed()
        for slot, end in pool.ended(timeout_s=0.2):
            driver.settle(slot, end)
            if not stop.asked:
                driver.feed()
        driver.look()
        driver.watch.show(board, driver.running, driver.ledger)
        if pool.idle() and not board.finished():
            if stop.asked:
                return False
            if driver.suspects:
                driver.clear_suspect()
            elif driver.pilot is not None and driver.pilot.held:
                driver.open_pilot(driver.pilot)
    return True
