"""Expert iteration: a model answers fresh problems, and learns from what the checkers pass.

Three arms go on from one first model, trained on a few traces of the recipe's own teacher, with the
same budget of tokens in each round:

    verified    its own samples that passed, answer and steps, of all rounds, and the first traces
    seed        the first traces again: what more training alone would have done
    unverified  all of its own samples, and the first traces: what checking is worth

Samples are made by an ordinary run of the recipe, the model being its teacher, in a folder of its
own that can be resumed, inspected and audited like any other.

Not here: how a run goes (flow.py), how a model is trained (train.py).
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pyarrow.dataset as pads
import torch

from tracefactory.errors import SourceError
from tracefactory.prove.arms import HeldOut, Text
from tracefactory.prove.evaluate import Speaker, score
from tracefactory.prove.experiment import encode
from tracefactory.prove.model import Size, SmallLlama
from tracefactory.prove.save import load_model, save_model
from tracefactory.prove.teacher import weights_sha256
from tracefactory.prove.tokens import Tokens, asked, tokens_of
from tracefactory.prove.train import train
from tracefactory.schemas.proof import PROOF_VERSION, Loop, LoopArm, Round
from tracefactory.store.files import write_atomic

MEANING: Mapping[str, str] = {
    "verified": "its own samples that passed the checkers, and the first traces",
    "seed": "the first traces alone, trained on for as long",
    "unverified": "all of its own samples, and the first traces",
}
POSITIONS = 512
LICENSE = "Apache-2.0"
MAX_NEW = 256
"""Tokens of a sample at most, as within the workers."""


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """How far a loop goes."""

    rounds: int = 3
    seed_traces: int = 300
    """Traces of the recipe's own teacher that the first model learns from."""
    first_tokens: int = 1_300_000
    """Budget of the first model: to where more of the same no longer helps much."""
    tokens: int = 400_000
    """Budget of each round."""
    temperature: float = 0.8
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Sampled:
    """A finished run, as a loop reads it."""

    kept: Sequence[Text]
    dropped: Sequence[Text]
    n_attempts: int


RunRound = Callable[[Path, Sequence[str]], None]
"""Runs the recipe in a folder with these changes (`place=value`), to its end."""

Tell = Callable[[str, int, Round], None]


