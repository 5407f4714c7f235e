"""All models of a proof: one job an arm and seed, in processes of their own, each result kept.

A job that has its result on disk is not done again, so a proof that was killed goes on. Results of
other rows, budgets or versions are other jobs.
"""

import hashlib
import multiprocessing
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
import torch

from tracefactory.errors import SourceError
from tracefactory.prove.arms import ARMS, Material, Text
from tracefactory.prove.evaluate import Speaker, score
from tracefactory.prove.faithful import probe
from tracefactory.prove.model import Size, SmallLlama, choose_device
from tracefactory.prove.save import save_model
from tracefactory.prove.tokens import END, Tokens, asked, tokens_of
from tracefactory.prove.train import Example, train
from tracefactory.schemas.proof import PROOF_VERSION, Arm, Proof, ProofRun, run_from_json
from tracefactory.store.files import write_atomic

LOSS_GATE = 0.05
"""Nats a token. There is a sharp transition in learning: models that stop before it are at guess
level whatever they were given, and come under this only after it (facts: 0.03 with 100 % right on
quickstart's rows, of which some have slips that the next line puts right; 0.2 and more before)."""

CONTROL = "decorative"
"""The arm that only controls the probe: one seed, and a third of the budget, where it has long
learnt all there is (the look of its texts)."""

MAX_TOKENS = 1_024
"""Of one text; longer ones are left out."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What all models of a proof share."""

    tokens: int = 1_500_000
    seeds: int = 3
    probes: int = 400
    device: str = "cpu"
    threads: int = 1
    size: Mapping[str, int] | None = None
    """Of the model, beside the defaults of `Size`."""


@dataclass(frozen=True, slots=True)
class Job:
    """One model."""

    arm: str
    seed: int


def jobs_of(material: Material, settings: Settings) -> list[Job]:
    """Every arm at every seed; of the negative control, one."""
    return [
        Job(arm, seed)
        for seed in range(settings.seeds)
        for arm in ARMS
        if arm in material.arms and (arm != CONTROL or seed == 0)
    ]


def prove(
    material: Material,
    settings: Settings,
    folder: Path,
    processes: int,
    say: Callable[[Job, ProofRun, int, int], None],
) -> Proof:
    """Train and measure all models; their figures.

    Args:
        material: what to learn and what to ask.
        settings: shared by all models.
        folder: where results and models are kept; of an earlier proof of the same, to go on.
        processes: jobs at a time.
        say: told of each model that is ready, with how many there are of how many.

    Raises:
        SourceError: no text is short enough, or the device is not there.
    """
    choose_device(settings.device)
    jobs = jobs_of(material, settings)
    tokens = tokens_of(_all_texts(material))
    key = _key(material, settings)
    runs: dict[Job, ProofRun] = {}
    for job in jobs:
        if (run := _kept(folder, key, job)) is not None:
            runs[job] = run
            say(job, run, len(runs), len(jobs))
    for job, run in _run_all(
        [job for job in jobs if job not in runs], material, tokens, settings, folder, processes
    ):
        _keep(folder, key, job, run)
        runs[job] = run
        say(job, run, len(runs), len(jobs))
    return _proof(material, settings, tokens, runs)


