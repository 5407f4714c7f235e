"""The board: which units of work exist, which are done, which can run now.

Pure bookkeeping on the driver: it never touches data, a clock or a cluster, and it makes tasks
lazily, so that a plan of a million chunks costs no more memory than the chunks in flight. A task
whose key equals that of a receipt on disk is reused and never handed out.
"""

from collections import Counter, deque
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from tracefactory.errors import RecipeError
from tracefactory.hosts import is_public
from tracefactory.recipe import Recipe
from tracefactory.schemas.receipt import Output, Receipt
from tracefactory.stages.contract import BY_REQUEST, Order, Plan
from tracefactory.store.home import Home, digest
from tracefactory.task import Chunk, Needs, Task


def recipe_id(recipe: Recipe) -> str:
    """First 16 hex digits of the resolved recipe's sha256, the paths of local files left out.

    Where an input lay does not change what was made of it: its content hash is in the manifest.
    """
    return digest(without_paths(recipe.canonical()))[:16]


def without_paths(data: Any) -> Any:
    """The same plain data with every `path` of a local file replaced by nothing."""
    if isinstance(data, Mapping):
        return {
            key: None if _is_local(key, value) else without_paths(value)
            for key, value in cast("Mapping[str, Any]", data).items()
        }
    if isinstance(data, list | tuple):
        return [without_paths(item) for item in cast("list[Any]", data)]
    return data


def _is_local(key: str, value: object) -> bool:
    """Does this place of a recipe say where an input lies on this machine?"""
    if key in ("path", "against"):  # of several places none is named if one is local
        places = cast("list[Any]", value) if isinstance(value, list | tuple) else [value]
        return not all("://" in str(place) for place in places)
    if key == "base_url":
        return not is_public(str(value))
    if key == "python":  # a program of this machine
        return isinstance(value, str) and "/" in value
    return key == "id" and str(value).startswith("/")  # a Hugging Face dataset in a local folder


Lookup = Callable[[str], Receipt | None]
History = Callable[[str], Iterable[Receipt]]
"""The newest receipt of a slot."""


@dataclass(slots=True)
class Node:
    """One stage of the recipe, and how far it is."""

    name: str
    use: str
    stage: Any
    config: Any
    plan: Plan
    upstream: tuple[str, ...]
    downstream: list[str] = field(default_factory=list[str])
    needs: Needs = "cpu"
    """What its tasks need to run."""
    judge: str | None = None
    """Rounds: the verify stage whose verdicts plan the next round."""
    ready: deque[tuple[Order, Chunk]] = field(default_factory=deque[tuple[Order, Chunk]])
    orders: Iterator[Order] | None = None
    """Sources and barriers: what is left of the current phase."""
    phase: int = -1
    receipts: dict[int, Receipt] = field(default_factory=dict[int, Receipt])
    """Receipts of the current phase by the order's number (of a source's last phase: none)."""
    numbers: dict[str, int] = field(default_factory=dict[str, int])
    """Slot in flight -> number of its order."""
    made: int = 0
    chunks: list[Chunk] = field(default_factory=list[Chunk])
    """Barriers: what has arrived."""
    active: int = 0
    """Chunks that are here: queued, running, or between two rounds."""
    closed: bool = False
    """Nothing more will come out."""
    expected: int | None = None
    """Sources: how many chunks there will be, once that can be told."""


@dataclass(slots=True)
class Loop:
    """A chunk between rounds: with all its attempts and verdicts so far."""

    chunk: Chunk
    round: int = 0


@dataclass(frozen=True, slots=True)
class Totals:
    """How far a stage is, summed over its tasks."""

    done: int
    reused: int
    counts: Mapping[str, int]
    seconds: float