class Looping:
    """A loop in a folder. What was done there before is not done again."""

    def __init__(
        self,
        folder: Path,
        seed: int,
        generate: str,
        settings: LoopSettings,
        run: RunRound,
        served: Mapping[str, Any] | None = None,
    ) -> None:
        """Nothing happens yet.

        Args:
            folder: of the loop; each run has one in it.
            seed: of the recipe.
            generate: name of the recipe's stage that asks the teacher.
            settings: how far to go.
            run: see `RunRound`.
            served: settings of a teacher `vllm` that serves the model of the round before, but for
                what says which model that is; None: the model answers within the workers.
        """
        self.folder, self.seed, self.generate = folder, seed, generate
        self.settings, self.run, self.served = settings, run, served

    def go(self, tell: Tell) -> Loop:
        """All rounds of all arms.

        Raises:
            SourceError: the recipe gave nothing to learn from, or holds nothing out.
        """
        torch.set_num_threads(self.settings.threads)
        first = self.folder / "round-00"
        self.run(first, [f"stages.{self.generate}.attempts.min=1"])
        traces = read_run(first).kept[: self.settings.seed_traces]
        held_out = read_held_out(first)
        if not traces or not held_out:
            raise SourceError(
                f"{first} has {len(traces)} traces in sft and {len(held_out)} problems in the "
                "split test; a loop needs both: a teacher that gets some right, and "
                "`split: {test: 500}`"
            )
        start = self._first(traces, held_out)
        tell("first", 0, start)
        arms = [
            LoopArm(name, meaning, self._arm(name, start, traces, held_out, tell))
            for name, meaning in MEANING.items()
        ]
        task = str(_table(first, "sft", ["task_type"])["task_type"][0])
        settings = self.settings
        return Loop(PROOF_VERSION, task, self.seed, settings.first_tokens, settings.tokens, arms)

    def last_run(self) -> Path:
        """Folder of the last run of the arm `verified`."""
        return self._run_folder("verified", self.settings.rounds)

    def _first(self, traces: Sequence[Text], held_out: Sequence[HeldOut]) -> Round:
        """The model that all arms go on from."""
        texts = read_run(self.folder / "round-00").kept
        tokens = tokens_of(
            [asked(text.messages) + text.response for text in texts]
            + [asked(problem.messages) for problem in held_out]
        )

        def make() -> tuple[SmallLlama, Tokens]:
            return SmallLlama(Size(len(tokens), positions=POSITIONS), self.seed), tokens

        return self._learn("first", 0, make, traces, (0, 0), held_out)

    def _arm(
        self,
        name: str,
        start: Round,
        traces: Sequence[Text],
        held_out: Sequence[HeldOut],
        tell: Tell,
    ) -> list[Round]:
        rounds, pool = [start], list(traces)
        model = self._model("first", 0)
        for number in range(1, self.settings.rounds + 1):
            samples = (0, 0)
            if name != "seed":
                found = self._sample(name, number, model)
                more = [*found.kept, *found.dropped] if name == "unverified" else found.kept
                pool += more
                samples = (found.n_attempts, len(more))
            rounds.append(
                self._learn(name, number, partial(load_model, model), pool, samples, held_out)
            )
            tell(name, number, rounds[-1])
            model = self._model(name, number)
        return rounds

    def _sample(self, arm: str, number: int, model: Path) -> Sampled:
        teacher = self._teacher(arm, model)
        folder = self._run_folder(arm, number)
        place = f"stages.{self.generate}.teacher"
        self.run(
            folder, [f"seed={self.seed + number}", f"{place}={orjson.dumps(teacher).decode()}"]
        )
        return read_run(folder)

    def _teacher(self, arm: str, model: Path) -> dict[str, Any]:
        """The model as the teacher of a recipe."""
        path, sha256 = str(model.resolve()), weights_sha256(model)
        name, temperature = f"small-llama-{arm}", self.settings.temperature
        if self.served is None:
            options = {
                "path": path,
                "sha256": sha256,
                "temperature": temperature,
                "license": LICENSE,
                "name": name,
            }
            return {"kind": "tracefactory.prove.teacher:SmallModel", "options": options}
        sampling = {"temperature": temperature, "max_tokens": MAX_NEW}
        return {
            **self.served,
            "kind": "vllm",
            "model": name,
            "path": path,
            "revision": f"sha256:{sha256}",
            "license": LICENSE,
            "sampling": sampling | dict(self.served.get("sampling", {})),
        }

    def _learn(
        self,
        arm: str,
        number: int,
        make: Callable[[], tuple[SmallLlama, Tokens]],
        texts: Sequence[Text],
        samples: tuple[int, int],
        held_out: Sequence[HeldOut],
    ) -> Round:
        """Train and measure one model; or read what was found when that was done before."""
        path = self.folder / "rounds" / f"{arm}-{number}.json"
        settings = self.settings
        budget = settings.tokens if number else settings.first_tokens
        key = [PROOF_VERSION, budget, len(texts), list(samples), asdict(settings) | {"rounds": 0}]
        if self.served is not None and number:
            key.append(dict(self.served))
        if path.is_file() and (known := orjson.loads(path.read_bytes()))["key"] == key:
            return Round(**known["round"])
        started = time.process_time()
        model, tokens = make()
        examples = encode(tokens, texts)
        curve = train(model.train(), examples, budget, self.seed + number, tokens.pad)
        save_model(self._model(arm, number), model.train(False), tokens)
        longest = max(len(one.ids) - one.n_prompt for one in examples)
        speaker = Speaker(model, tokens, min(longest + longest // 4 + 8, POSITIONS))
        found = score(speaker, "test", held_out, self.seed)
        done = Round(
            n=found.n,
            greedy=found.greedy,
            sampled=found.sampled or 0,
            samples=samples[0],
            accepted=samples[1],
            pool=len(texts),
            loss=curve.final,
            cpu_s=round(time.process_time() - started, 1),
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, orjson.dumps({"key": key, "round": asdict(done)}))
        return done

    def _model(self, arm: str, number: int) -> Path:
        return self.folder / "models" / f"{arm}-{number}"

    def _run_folder(self, arm: str, number: int) -> Path:
        return self.folder / arm / f"round-{number:02d}"


def _table(
    run: Path, config: str, columns: Sequence[str], split: str = "train"
) -> dict[str, list[Any]]:
    files = sorted((run / "dataset" / config).glob(f"{split}-*.parquet"))
    return pads.dataset(files).to_table(columns=list(columns)).to_pydict() if files else {}


def read_run(run: Path) -> Sampled:
    """What a run kept, and what it did not, in the order of ids."""
    sides = []
    for config in ("sft", "rejected"):
        table = _table(run, config, ["id", "messages"])
        rows = sorted(zip(table.get("id", ()), table.get("messages", ()), strict=True))
        sides.append([Text(turns[:-1], turns[-1]["content"]) for _, turns in rows])
    return Sampled(sides[0], sides[1], len(sides[0]) + len(sides[1]))


def read_held_out(run: Path) -> list[HeldOut]:
    """The problems of the split `test`."""
    columns = ["problem_id", "prompt", "solution", "verification_info"]
    table = _table(run, "rl", columns, "test")
    return (
        [HeldOut(*row) for row in zip(*(table[name] for name in columns), strict=True)]
        if table
        else []
    )