def _run_all(
    jobs: Sequence[Job],
    material: Material,
    tokens: Tokens,
    settings: Settings,
    folder: Path,
    processes: int,
) -> Iterator[tuple[Job, ProofRun]]:
    spawn = multiprocessing.get_context("spawn")  # torch's threads do not survive a fork
    with ProcessPoolExecutor(min(processes, len(jobs)) or 1, mp_context=spawn) as pool:
        ahead = {
            pool.submit(
                run_job, job, material, tokens.tokenizer.to_str(), settings, folder / "models"
            ): job
            for job in jobs
        }
        try:
            for ended in as_completed(ahead):
                yield ahead[ended], ended.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def run_job(
    job: Job, material: Material, tokenizer: str, settings: Settings, models: Path
) -> ProofRun:
    """Train one model, save it, and measure it. Runs in a process of its own."""
    from tokenizers import Tokenizer

    torch.set_num_threads(settings.threads)
    started = time.process_time()
    tokens = Tokens(Tokenizer.from_str(tokenizer))
    examples = encode(tokens, material.arms[job.arm])
    model = SmallLlama(size_of(material, tokens, settings), job.seed).to(
        choose_device(settings.device)
    )
    budget = settings.tokens // 3 if job.arm == CONTROL else settings.tokens
    curve = train(model, examples, budget, job.seed, tokens.pad)
    save_model(models / f"{job.arm}-{job.seed}", model.train(False), tokens)
    longest = max(len(one.ids) - one.n_prompt for one in examples)
    speaker = Speaker(model, tokens, longest + longest // 4 + 8)
    scores = tuple(
        score(speaker, split, problems, job.seed) for split, problems in material.splits.items()
    )
    found = None
    if job.arm != "direct":
        found = probe(speaker, material, settings.probes, only_right=job.arm != CONTROL)
    return ProofRun(
        seed=job.seed,
        loss=curve.final,
        passes=curve.passes,
        cpu_s=round(time.process_time() - started, 1),
        tokens=curve.tokens,
        losses=curve.losses,
        scores=scores,
        probe=found,
    )


def encode(tokens: Tokens, texts: Sequence[Text]) -> list[Example]:
    """Texts as numbers; those that are too long are left out.

    Raises:
        SourceError: all of them are.
    """
    prompts = tokens.encode([asked(text.messages) for text in texts])
    responses = tokens.encode([text.response + END for text in texts])
    found = [
        Example((*prompt, *response), len(prompt))
        for prompt, response in zip(prompts, responses, strict=True)
        if len(prompt) + len(response) <= MAX_TOKENS
    ]
    if not found:
        raise SourceError(
            f"each of the {len(texts):,} texts has more than {MAX_TOKENS:,} tokens; so small a "
            "model cannot learn from them. Choose shorter problems with --task"
        )
    return found


def size_of(material: Material, tokens: Tokens, settings: Settings) -> Size:
    """Of the model: room for the longest text and some more."""
    texts = (text for arm in material.arms.values() for text in arm)
    longest = max(len(asked(text.messages)) + len(text.response) for text in texts)
    positions = min(2 * MAX_TOKENS, max(256, 2 * longest))  # no token is shorter than a character
    return Size(vocabulary=len(tokens), positions=positions, **(settings.size or {}))


def _all_texts(material: Material) -> list[str]:
    learnt = [
        asked(text.messages) + text.response for arm in material.arms.values() for text in arm
    ]
    return learnt + [asked(p.messages) for split in material.splits.values() for p in split]


def _key(material: Material, settings: Settings) -> str:
    parts = [
        PROOF_VERSION,
        material.rows_sha256,
        material.task_type,
        asdict(settings) | {"seeds": None},  # more seeds add jobs, and change none
        torch.__version__,
    ]
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()[:16]


def _path(folder: Path, job: Job) -> Path:
    return folder / "jobs" / f"{job.arm}-{job.seed}.json"


def _kept(folder: Path, key: str, job: Job) -> ProofRun | None:
    try:
        found = orjson.loads(_path(folder, job).read_bytes())
    except FileNotFoundError:
        return None
    return run_from_json(found["run"]) if found["key"] == key else None


def _keep(folder: Path, key: str, job: Job, run: ProofRun) -> None:
    path = _path(folder, job)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, orjson.dumps({"key": key, "run": asdict(run)}))


def _proof(
    material: Material, settings: Settings, tokens: Tokens, runs: Mapping[Job, ProofRun]
) -> Proof:
    test = material.splits["test"]
    weights = SmallLlama(size_of(material, tokens, settings), 0).parameters()
    return Proof(
        version=PROOF_VERSION,
        rows_sha256=material.rows_sha256,
        task_type=material.task_type,
        tokens=settings.tokens,
        parameters=sum(weight.numel() for weight in weights),
        gate=LOSS_GATE,
        constant=sum(one.solution == material.constant for one in test) / len(test),
        device=settings.device,
        torch=torch.__version__,
        arms=tuple(
            Arm(
                name,
                len(material.arms[name]),
                tuple(runs[job] for job in sorted(runs, key=lambda j: j.seed) if job.arm == name),
            )
            for name in ARMS
            if name in material.arms
        ),
    )
