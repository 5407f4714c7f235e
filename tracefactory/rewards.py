"""The checkers as rewards for reinforcement learning, over the columns of `rl` as they are.

    GRPOTrainer(..., reward_funcs=tracefactory.rewards.correct, train_dataset=rl)  # TRL
    reward.custom_reward_function.path=pkg://tracefactory.rewards                  # verl
    reward.custom_reward_function.name=compute_score

verl wants columns of its own: map each row of `rl` to add
{"data_source": row["source"], "reward_model": {"ground_truth": row["verification_info"]}}.

1.0 for a correct answer, 0.0 for an incorrect one or none. None where nothing can be said of the
response: a checker that could not decide, a reference that is at fault (TRL leaves such a row out;
verl has no such word and gets 0.0). What is no verdict at all, a checker that crashes or a box that
is lost, raises InfrastructureError: read as 0.0 it would teach the model that right is wrong.

A dataset's word is not trusted: only checkers under tracefactory.verifiers are imported by it, and
programs run in the best box there is here, whatever the row says. By environment:

    TRACEFACTORY_ALLOW_VERIFIERS   packages whose checkers may be imported too: `mypkg,other.checks`
    TRACEFACTORY_REWARD_ERRORS     `none` to give None where InfrastructureError would be raised

Not here: partial credit, rewards for form. They are sums of functions in TRL and verl; write yours
beside this one.
"""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, cast

import orjson

from tracefactory.schemas.attempt import Attempt
from tracefactory.schemas.problem import Problem
from tracefactory.schemas.verdict import Verdict
from tracefactory.trusted import Checker, Refused, find_checker, safe_options

ALLOW_VARIABLE = "TRACEFACTORY_ALLOW_VERIFIERS"
ERRORS_VARIABLE = "TRACEFACTORY_REWARD_ERRORS"

OnError = Literal["raise", "none"]

_REWARDS: Mapping[str, float | None] = {
    "correct": 1.0,
    "incorrect": 0.0,
    "no_answer": 0.0,
    "undecided": None,
    "bad_reference": None,
}
_log = logging.getLogger(__name__)


class InfrastructureError(RuntimeError):
    """No verdict could be had, and that says nothing about the answer."""


@dataclass(frozen=True, slots=True)
class Correct:
    """A reward function with settings of its own; `correct` takes them from the environment.

    It pickles, and has the name that trainers log rewards by.
    """

    allow: tuple[str, ...] = ()
    """Packages whose checkers may be imported beside tracefactory.verifiers."""
    on_error: OnError = "raise"

    @property
    def __name__(self) -> str:
        return "correct"

    def __call__(
        self,
        completions: Sequence[Any],
        verification_info: Sequence[str],
        prompts: Sequence[Any] | None = None,
        **columns: object,
    ) -> list[float | None]:
        """The reward of each completion; all sequences are of one length, as TRL gives them.

        Raises:
            InfrastructureError: no verdict could be had (unless `on_error` is `none`).
            ValueError: the rows are not those of `rl`.
        """
        if len(completions) != len(verification_info):
            raise ValueError(
                f"{len(completions)} completions and {len(verification_info)} rows of "
                "verification_info; a reward function is given one for each"
            )
        asked = prompts if prompts is not None else [""] * len(completions)
        return [
            self.one(plain_text(completion), info, plain_text(prompt))
            for completion, info, prompt in zip(completions, verification_info, asked, strict=True)
        ]

    def one(self, response: str, info: str, statement: str = "") -> float | None:
        """The reward of one response, by the `verification_info` of its problem.

        Raises:
            InfrastructureError: no verdict could be had (unless `on_error` is `none`).
            ValueError: `info` is no verification_info.
        """
        try:
            return _REWARDS[verdict_of(response, info, statement, self.allow).status]
        except InfrastructureError:
            if self.on_error == "raise":
                raise
            _log.exception("no verdict, so no reward")
            return None


def correct(
    completions: Sequence[Any],
    verification_info: Sequence[str],
    prompts: Sequence[Any] | None = None,
    **columns: object,
) -> list[float | None]:
    """1.0 where the checker of the row finds the answer correct: a reward function for TRL.

    Args:
        completions: texts, or conversations that end with the model's turn.
        verification_info: the column of `rl`.
        prompts: texts or conversations; checkers that look at the statement read them.
        columns: all other columns, which are not looked at.

    Raises:
        InfrastructureError: no verdict could be had (TRACEFACTORY_REWARD_ERRORS=none: None).
    """
    return _from_environment()(completions, verification_info, prompts)


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: object,
    extra_info: Mapping[str, Any] | None = None,
    **settings: object,
) -> float:
    """The same for verl, one response at a time: 1.0 or 0.0.

    The `verification_info` of `rl` is read from `extra_info["verification_info"]`, or from
    `ground_truth` where that is what the data was prepared with. An undecided check gets no credit.

    Raises:
        InfrastructureError: no verdict could be had, whatever the environment says.
        ValueError: there is no verification_info in either.
    """
    info = (extra_info or {}).get("verification_info", ground_truth)
    if not isinstance(info, str):
        raise ValueError(
            f"{data_source}: no verification_info in extra_info, and ground_truth is "
            f"{str(ground_truth)[:80]!r}; put rl's column verification_info into one of them"
        )
    return Correct(_allowed()).one(solution_str, info) or 0.0


