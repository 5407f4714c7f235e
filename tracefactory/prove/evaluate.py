"""How one model does on held-out problems, judged by the factory's own checkers."""

from collections.abc import Mapping, Sequence

from tracefactory.prove.arms import HeldOut
from tracefactory.prove.generate import generate
from tracefactory.prove.model import SmallLlama
from tracefactory.prove.tokens import Tokens, asked
from tracefactory.rewards import verdict_of
from tracefactory.schemas.proof import Score
from tracefactory.schemas.verdict import Status
from tracefactory.stages.generate import attempt_seed
from tracefactory.verifiers import steps


class Speaker:
    """A model and its tokeniser: conversations in, texts out."""

    def __init__(self, model: SmallLlama, tokens: Tokens, max_new: int) -> None:
        self.model, self.tokens, self.max_new = model, tokens, max_new

    def say(
        self,
        conversations: Sequence[Sequence[Mapping[str, str]]],
        temperature: float = 0.0,
        seeds: Sequence[int] | None = None,
        prefixes: Sequence[str] | None = None,
    ) -> list[str]:
        """The answering turn of each; with `prefixes`, what comes after each of them."""
        begun = prefixes if prefixes is not None else [""] * len(conversations)
        prompts = self.tokens.encode(
            [asked(turns) + prefix for turns, prefix in zip(conversations, begun, strict=True)]
        )
        said = generate(self.model, prompts, self.tokens.end, self.max_new, temperature, seeds)
        return [self.tokens.decode(ids) for ids in said]


def status_of(problem: HeldOut, response: str) -> Status:
    """What the problem's checker says."""
    return verdict_of(response, problem.info, problem.messages[-1]["content"]).status


def score(speaker: Speaker, split: str, problems: Sequence[HeldOut], seed: int) -> Score:
    """Every problem greedily, and those of `test` at temperature 1 too."""
    turns = [problem.messages for problem in problems]
    greedy = speaker.say(turns)
    statuses = [status_of(p, said) for p, said in zip(problems, greedy, strict=True)]
    right = [
        (problem.messages[-1]["content"], said)
        for problem, status, said in zip(problems, statuses, greedy, strict=True)
        if status == "correct"
    ]
    return Score(
        split=split,
        n=len(problems),
        greedy=len(right),
        sampled=_sampled(speaker, problems, seed) if split == "test" else None,
        greedy_true=_all_steps_true(right),
        undecided=sum(status in ("undecided", "bad_reference") for status in statuses),
    )


def _sampled(speaker: Speaker, problems: Sequence[HeldOut], seed: int) -> int:
    seeds = [attempt_seed(seed, problem.problem_id, "prove", 0) for problem in problems]
    said = speaker.say([problem.messages for problem in problems], temperature=1.0, seeds=seeds)
    return sum(status_of(p, one) == "correct" for p, one in zip(problems, said, strict=True))


def _all_steps_true(right: Sequence[tuple[str, str]]) -> int | None:
    counts = [steps.count(statement, response) for statement, response in right]
    if not any(found.n_true for found in counts):
        return None
    return sum(not found.n_false for found in counts)