class Board:
    """All stages of a recipe over the receipts of a run folder."""

    def __init__(
        self,
        recipe: Recipe,
        stages: Mapping[str, Any],
        lookup: Lookup,
        home: Home,
        *,
        rerun: Callable[[Receipt], bool] = lambda receipt: False,
        note_reused: Callable[[str], None] = lambda slot: None,
        history: History = lambda slot: (),
        anew: Container[str] = (),
    ) -> None:
        """Set up the stages.

        Args:
            recipe: the DAG.
            stages: the stage object of each name of the recipe.
            lookup: the newest receipt of a slot.
            home: to see whether outputs are there.
            rerun: receipts that are not to be reused (`--force`, `--retry`).
            note_reused: told the slot of every receipt that is reused.
            history: all receipts of a slot, of former recipes and other runs, whose answers can be
                used again.
            anew: stages for which no answer is to be used again (`--force`).

        Raises:
            RecipeError: a stage that needs a judge has none, or several.
        """
        self._lookup, self._home, self._rerun = lookup, home, rerun
        self._note_reused, self._history, self._anew = note_reused, history, anew
        self._nodes: dict[str, Node] = {}
        identity = recipe_id(recipe)
        for name in recipe.order():
            config = recipe.stages[name]
            self._nodes[name] = Node(
                name=name,
                use=config.use,
                stage=stages[name],
                config=config,
                plan=Plan(name, recipe.seed, identity),
                upstream=tuple(config.from_),
                needs=_needs_of(stages[name], config),
            )
            for parent in config.from_:
                self._nodes[parent].downstream.append(name)
        for node in self._nodes.values():
            if node.stage.kind == "rounds" and node.stage.judged(node.config):
                node.judge = self._judge_of(node)
        self._deepest_first = list(reversed(self._nodes.values()))
        self._at_engine: Node | None = None
        self._loops: dict[tuple[str, str], Loop] = {}
        self._running: dict[str, Chunk] = {}
        self._counts: dict[str, Counter[str]] = {name: Counter() for name in self._nodes}
        self._done: Counter[str] = Counter()
        self._reused: Counter[str] = Counter()
        self._seconds: dict[str, float] = dict.fromkeys(self._nodes, 0.0)
        self.abandoned: list[str] = []
        """Slots that could not be done at all: their chunks are missing downstream."""
        self.teachers: dict[str, str] = {}
        """All that answers depend on (JSON) by `teacher @ revision`, as receipts say it."""
        self.quarantined: dict[str, None] = {}
        """`stage: problem id` of all that was left out because it killed its process, each once."""
        for node in self._nodes.values():
            if node.stage.kind == "source":
                self._start_phase(node)

    def _judge_of(self, node: Node) -> str:
        readers = [n for n in node.downstream if getattr(self._nodes[n].stage, "judges", False)]
        named = getattr(node.config, "judge", None)
        if named is not None:
            if named not in readers:
                raise RecipeError(
                    f"stages.{node.name}.judge: {named!r} is no verify stage that reads "
                    f"{node.name!r}; "
                    f"those that do: {readers or 'none'}"
                )
            return str(named)
        if len(readers) != 1:
            raise RecipeError(
                f"stages.{node.name}: attempts.until_correct needs verdicts; exactly one verify "
                f"stage must read `from: {node.name}`, found {readers or 'none'}. Add one, or "
                "name one of several with `judge:`, or drop until_correct."
            )
        return readers[0]

    # What can run now.

    def next(self, can: Container[Needs] = ("cpu", "engine")) -> Task | None:
        """A task that must run now and needs what there is; those done already are passed over."""
        while (found := self._next_order(can)) is not None:
            node, order, chunk = found
            task = self._task(node, order)
            self._running[task.slot] = chunk
            receipt = self._lookup(task.slot)
            if receipt is not None and self.reusable(task, receipt):
                self._reused[node.name] += 1
                self._note_reused(task.slot)
                self.done(task, receipt)
            else:
                return task
        return None

    def _next_order(self, can: Container[Needs]) -> tuple[Node, Order, Chunk] | None:
        moved = True
        while moved:  # the end of a phase may have opened work in a stage already passed
            moved = False
            # The deepest stage first: chunks in flight leave before new ones come in.
            for node in self._by_turns(can):
                if node.needs not in can:
                    continue
                if node.ready:
                    if node.needs == "engine":
                        self._at_engine = node
                    return (node, *node.ready.popleft())
                if node.orders is None:
                    continue
                order = next(node.orders, None)
                if order is not None:
                    node.numbers[f"{node.name}/{order.chunk}.r{order.round}"] = node.made
                    node.made += 1
                    node.active += 1
                    return node, order, Chunk(order.chunk, root=f"{node.name}/{order.chunk}")
                node.orders = None
                self._maybe_close(node)
                moved = True
        return None

    def _by_turns(self, can: Container[Needs]) -> Iterable[Node]:
        """Deepest first; but a teacher that has the engines keeps them: to change it takes long."""
        if "engine" in can and self._at_engine is not None and self._at_engine.ready:
            return (self._at_engine, *self._deepest_first)
        return self._deepest_first

    def _task(self, node: Node, order: Order) -> Task:
        version = f"{node.stage.version}+{order.version}" if order.version else node.stage.version
        task = Task(
            node.name, order.chunk, order.round, node.use, version, order.config, order.inputs,
            needs=node.needs,
        )  # fmt: skip
        return replace(task, previous=self._previous(task, order.asked)) if order.asked else task

    def _previous(self, task: Task, asked: str) -> tuple[Output, ...]:
        """Outputs of the slot's receipts, when only what they were asked for has changed.

        All receipts that it ever had: an edit that is taken back pays for nothing.
        """
        if task.stage in self._anew:
            return ()
        # An edit of how many attempts there are moves them to other rounds of the same chunk.
        rounds = [f"{task.stage}/{task.chunk}.r{at}" for at in range(_ROUNDS)]
        slots = dict.fromkeys([task.slot, *(rounds if asked == BY_REQUEST else ())])
        return tuple(
            output
            for slot in slots
            for old in self._history(slot)
            if old.facts.get("asked") == asked
            and old.parts.get("use") == task.use
            and old.parts.get("version") == task.version
            and self._home.present(old)
            for output in old.outputs
        )

    def reusable(self, task: Task, receipt: Receipt) -> bool:
        """Is this receipt's work the task's work, still there, and not to be done again?"""
        return (
            receipt.key == task.key() and not self._rerun(receipt) and self._home.present(receipt)
        )

    def finished(self) -> bool:
        """Has every stage seen everything?"""
        return all(node.closed for node in self._nodes.values())

    # What has ended.

    def done(self, task: Task, receipt: Receipt) -> None:
        """A task's receipt is on disk: whatever waited for it can run."""
        node = self._nodes[task.stage]
        self._counts[node.name].update(receipt.counts)
        self._counts[node.name]["quarantined"] += len(receipt.quarantined)
        self.quarantined |= {f"{node.name}: {problem}": None for problem in receipt.quarantined}
        self._done[node.name] += 1
        self._seconds[node.name] += receipt.seconds
        if "asks" in receipt.facts:
            self.teachers[receipt.facts.get("teacher", "")] = receipt.facts["asks"]
        chunk = self._running.pop(task.slot)
        after = chunk.extended(receipt.outputs, receipt.facts)
        if node.stage.kind in ("source", "barrier"):
            self._phase_done(node, task, receipt, after)
        elif (loop_key := self._loop_of(node, task)) is not None:
            self._round_done(node, loop_key, receipt)
        else:
            node.active -= 1
            self._deliver(node, after)
            self._maybe_close(node)

    def abandon(self, task: Task) -> None:
        """A task cannot be done at all: its chunk ends here, its neighbours go on.

        A barrier that misses a part can't go on: `blocks` says so, and the driver ends the run.
        """
        node = self._nodes[task.stage]
        self.abandoned.append(task.slot)
        self._running.pop(task.slot)
        node.numbers.pop(task.slot, None)
        loop_key = self._loop_of(node, task)
        if loop_key is not None:
            del self._loops[loop_key]
            node = self._nodes[loop_key[0]]
        node.active -= 1
        self._maybe_close(node)

    def blocks(self, task: Task) -> bool:
        """Would abandoning this task leave a barrier, or a phase of a source, with a hole?"""
        node = self._nodes[task.stage]
        last = node.stage.kind == "source" and node.phase == node.stage.phases(node.config) - 1
        return node.stage.kind in ("source", "barrier") and not last

    # Sources and barriers: phases.

    def _start_phase(self, node: Node) -> None:
        node.phase += 1
        node.made, node.receipts = 0, {}
        node.orders = node.stage.orders(node.config, node.plan, node.phase)

    def _phase_done(self, node: Node, task: Task, receipt: Receipt, after: Chunk) -> None:
        node.active -= 1
        number = node.numbers.pop(task.slot)
        last = node.phase == node.stage.phases(node.config) - 1
        if node.stage.kind == "source" and last:
            self._deliver(node, after)  # nothing of it stays here: there may be a million
        else:
            node.receipts[number] = receipt
        self._maybe_close(node)

    def _phases_over(self, node: Node) -> bool:
        """Move on to the next phase, if there is one; True when the last has ended."""
        ended = [node.receipts[number] for number in sorted(node.receipts)]
        node.plan = replace(node.plan, done=(*node.plan.done, ended))
        if node.phase < node.stage.phases(node.config) - 1:
            self._start_phase(node)
            return False
        if node.stage.kind == "barrier":
            for chunk in node.stage.chunks(node.config, node.plan):
                self._deliver(node, chunk)
        return True

    # Rounds: generate, verify, and again.

    def _loop_of(self, node: Node, task: Task) -> tuple[str, str] | None:
        if node.judge is not None:
            return (node.name, task.chunk)
        for parent in node.upstream:
            prefix = f"{parent}." if len(node.upstream) > 1 else ""
            key = (parent, task.chunk.removeprefix(prefix))
            mine = self._nodes[parent].judge == node.name and task.chunk.startswith(prefix)
            if mine and key in self._loops:
                return key
        return None

    def _round_done(self, node: Node, key: tuple[str, str], receipt: Receipt) -> None:
        teacher, loop = self._nodes[key[0]], self._loops[key]
        before = loop.chunk
        loop.chunk = before.extended(receipt.outputs, receipt.facts)
        if node is teacher:  # attempts are there: have this round's judged
            judge = self._nodes[str(teacher.judge)]
            this_round = Chunk(
                self._name_at(judge, teacher.name, before),
                {**before.files, "attempts": receipt.outputs, "verdicts": (), "solved": ()},
                loop.chunk.facts,
                before.root,
            )
            order = judge.stage.order(judge.config, judge.plan, this_round)
            if order is not None:
                judge.ready.append((replace(order, round=loop.round), loop.chunk))
                return
        verdict = receipt if node is not teacher else None
        loop.round += 1
        order = teacher.stage.order(teacher.config, teacher.plan, loop.chunk, loop.round, verdict)
        if order is not None:
            teacher.ready.append((order, loop.chunk))
            return
        del self._loops[key]
        teacher.active -= 1
        attempts_only = {
            r: f for r, f in loop.chunk.files.items() if r not in ("verdicts", "solved")
        }
        self._deliver(teacher, replace(loop.chunk, files=attempts_only), but=teacher.judge)
        judge = self._nodes[str(teacher.judge)]
        self._deliver(
            judge, replace(loop.chunk, name=self._name_at(judge, teacher.name, loop.chunk))
        )
        self._maybe_close(teacher)

    # Chunks on their way.

    def _name_at(self, node: Node, parent: str, chunk: Chunk) -> str:
        """Branches that join may bring chunks of one name: then the branch is part of the name."""
        return f"{parent}.{chunk.name}" if len(node.upstream) > 1 else chunk.name

    def _deliver(self, node: Node, chunk: Chunk, *, but: str | None = None) -> None:
        for name in node.downstream:
            if name != but:
                child = self._nodes[name]
                arrived = replace(chunk, name=self._name_at(child, node.name, chunk))
                self._arrive(child, arrived)

    def _arrive(self, node: Node, chunk: Chunk) -> None:
        if node.stage.kind == "barrier":
            node.chunks.append(chunk)
            return
        if node.stage.kind == "rounds":
            order = node.stage.order(node.config, node.plan, chunk, 0, None)
        else:
            order = node.stage.order(node.config, node.plan, chunk)
        if order is None:  # nothing to do here for this chunk
            if hasattr(node.stage, "facts"):
                chunk = chunk.extended((), node.stage.facts(node.config))
            if node.judge is not None:
                judge = self._nodes[node.judge]
                self._deliver(node, chunk, but=node.judge)
                self._deliver(judge, replace(chunk, name=self._name_at(judge, node.name, chunk)))
            else:
                self._deliver(node, chunk)
            return
        node.active += 1
        if node.judge is not None:
            self._loops[(node.name, chunk.name)] = Loop(chunk)
        node.ready.append((order, chunk))

    def _maybe_close(self, node: Node) -> None:
        """Close a stage that nothing can come to any more, and look at those below it."""
        if node.closed or node.active or node.ready or node.orders is not None:
            return
        if not all(self._nodes[parent].closed for parent in node.upstream):
            return
        if node.stage.kind in ("source", "barrier"):
            if node.phase < 0:
                arrived = tuple(sorted(node.chunks, key=lambda chunk: chunk.name))
                node.plan, node.chunks = replace(node.plan, chunks=arrived), []
                self._start_phase(node)
                return
            if not self._phases_over(node):
                return
        node.closed = True
        for name in node.downstream:
            self._maybe_close(self._nodes[name])

    # For people.

    def totals(self) -> dict[str, Totals]:
        """How far each stage is."""
        return {
            name: Totals(
                self._done[name], self._reused[name], dict(self._counts[name]), self._seconds[name]
            )
            for name in self._nodes
        }

    def expected(self, name: str) -> int | None:
        """How many chunks a stage will see; None when its sources can't say yet."""
        node = self._nodes[name]
        if node.stage.kind == "source":
            last = node.stage.phases(node.config) - 1
            if node.expected is None and node.phase == last:
                node.expected = node.stage.count(node.config, node.plan, last)
            return node.expected
        if node.stage.kind == "barrier":
            return None
        parents = [self.expected(parent) for parent in node.upstream]
        known = [n for n in parents if n is not None]
        return sum(known) if known and len(known) == len(parents) else None

    def inputs_read(self) -> list[dict[str, Any]]:
        """What the sources read, for the manifest."""
        return [
            described
            for node in self._nodes.values()
            if node.stage.kind == "source" and hasattr(node.stage, "describe")
            for described in node.stage.describe(node.config, node.plan)
        ]

    def compared(self) -> list[dict[str, Any]]:
        """The benchmarks that rows were compared with, for the manifest."""
        return [
            described
            for node in self._nodes.values()
            if hasattr(node.stage, "compared")
            for described in node.stage.compared(node.config, node.plan)
        ]

    def repeats(self) -> dict[str, Any]:
        """What dedupe stages found, by name, for the manifest."""
        found = {
            name: node.stage.repeats(node.config, node.plan)
            for name, node in self._nodes.items()
            if hasattr(node.stage, "repeats")
        }
        return {name: figures for name, figures in found.items() if figures is not None}

    def stages(self) -> list[Any]:
        """The stage objects, in the order of the recipe."""
        return [node.stage for node in self._nodes.values()]

    def closed(self, name: str) -> bool:
        """Has a stage seen everything?"""
        return self._nodes[name].closed

    def plan_of(self, name: str) -> Plan:
        """What a stage knows: a finished barrier's chunks and receipts."""
        return self._nodes[name].plan

    def config_of(self, name: str) -> Any:
        """A stage's config."""
        return self._nodes[name].config

    def why(self, task: Task, *, failed: bool) -> str:
        """Why a task must run: missing, failed, version, config, input, or outputs gone."""
        old = self._lookup(task.slot)
        if old is None:
            return "failed" if failed else "missing"
        parts = task.parts()
        for part, word in (("use", "config"), ("version", "version"), ("config", "config")):
            if old.parts.get(part) != parts[part]:
                return word
        if old.parts.get("inputs") != parts["inputs"]:
            return "input"
        return "asked for" if self._rerun(old) else "output missing"


_ROUNDS = 12
"""Each doubles the attempts, so that few recipes have more."""


def _needs_of(stage: Any, config: Any) -> Needs:
    """What the tasks of a stage need: one that may need an engine says so by `needs`."""
    return cast("Needs", stage.needs(config)) if hasattr(stage, "needs") else "cpu"


def phantom(task: Task, old: Receipt | None, roles: tuple[str, ...]) -> Receipt:
    """What a task that was not run would leave, as far as a plan can tell."""
    outputs = (
        old.outputs if old is not None else tuple(Output(role, "", "", 0, 1) for role in roles)
    )
    again = old is not None and old.key == task.key()  # the same key gives the same bytes
    return Receipt(
        slot=task.slot,
        key=task.key(),
        parts=task.parts(),
        outputs=outputs if again else tuple(replace(o, sha256=f"? {task.key()}") for o in outputs),
        counts=old.counts if old is not None else {},
        facts=old.facts if old is not None else {},
    )