def verdict_of(
    response: str, info: str, statement: str = "", allow: tuple[str, ...] = ()
) -> Verdict:
    """What the checker named by a row says of a response. A checker that raises is asked again.

    Raises:
        InfrastructureError: the checker cannot be had, crashes, or says `error`.
        ValueError: `info` is no verification_info.
    """
    checker, problem = _prepared(info, allow)
    if statement:
        problem = _problem(checker, problem.reference, problem.verifier_options, statement)
    attempt = Attempt("reward", "reward", 0, "policy", "", "unknown", response, "stop", None)
    try:
        verdict = checker.verify(problem, attempt)
    except Exception:  # as in the verify stage: any crash of a checker is tried once more
        try:
            verdict = checker.verify(problem, attempt)
        except Exception as error:
            raise InfrastructureError(
                f"{checker.version} crashed: {type(error).__name__}: {error}"
            ) from error
    if verdict.status == "error":
        raise InfrastructureError(f"{checker.version}: {verdict.reason} {verdict.evidence[:1000]}")
    return verdict


def plain_text(message: object) -> str:
    """The text of a completion or prompt: a text already, or the last turn of a conversation."""
    if isinstance(message, str):
        return message
    if isinstance(message, Mapping):
        turn = cast("Mapping[str, object]", message)
        reasoning = turn.get("reasoning_content") or turn.get("thinking")
        content = _content(turn.get("content"))
        return f"<think>\n{reasoning}\n</think>\n\n{content}" if reasoning else content
    if isinstance(message, Sequence):
        turns = cast("Sequence[object]", message)
        return plain_text(turns[-1]) if turns else ""
    raise ValueError(f"neither a text nor a conversation: {type(message).__name__}")


def _content(content: object) -> str:
    """What a turn says: a text, or the texts among its parts."""
    if content is None or isinstance(content, str):
        return content or ""
    parts = cast("Sequence[Mapping[str, Any]]", content)
    return "".join(str(part["text"]) for part in parts if part.get("type") == "text")


@lru_cache(maxsize=4096)  # a group of completions has one problem
def _prepared(info: str, allow: tuple[str, ...]) -> tuple[Checker, Problem]:
    try:
        told = orjson.loads(info)
        stated, reference = str(told["verifier"]), str(told["reference"])
        options = orjson.dumps(told["options"]).decode()
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(
            f"{info[:200]!r} is no verification_info of the config rl ({error!r})"
        ) from error
    try:
        checker = find_checker(stated, allow)
    except Refused as error:
        raise InfrastructureError(
            f"{error}. As a reward: name the package in {ALLOW_VARIABLE} or in Correct(allow=...)"
        ) from error
    try:
        settings = safe_options(checker.address, options)
    except Refused as error:
        raise InfrastructureError(f"{stated}: {error}") from error
    _note_version(stated, checker.version)
    return checker, _problem(checker, reference, settings, "")


def _problem(checker: Checker, reference: str, options: str, statement: str) -> Problem:
    """The problem as far as a checker may look at it."""
    return Problem(
        id="reward",
        statement=statement,
        reference=reference,
        verifier=checker.address,
        verifier_options=options,
        split="train",
        domain="",
        task_type="",
        source="",
        license="unknown",
        origin="{}",
    )


@lru_cache(maxsize=64)
def _note_version(stated: str, here: str) -> None:
    """Say once that verdicts may differ from those of the dataset."""
    if stated.partition("+")[0] != here.partition("+")[0]:
        _log.warning("the dataset was checked with %s, rewards come from %s", stated, here)


def _allowed() -> tuple[str, ...]:
    names = os.environ.get(ALLOW_VARIABLE, "").split(",")
    return tuple(name.strip() for name in names if name.strip())


def _from_environment() -> Correct:
    on_error = os.environ.get(ERRORS_VARIABLE, "raise")
    if on_error not in ("raise", "none"):
        raise ValueError(f"{ERRORS_VARIABLE} is {on_error!r}; it can be raise or none")
    return Correct(_allowed(), "none" if on_error == "none" else "raise")
